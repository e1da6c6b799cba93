// CRC-32, against accidents: torn writes and worn flash. Against people there are signatures.
#pragma once

#include <cstdint>

#include "skep/bytes.h"

namespace skep {

/// CRC-32/ISO-HDLC (IEEE 802.3, RFC 1952 section 8): of "123456789" it is 0xCBF43926.
///
/// `crc32(b, crc32(a))` is the CRC of a followed by b, so long content can be fed in pieces.
/// 64 B of table in flash, no state, any thread.
[[nodiscard]] std::uint32_t crc32(Bytes data, std::uint32_t crc_so_far = 0);

}  // namespace skep

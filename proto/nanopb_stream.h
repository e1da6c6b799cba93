// nanopb with our rules on top: views without copies, one encoding for each message.
#pragma once

#include <pb.h>

#include <cstddef>

#include "skep/bytes.h"
#include "skep/status.h"

namespace skep::wire {

/// Bytes that `value` takes as the shortest varint, 1 … 5.
[[nodiscard]] std::size_t varint_bytes(std::uint32_t value);

/// Bytes that a `bytes` field with a number below 16 takes before its content.
[[nodiscard]] std::size_t field_head_bytes(std::size_t content_bytes);

/// Makes decoding point `view` into the buffer. `view` outlives the decoding.
void bind(pb_callback_t& field, Bytes& view);

/// Makes encoding write `view`, nothing if it is empty. `view` outlives the encoding.
void bind(pb_callback_t& field, const Bytes& view);

/// Whether `bytes` begins with the version field (number 1) and whether that is 1 … `latest`.
///
/// Errors: kUnsupportedVersion, kMalformed.
Status check_version(Bytes bytes, std::uint32_t latest = 1);

/// Errors: kMalformed.
Status decode_message(Bytes bytes, const pb_msgdesc_t* descriptor, void* message);

/// Whether encoding `message` gives exactly `bytes`.
///
/// Errors: kMalformed if it does not.
Status check_canonical(Bytes bytes, const pb_msgdesc_t* descriptor, const void* message);

/// Writes with memmove, so that a view may already lie where it belongs.
///
/// Errors: kNoMemory if `out` is too small.
[[nodiscard]] Result<std::size_t> encode_message(const pb_msgdesc_t* descriptor,
                                                 const void* message, MutableBytes out);

}  // namespace skep::wire

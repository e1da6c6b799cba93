// How a RecordLog's bank lies on flash. All integers little endian.
//
//   0    header      magic, version, program unit, sequence, end and CRC of the batch, CRC
//   32   decision    kMarkByte: the header is complete, the bank may be the current one
//   64   settlement  kMarkByte: the decision is complete
//   96   batch       the live records when the bank was made, covered by the header's CRC
//   …    appended    records, until one that is not valid
//
// A record is a header of 16 bytes (key, kind, length, sequence, payload CRC, header CRC), the
// payload, 0xFF up to the program unit, and a confirmation of at least 4 bytes of kMarkByte.
//
// Why so many marks: the last program operation before a loss of power may have left weak cells,
// which read as written today and as erased tomorrow. A mark programmed afterwards proves that
// what stands before it is solid. What lacks its mark is used, but written anew before anything
// relies on it.
//
// Sequence numbers are consecutive over banks and records: a bank takes one, each of its records
// the next. So leftovers of an earlier life of the bank never continue it.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "skep/bytes.h"

namespace skep::record_format {

inline constexpr std::uint8_t kErasedByte = 0xFF;
inline constexpr std::uint8_t kMarkByte = 0x5A;
inline constexpr std::uint8_t kFormatVersion = 1;

inline constexpr std::uint32_t kBankHeaderBytes = 32;  // one largest program unit each
inline constexpr std::uint32_t kDecisionOffset = 32;
inline constexpr std::uint32_t kSettlementOffset = 64;
inline constexpr std::uint32_t kBankMarkBytes = 32;
inline constexpr std::uint32_t kFirstRecordOffset = 96;
inline constexpr std::uint32_t kRecordHeaderBytes = 16;
inline constexpr std::uint32_t kMinConfirmationBytes = 4;

struct BankHeader {
  std::uint8_t version;
  std::uint8_t program_unit;
  std::uint32_t sequence;
  std::uint32_t batch_end;  // offset in the bank
  std::uint32_t batch_crc;  // of kFirstRecordOffset … batch_end
};

void encode(const BankHeader& header, std::array<std::uint8_t, kBankHeaderBytes>& out);

/// Empty if it is not a header of any version. Later versions keep these fields and the CRC.
std::optional<BankHeader> decode_bank_header(
    const std::array<std::uint8_t, kBankHeaderBytes>& bytes);

enum class RecordKind : std::uint8_t { kPut = 1, kRemove = 2 };

struct RecordHeader {
  std::uint8_t key;
  RecordKind kind;
  std::uint16_t payload_bytes;
  std::uint32_t sequence;
  std::uint32_t payload_crc;
};

/// `out` holds at least kRecordHeaderBytes, as `bytes` below.
void encode(const RecordHeader& header, MutableBytes out);

/// Empty if it is not a header, or names a key or length that RecordLog does not have.
std::optional<RecordHeader> decode_record_header(Bytes bytes);

}  // namespace skep::record_format

#include "record_format.h"

#include "skep/core/crc32.h"
#include "skep/core/little_endian.h"
#include "skep/core/record_log.h"

namespace skep::record_format {
namespace {

constexpr std::uint32_t kMagic = 0x676F4C53;  // "SLog"
constexpr std::size_t kBankCrcOffset = 28;
constexpr std::size_t kRecordCrcOffset = 12;

}  // namespace

void encode(const BankHeader& header, std::array<std::uint8_t, kBankHeaderBytes>& out) {
  out.fill(0);
  store_u32(&out[0], kMagic);
  out[4] = header.version;
  out[5] = header.program_unit;
  store_u32(&out[8], header.sequence);
  store_u32(&out[12], header.batch_end);
  store_u32(&out[16], header.batch_crc);
  store_u32(&out[kBankCrcOffset], crc32(Bytes(out).first(kBankCrcOffset)));
}

std::optional<BankHeader> decode_bank_header(
    const std::array<std::uint8_t, kBankHeaderBytes>& bytes) {
  if (load_u32(&bytes[0]) != kMagic) return std::nullopt;
  if (load_u32(&bytes[kBankCrcOffset]) != crc32(Bytes(bytes).first(kBankCrcOffset))) {
    return std::nullopt;
  }
  return BankHeader{bytes[4], bytes[5], load_u32(&bytes[8]), load_u32(&bytes[12]),
                    load_u32(&bytes[16])};
}

void encode(const RecordHeader& header, MutableBytes out) {
  out[0] = header.key;
  out[1] = static_cast<std::uint8_t>(header.kind);
  store_u16(&out[2], header.payload_bytes);
  store_u32(&out[4], header.sequence);
  store_u32(&out[8], header.payload_crc);
  store_u32(&out[kRecordCrcOffset], crc32(Bytes(out).first(kRecordCrcOffset)));
}

std::optional<RecordHeader> decode_record_header(Bytes bytes) {
  if (load_u32(&bytes[kRecordCrcOffset]) != crc32(bytes.first(kRecordCrcOffset))) {
    return std::nullopt;
  }
  const RecordHeader header{bytes[0], static_cast<RecordKind>(bytes[1]), load_u16(&bytes[2]),
                            load_u32(&bytes[4]), load_u32(&bytes[8])};
  if (header.key >= RecordLog::kKeyCount) return std::nullopt;
  if (header.kind != RecordKind::kPut && header.kind != RecordKind::kRemove) return std::nullopt;
  if (header.payload_bytes > RecordLog::kMaxPayloadBytes) return std::nullopt;
  return header;
}

}  // namespace skep::record_format

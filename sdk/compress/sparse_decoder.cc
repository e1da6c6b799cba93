#include "skep/compress/decoder.h"

#include <algorithm>
#include <bit>

#include "skep/flow.h"

namespace skep::compress {
namespace {

/// A number of 7 bits a byte, low bits first, in the fewest bytes. Moves `bytes` past it.
Status read_count(Bytes& bytes, std::uint32_t& count) {
  constexpr std::size_t kMaxBytes = 4;  // more than any count up to kMaxParameters takes
  count = 0;
  for (std::size_t i = 0; i < std::min(bytes.size(), kMaxBytes); ++i) {
    count |= (bytes[i] & 0x7FU) << (7 * i);
    if ((bytes[i] & 0x80U) != 0) continue;
    if (i > 0 && bytes[i] == 0) return Status::kMalformed;
    bytes = bytes.subspan(i + 1);
    return Status::kOk;
  }
  return Status::kMalformed;
}

static_assert(kMaxParameters < 1U << 28, "a count has at most four bytes");

}  // namespace

Decoder::Decoder(CompressedHeader header, std::uint32_t rice_parameter, BitReader reader,
                 std::uint32_t dimension)
    : header_(header),
      rice_parameter_(rice_parameter),
      dimension_(dimension),
      entries_left_(header.count),
      reader_(reader) {}

Result<Decoder> Decoder::open(Bytes bytes, std::uint32_t dimension) {
  if (dimension == 0 || dimension > kMaxParameters) return Status::kInvalidArgument;
  if (bytes.empty()) return Status::kMalformed;
  if (bytes[0] >> 4 != kFormatVersion) return Status::kUnsupportedVersion;
  if (bytes.size() < 4) return Status::kMalformed;
  const std::uint32_t value_bits = (bytes[0] & 0x0FU) + 1;
  const int exponent = kMaxDeltaExponent - bytes[1];
  const std::uint32_t rice_parameter = bytes[2];
  if (value_bits < kMinValueBits || exponent < kMinDeltaExponent ||
      rice_parameter > kMaxRiceParameter) {
    return Status::kMalformed;
  }
  Bytes entries = bytes.subspan(3);
  std::uint32_t count = 0;
  SKEP_TRY(read_count(entries, count));
  const std::uint64_t least_bits = std::uint64_t{count} * (value_bits + rice_parameter + 1);
  if (count == 0 || count > dimension || least_bits > std::uint64_t{entries.size()} * 8) {
    return Status::kMalformed;
  }
  const CompressedHeader header{count, exponent, static_cast<std::uint8_t>(value_bits)};
  return Decoder(header, rice_parameter, BitReader(entries), dimension);
}

Result<bool> Decoder::next(std::uint32_t& index, std::int32_t& value) {
  SKEP_TRY(status_);
  if (entries_left_ == 0) {
    SKEP_TRY(status_ = check_end());
    return false;
  }
  SKEP_TRY(status_ = read_entry(index, value));
  --entries_left_;
  return true;
}

Status Decoder::read_entry(std::uint32_t& index, std::int32_t& value) {
  if (next_index_ == dimension_) return Status::kMalformed;
  const std::uint32_t max_gap = dimension_ - next_index_ - 1;
  std::uint32_t quotient = 0;
  SKEP_TRY(reader_.read_unary(max_gap >> rice_parameter_, quotient));
  std::uint32_t remainder = 0;
  SKEP_TRY(reader_.read(rice_parameter_, remainder));
  const std::uint32_t gap = quotient << rice_parameter_ | remainder;
  if (gap > max_gap) return Status::kMalformed;

  std::uint32_t code = 0;
  SKEP_TRY(reader_.read(header_.value_bits, code));
  const std::uint32_t sign = std::uint32_t{1} << (header_.value_bits - 1U);
  if (code == sign) return Status::kMalformed;
  cost_.add(gap);
  index = next_index_ + gap;
  value = static_cast<std::int32_t>(code ^ sign) - static_cast<std::int32_t>(sign);
  next_index_ = index + 1;
  return Status::kOk;
}

Status Decoder::check_end() const {
  if (cost_.best_parameter() != rice_parameter_) return Status::kMalformed;
  return reader_.check_end();
}

Result<Summary> inspect(Bytes bytes, std::uint32_t dimension) {
  SKEP_ASSIGN_OR_RETURN(Decoder decoder, Decoder::open(bytes, dimension));
  Summary summary{decoder.header(), 0};
  std::uint32_t index = 0;
  std::int32_t value = 0;
  for (;;) {
    SKEP_ASSIGN_OR_RETURN(const bool more, decoder.next(index, value));
    if (!more) return summary;
    summary.sum_of_squares += static_cast<std::uint32_t>(value * value);
  }
}

}  // namespace skep::compress

#include "sparse_decoder.h"

#include <algorithm>

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

/// The fields of both headers; `bytes` are moved past them.
struct Front {
  SparseHeader header;
  std::uint32_t rice_parameter;
};

Result<Front> read_top_k_front(Bytes& bytes, const Options& options) {
  Front front{{0, kMaxDeltaExponent - bytes[1], 1}, bytes[2]};
  if ((bytes[0] & 0x0FU) + 1 != options.value_bits || front.rice_parameter > kMaxRiceParameter) {
    return Status::kMalformed;
  }
  bytes = bytes.subspan(3);
  SKEP_TRY(read_count(bytes, front.header.count));
  if (front.header.count != options.keep_count) return Status::kMalformed;
  return front;
}

Front read_ternary_front(Bytes& bytes, const Options& options) {
  const Front front{{options.keep_count, kMaxDeltaExponent - bytes[1], bytes[2]}, bytes[0] & 0x0FU};
  bytes = bytes.subspan(kTernaryHeaderBytes);
  return front;
}

}  // namespace

Status check_format(Bytes bytes, CompressionMode mode) {
  if (bytes.empty()) return Status::kMalformed;
  const std::uint32_t format = bytes[0] >> 4;
  if (format == 0 || format > kCompressionNames.size()) return Status::kUnsupportedVersion;
  return format == static_cast<std::uint32_t>(mode) ? Status::kOk : Status::kMalformed;
}

Result<std::int32_t> to_value(std::uint32_t code, std::uint32_t value_bits) {
  const std::uint32_t sign = std::uint32_t{1} << (value_bits - 1U);
  if (code == sign) return Status::kMalformed;
  return static_cast<std::int32_t>(code ^ sign) - static_cast<std::int32_t>(sign);
}

SparseDecoder::SparseDecoder(const SparseHeader& header, std::uint32_t rice_parameter,
                             BitReader reader, std::uint32_t dimension, const Options& options)
    : header_(header),
      rice_parameter_(rice_parameter),
      dimension_(dimension),
      entries_left_(header.count),
      value_bits_(options.value_bits),
      is_ternary_(options.mode == CompressionMode::kTernary),
      reader_(reader) {}

Result<SparseDecoder> SparseDecoder::open(Bytes bytes, std::uint32_t dimension,
                                          const Options& options) {
  SKEP_TRY(check_format(bytes, options.mode));
  if (bytes.size() < kTernaryHeaderBytes) return Status::kMalformed;
  const bool is_ternary = options.mode == CompressionMode::kTernary;
  SKEP_ASSIGN_OR_RETURN(const Front front, is_ternary
                                               ? Result<Front>(read_ternary_front(bytes, options))
                                               : read_top_k_front(bytes, options));
  if (front.header.exponent < kMinDeltaExponent) return Status::kMalformed;
  const std::uint32_t value_bits = is_ternary ? 1 : options.value_bits;
  const std::uint64_t least_bits =
      std::uint64_t{front.header.count} * (value_bits + front.rice_parameter + 1);
  if (least_bits > std::uint64_t{bytes.size()} * 8) return Status::kMalformed;
  return SparseDecoder(front.header, front.rice_parameter, BitReader(bytes), dimension, options);
}

Result<bool> SparseDecoder::next(std::uint32_t& index, std::int32_t& value) {
  SKEP_TRY(status_);
  if (entries_left_ == 0) {
    SKEP_TRY(status_ = check_end());
    return false;
  }
  SKEP_TRY(status_ = read_entry(index, value));
  --entries_left_;
  return true;
}

Status SparseDecoder::read_entry(std::uint32_t& index, std::int32_t& value) {
  std::uint32_t gap = 0;
  SKEP_TRY(read_gap(gap));
  SKEP_TRY(read_value(value));
  cost_.add(gap);
  index = next_index_ + gap;
  next_index_ = index + 1;
  return Status::kOk;
}

Status SparseDecoder::read_gap(std::uint32_t& gap) {
  if (next_index_ == dimension_) return Status::kMalformed;
  const std::uint32_t max_gap = dimension_ - next_index_ - 1;
  std::uint32_t quotient = 0;
  SKEP_TRY(reader_.read_unary(max_gap >> rice_parameter_, quotient));
  std::uint32_t remainder = 0;
  SKEP_TRY(reader_.read(rice_parameter_, remainder));
  gap = quotient << rice_parameter_ | remainder;
  return gap <= max_gap ? Status::kOk : Status::kMalformed;
}

Status SparseDecoder::read_value(std::int32_t& value) {
  std::uint32_t code = 0;
  SKEP_TRY(reader_.read(is_ternary_ ? 1 : value_bits_, code));
  if (is_ternary_) {
    if (header_.scale == 0 && code != 0) return Status::kMalformed;
    value = header_.scale == 0 ? 0 : 1 - 2 * static_cast<std::int32_t>(code);
    return Status::kOk;
  }
  SKEP_ASSIGN_OR_RETURN(value, to_value(code, value_bits_));
  return Status::kOk;
}

Status SparseDecoder::check_end() const {
  const std::uint32_t max_parameter = is_ternary_ ? kMaxTernaryRiceParameter : kMaxRiceParameter;
  if (cost_.best_parameter(max_parameter) != rice_parameter_) return Status::kMalformed;
  return reader_.check_end();
}

}  // namespace skep::compress

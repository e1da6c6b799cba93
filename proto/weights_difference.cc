#include "skep/wire/weights_difference.h"

#include <algorithm>
#include <bit>

#include "skep/core/little_endian.h"
#include "weights_difference_format.h"

namespace skep::wire {
namespace {

using namespace difference;  // its names are this file's vocabulary

constexpr std::uint32_t kWindowBits = 64;
constexpr std::uint32_t kExponentBytes = 2;

std::int16_t load_i16(const std::uint8_t* bytes) {
  return static_cast<std::int16_t>(load_u16(bytes));
}

}  // namespace

Result<std::uint32_t> DifferenceDecoder::decode(Bytes& coded, MutableBytes weights) {
  const std::uint32_t start = position_;
  for (;;) {
    refill(coded);
    SKEP_ASSIGN_OR_RETURN(const bool went_on, step(weights.subspan(position_ - start)));
    if (!went_on) return position_ - start;
  }
}

Status DifferenceDecoder::finish() const {
  const bool is_padding = window_bits_ < 8 && window_ == 0;
  return phase_ == Phase::kEnd && is_padding ? Status::kOk : Status::kMalformed;
}

Result<bool> DifferenceDecoder::step(MutableBytes weights) {
  switch (phase_) {
    case Phase::kFormat:
      return read_format();
    case Phase::kExponent:
      return read_exponent(weights);
    case Phase::kWeightCount:
      return read_count(weights_left_, Phase::kBiasCount);
    case Phase::kBiasCount:
      return read_count(biases_left_, Phase::kShift);
    case Phase::kShift:
      return read_shift();
    case Phase::kBlock:
      return read_block();
    case Phase::kQuotient:
      return read_quotient();
    case Phase::kRemainder:
      return read_value(weights);
    case Phase::kEnd:
      break;
  }
  return false;
}

// ---- What comes before the values

Result<bool> DifferenceDecoder::read_format() {
  if (window_bits_ < kFormatBits) return false;
  if (peek(kFormatBits) != kFormat) return Status::kUnsupportedVersion;
  drop(kFormatBits);
  phase_ = Phase::kExponent;
  return true;
}

Result<bool> DifferenceDecoder::read_exponent(MutableBytes weights) {
  if (position_ == size_) {
    phase_ = Phase::kEnd;
    return true;
  }
  if (size_ - position_ < kExponentBytes) return Status::kMalformed;
  if (window_bits_ < kExponentBits || weights.size() < kExponentBytes) return false;
  constexpr std::uint32_t kSign = 1U << (kExponentBits - 1);
  const int change = static_cast<int>(peek(kExponentBits) ^ kSign) - static_cast<int>(kSign);
  if (change < -kMaxExponentChange || change > kMaxExponentChange) return Status::kMalformed;
  drop(kExponentBits);
  exponent_change_ = static_cast<std::int8_t>(change);
  store_u16(weights.data(), static_cast<std::uint16_t>(load_i16(weights.data()) + change));
  position_ += kExponentBytes;
  phase_ = Phase::kWeightCount;
  return true;
}

// The number of bits that the count has, then those below the highest.
Result<bool> DifferenceDecoder::read_count(std::uint32_t& count, Phase next) {
  if (window_bits_ < kCountLengthBits) return false;
  const std::uint32_t length = peek(kCountLengthBits);
  if (length > std::bit_width(kMaxLayerValues)) return Status::kMalformed;
  const std::uint32_t low_bits = length == 0 ? 0 : length - 1;
  if (window_bits_ < kCountLengthBits + low_bits) return false;
  const std::uint32_t low = peek(kCountLengthBits + low_bits) & ((1U << low_bits) - 1);
  drop(kCountLengthBits + low_bits);
  count = length == 0 ? 0 : 1U << low_bits | low;
  phase_ = next;
  if (next == Phase::kBiasCount) return true;
  if (2 * weights_left_ + 4 * biases_left_ > size_ - position_) return Status::kMalformed;
  begin_tensor();
  return true;
}

// Weights and biases are a tensor each; those without values are left out.
void DifferenceDecoder::begin_tensor() {
  phase_ = weights_left_ == 0 && biases_left_ == 0 ? Phase::kExponent : Phase::kShift;
  has_odd_ = has_residual_ = false;
}

Result<bool> DifferenceDecoder::read_shift() {
  if (window_bits_ < kShiftBits) return false;
  const std::uint32_t shift = peek(kShiftBits);
  if (shift >= 8 * value_bytes()) return Status::kMalformed;
  drop(kShiftBits);
  shift_ = static_cast<std::uint8_t>(shift);
  phase_ = Phase::kBlock;
  return true;
}

Result<bool> DifferenceDecoder::read_block() {
  const std::uint32_t bits = block_head_bits(residual_bits());
  if (window_bits_ < bits) return false;
  const std::uint32_t head = peek(bits);
  if (head > residual_bits()) return Status::kMalformed;
  drop(bits);
  is_zero_block_ = head == 0;
  parameter_ = static_cast<std::uint8_t>(is_zero_block_ ? 0 : head - 1);
  block_count_ = static_cast<std::uint8_t>(std::min(kBlockValues, values_left()));
  block_left_ = block_count_;
  cost_beyond_ = cost_below_ = 0;
  quotient_ = 0;
  phase_ =
      is_zero_block_ || is_raw(parameter_, residual_bits()) ? Phase::kRemainder : Phase::kQuotient;
  return true;
}

// ---- The values

Result<bool> DifferenceDecoder::read_quotient() {
  const auto ones = static_cast<std::uint32_t>(std::countl_one(window_));
  quotient_ += ones;
  // With the best parameter no quotient is above twice the number of values: see account().
  const std::uint32_t largest = (UINT32_MAX >> (32 - residual_bits())) >> parameter_;
  if (quotient_ > std::min<std::uint32_t>(largest, 2U * block_count_)) return Status::kMalformed;
  if (ones < window_bits_) {
    drop(ones + 1);
    phase_ = Phase::kRemainder;
    return true;
  }
  drop(ones);
  return ones != 0;
}

Result<bool> DifferenceDecoder::read_value(MutableBytes weights) {
  if (weights.size() < value_bytes()) return false;
  const bool is_raw_block = is_raw(parameter_, residual_bits());
  std::uint32_t residual = 0;
  if (!is_zero_block_) {
    const std::uint32_t bits = is_raw_block ? residual_bits() : parameter_;
    if (window_bits_ < bits) return false;
    residual = quotient_ << parameter_ | peek(bits);
    drop(bits);
    SKEP_TRY(account(residual));
  }

  const auto step = static_cast<std::uint32_t>(unzigzag(residual)) << shift_;
  std::uint8_t* bytes = weights.data();
  const std::int32_t base =
      is_in_weights() ? load_i16(bytes) : static_cast<std::int32_t>(load_u32(bytes));
  const std::uint32_t value = static_cast<std::uint32_t>(rescale(base, exponent_change_)) + step;
  if (is_in_weights()) {
    store_u16(bytes, static_cast<std::uint16_t>(value));
  } else {
    store_u32(bytes, value);
  }
  position_ += value_bytes();

  quotient_ = 0;
  phase_ = is_zero_block_ || is_raw_block ? Phase::kRemainder : Phase::kQuotient;
  std::uint32_t& left = is_in_weights() ? weights_left_ : biases_left_;
  --left;
  --block_left_;
  if (block_left_ == 0) SKEP_TRY(end_block());
  if (left == 0) SKEP_TRY(end_tensor());
  return true;
}

// The parameter p codes n residuals u in n(p + 1) + Σ (u >> p) bits. With p + 1 it is n more, and
// Σ ⌈(u >> p) / 2⌉ fewer, which falls as p rises: the number of bits is convex in p, so that a
// parameter is the best if neither of its neighbours is better.
Status DifferenceDecoder::account(std::uint32_t residual) {
  const std::uint32_t quotient = residual >> parameter_;
  cost_beyond_ += (quotient + 1) / 2;
  if (parameter_ != 0) cost_below_ += ((residual >> (parameter_ - 1)) + 1) / 2;
  has_residual_ = has_residual_ || residual != 0;
  has_odd_ = has_odd_ || ((residual + 1) & 2U) != 0;
  return cost_beyond_ <= block_count_ ? Status::kOk : Status::kMalformed;
}

Status DifferenceDecoder::end_block() {
  phase_ = Phase::kBlock;
  if (is_zero_block_) return Status::kOk;
  // A block of zeros has a shorter code than with any parameter.
  const bool is_best = parameter_ == 0 ? cost_beyond_ != 0 : cost_below_ > block_count_;
  return is_best ? Status::kOk : Status::kMalformed;
}

// The shift is what all residuals have in common, and 0 if there are none.
Status DifferenceDecoder::end_tensor() {
  if (has_residual_ ? !has_odd_ : shift_ != 0) return Status::kMalformed;
  begin_tensor();
  return Status::kOk;
}

// ---- The input

void DifferenceDecoder::refill(Bytes& coded) {
  constexpr std::uint32_t kFull = 48;  // more than any read needs, and a byte fits below it
  while (window_bits_ <= kFull && !coded.empty()) {
    window_ |= std::uint64_t{coded[0]} << (kWindowBits - 8 - window_bits_);
    window_bits_ = static_cast<std::uint8_t>(window_bits_ + 8);
    coded = coded.subspan(1);
  }
}

// count ≤ 32, and no more than the window has.
std::uint32_t DifferenceDecoder::peek(std::uint32_t count) const {
  return count == 0 ? 0 : static_cast<std::uint32_t>(window_ >> (kWindowBits - count));
}

void DifferenceDecoder::drop(std::uint32_t count) {
  window_ <<= count;
  window_bits_ = static_cast<std::uint8_t>(window_bits_ - count);
}

}  // namespace skep::wire

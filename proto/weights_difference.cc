#include "skep/wire/weights_difference.h"

#include <algorithm>

#include "skep/core/little_endian.h"
#include "weights_difference_format.h"

namespace skep::wire {
namespace {

constexpr std::uint32_t kExponentBytes = 2;

std::int16_t load_i16(const std::uint8_t* bytes) {
  return static_cast<std::int16_t>(load_u16(bytes));
}

}  // namespace

Result<std::uint32_t> DifferenceDecoder::decode(Bytes& coded, MutableBytes weights) {
  const std::uint32_t start = position_;
  while (phase_ != Phase::kEnd) {
    const std::uint32_t done = position_ - start;
    if (weights.size() - done < room_wanted() || !take(coded, bits_wanted())) break;
    taken_bits_ = 0;
    SKEP_TRY(act(taken_, weights.data() + done));
  }
  return position_ - start;
}

Status DifferenceDecoder::finish() const {
  // What is left of the last byte fills it.
  return phase_ == Phase::kEnd && byte_ == 0 ? Status::kOk : Status::kMalformed;
}

// ---- The input

std::uint32_t DifferenceDecoder::bits_wanted() const {
  switch (phase_) {
    case Phase::kFormat:
      return kFormatBits;
    case Phase::kExponent:
      return kExponentBits;
    case Phase::kWeightCount:
    case Phase::kBiasCount:
      return kCountBits;
    case Phase::kShift:
      return kShiftBits;
    case Phase::kBlock:
      return block_head_bits(residual_bits());
    case Phase::kQuotient:
      return 1;
    case Phase::kRemainder:
      return is_raw_block_ ? residual_bits() : parameter_;
    case Phase::kEnd:
      break;
  }
  return 0;
}

// Bytes of the weights that the next bits will fill.
std::uint32_t DifferenceDecoder::room_wanted() const {
  if (phase_ == Phase::kExponent) return kExponentBytes;
  return phase_ == Phase::kRemainder ? value_bytes() : 0;
}

// Whether taken_ has the next `count` ≤ 32 bits; if not, the input has ended, and they are waited
// for. What is missing is taken by the next call with the same count.
bool DifferenceDecoder::take(Bytes& coded, std::uint32_t count) {
  if (taken_bits_ == 0) taken_ = 0;
  while (taken_bits_ < count) {
    if (byte_bits_ == 0) {
      if (coded.empty()) return false;
      byte_ = coded[0];
      byte_bits_ = 8;
      coded = coded.subspan(1);
    }
    taken_ = taken_ << 1U | byte_ >> 7U;
    byte_ = static_cast<std::uint8_t>(byte_ << 1U);
    --byte_bits_;
    ++taken_bits_;
  }
  return true;
}

Status DifferenceDecoder::act(std::uint32_t bits, std::uint8_t* weights) {
  switch (phase_) {
    case Phase::kFormat:
      phase_ = Phase::kExponent;
      return bits == kDifferenceFormat ? Status::kOk : Status::kUnsupportedVersion;
    case Phase::kExponent:
      return begin_layer(bits, weights);
    case Phase::kWeightCount:
      weights_left_ = bits;
      phase_ = Phase::kBiasCount;
      return Status::kOk;
    case Phase::kBiasCount:
      biases_left_ = bits;
      return begin_tensors();
    case Phase::kShift:
      shift_ = static_cast<std::uint8_t>(bits);
      phase_ = Phase::kBlock;
      return bits < 8 * value_bytes() ? Status::kOk : Status::kMalformed;
    case Phase::kBlock:
      return begin_block(bits);
    case Phase::kQuotient:
      return extend_quotient(bits);
    case Phase::kRemainder:
      return write_value(bits, weights);
    case Phase::kEnd:
      break;
  }
  return Status::kMalformed;
}

// ---- What comes before the values

Status DifferenceDecoder::begin_layer(std::uint32_t bits, std::uint8_t* weights) {
  constexpr std::uint32_t kSign = 1U << (kExponentBits - 1);
  const int change = static_cast<int>(bits ^ kSign) - static_cast<int>(kSign);
  if (change < -kMaxExponentChange || change > kMaxExponentChange) return Status::kMalformed;
  exponent_change_ = static_cast<std::int8_t>(change);
  store_u16(weights, static_cast<std::uint16_t>(load_i16(weights) + change));
  position_ += kExponentBytes;
  phase_ = Phase::kWeightCount;
  return Status::kOk;
}

Status DifferenceDecoder::begin_tensors() {
  const std::uint32_t layer_bytes = 2 * weights_left_ + 4 * biases_left_;
  if (layer_bytes > size_ - position_) return Status::kMalformed;
  begin_tensor();
  return Status::kOk;
}

// Weights and biases are a tensor each; those without values are left out.
void DifferenceDecoder::begin_tensor() {
  has_odd_ = has_residual_ = false;
  if (weights_left_ != 0 || biases_left_ != 0) {
    phase_ = Phase::kShift;
  } else {
    phase_ = position_ == size_ ? Phase::kEnd : Phase::kExponent;
  }
}

Status DifferenceDecoder::begin_block(std::uint32_t head) {
  if (head > residual_bits()) return Status::kMalformed;
  is_zero_block_ = head == 0;
  parameter_ = static_cast<std::uint8_t>(is_zero_block_ ? 0 : head - 1);
  is_raw_block_ = !is_zero_block_ && is_raw(parameter_, residual_bits());
  const std::uint32_t left = is_in_weights() ? weights_left_ : biases_left_;
  block_count_ = block_left_ = static_cast<std::uint8_t>(std::min(kBlockValues, left));
  saved_beyond_ = saved_here_ = 0;
  quotient_ = 0;
  phase_ = first_phase_of_value();
  return Status::kOk;
}

// ---- The values

Status DifferenceDecoder::extend_quotient(std::uint32_t bit) {
  if (bit == 0) {
    phase_ = Phase::kRemainder;
    return Status::kOk;
  }
  ++quotient_;
  const std::uint32_t largest = UINT32_MAX >> (32 - residual_bits()) >> parameter_;
  // Beyond twice the number of values the parameter cannot be the best: see account().
  const bool is_possible = quotient_ <= largest && quotient_ <= 2U * block_count_;
  return is_possible ? Status::kOk : Status::kMalformed;
}

Status DifferenceDecoder::write_value(std::uint32_t remainder, std::uint8_t* weights) {
  const std::uint32_t residual = quotient_ << parameter_ | remainder;
  SKEP_TRY(account(residual));
  const auto step = static_cast<std::uint32_t>(unzigzag(residual)) << shift_;
  const std::int32_t base =
      is_in_weights() ? load_i16(weights) : static_cast<std::int32_t>(load_u32(weights));
  const std::uint32_t value = static_cast<std::uint32_t>(rescale(base, exponent_change_)) + step;
  position_ += value_bytes();
  std::uint32_t* left = &biases_left_;
  if (is_in_weights()) {
    store_u16(weights, static_cast<std::uint16_t>(value));
    left = &weights_left_;
  } else {
    store_u32(weights, value);
  }
  --*left;
  --block_left_;
  quotient_ = 0;
  phase_ = first_phase_of_value();
  if (block_left_ == 0) SKEP_TRY(end_block());
  return *left == 0 ? end_tensor() : Status::kOk;
}

// The parameter p codes n residuals u in n(p + 1) + Σ (u >> p) bits. With p + 1 it is n more, and
// Σ ⌈(u >> p) / 2⌉ fewer, which falls as p rises: the number of bits is convex in p, so that a
// parameter is the best if neither of its neighbours is better.
Status DifferenceDecoder::account(std::uint32_t residual) {
  saved_beyond_ += ((residual >> parameter_) + 1) / 2;
  if (parameter_ != 0) saved_here_ += ((residual >> (parameter_ - 1)) + 1) / 2;
  has_residual_ = has_residual_ || residual != 0;
  has_odd_ = has_odd_ || ((residual + 1) & 2U) != 0;
  return saved_beyond_ <= block_count_ ? Status::kOk : Status::kMalformed;
}

Status DifferenceDecoder::end_block() {
  phase_ = Phase::kBlock;
  if (is_zero_block_) return Status::kOk;
  // A block of zeros has a shorter code than with any parameter.
  const bool is_best = parameter_ == 0 ? saved_beyond_ != 0 : saved_here_ > block_count_;
  return is_best ? Status::kOk : Status::kMalformed;
}

// The shift is what all residuals have in common, and 0 if there are none.
Status DifferenceDecoder::end_tensor() {
  if (has_residual_ ? !has_odd_ : shift_ != 0) return Status::kMalformed;
  begin_tensor();
  return Status::kOk;
}

}  // namespace skep::wire

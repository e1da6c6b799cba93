#include "skep/observe/feature_scaler.h"

#include <algorithm>
#include <bit>

#include "skep/core/integer_math.h"
#include "skep/core/little_endian.h"

namespace skep::observe {
namespace {

constexpr std::uint8_t kStateVersion = 1;
constexpr std::uint32_t kHeaderBytes = 8;  // version, adaptation, memory, count, channels
constexpr std::uint32_t kChannelBytes = 16;

constexpr std::int64_t kMinMeanQ24 = std::int64_t{kMinReading} * (1 << 24);
constexpr std::int64_t kMaxMeanQ24 = std::int64_t{kMaxReading} * (1 << 24);
// Twice what 24-bit readings can have (half their range, squared), for the roundings.
constexpr std::uint64_t kMaxVarianceQ16 = std::uint64_t{1} << 63U;
constexpr std::uint64_t kRoundingVarianceQ16 = 65536 / 12;

std::uint64_t magnitude(std::int64_t value) {
  return value < 0 ? 0 - static_cast<std::uint64_t>(value) : static_cast<std::uint64_t>(value);
}

std::int64_t with_sign_of(std::int64_t sign, std::uint64_t magnitude) {
  const auto value = static_cast<std::int64_t>(magnitude);
  return sign < 0 ? -value : value;
}

// Halves are rounded up. Requires value + divisor / 2 < 2^64.
std::uint64_t divide_to_nearest(std::uint64_t value, std::uint64_t divisor) {
  return (value + divisor / 2) / divisor;
}

std::int64_t deviation_q24(std::int32_t reading, std::int64_t mean_q24) {
  return std::int64_t{reading} * (1 << 24) - mean_q24;
}

// |deviation| in units of 2^-8, < 2^32.
std::uint64_t deviation_q8(std::int32_t reading, std::int64_t mean_q24) {
  return (magnitude(deviation_q24(reading, mean_q24)) + (1U << 15U)) >> 16U;
}

// One step of Welford's recursion with weight 1 / count. The reading's deviations from the old and
// the new mean have the same sign, so their product needs none.
void learn_reading(ChannelMoments& moments, std::int32_t reading, std::uint32_t count) {
  const std::int64_t deviation = deviation_q24(reading, moments.mean_q24);
  const std::uint64_t before_q8 = deviation_q8(reading, moments.mean_q24);
  moments.mean_q24 += with_sign_of(deviation, divide_to_nearest(magnitude(deviation), count));
  const std::uint64_t square_q16 = before_q8 * deviation_q8(reading, moments.mean_q24);
  if (square_q16 >= moments.variance_q16) {
    const std::uint64_t rise = square_q16 - moments.variance_q16;
    moments.variance_q16 += rise / count + (rise % count >= count - count / 2 ? 1 : 0);
  } else {
    moments.variance_q16 -= divide_to_nearest(moments.variance_q16 - square_q16, count);
  }
}

// A deviation's root as mantissa * 2^-(8 + shift) with a mantissa in [2^31, 2^32).
struct Deviation {
  std::uint64_t mantissa;
  unsigned shift;
};

Deviation standard_deviation(std::uint64_t variance_q16) {
  const std::uint64_t variance = std::max(variance_q16, kRoundingVarianceQ16);
  const unsigned shift = static_cast<unsigned>(std::countl_zero(variance)) / 2;
  return {floor_sqrt(variance << (2 * shift)), shift};
}

std::int16_t standard_score(std::int32_t reading, const ChannelMoments& moments, int exponent) {
  const std::int64_t signed_deviation = deviation_q24(reading, moments.mean_q24);
  const std::uint64_t deviation = magnitude(signed_deviation);
  const Deviation divisor = standard_deviation(moments.variance_q16);
  // deviation * 2^-24 / (mantissa * 2^-(8 + shift)) in units of 2^exponent.
  const int scale = static_cast<int>(divisor.shift) - 16 - exponent;
  std::uint64_t score = INT16_MAX;
  if (scale < 0) {
    score = divide_to_nearest(deviation, divisor.mantissa << static_cast<unsigned>(-scale));
  } else if (deviation <= (std::uint64_t{1} << 62U) >> static_cast<unsigned>(scale)) {
    score = divide_to_nearest(deviation << static_cast<unsigned>(scale), divisor.mantissa);
  }  // else it is far above INT16_MAX
  return static_cast<std::int16_t>(
      with_sign_of(signed_deviation, std::min<std::uint64_t>(score, INT16_MAX)));
}

void store_u64(std::uint8_t* out, std::uint64_t value) {
  store_u32(out, static_cast<std::uint32_t>(value));
  store_u32(out + 4, static_cast<std::uint32_t>(value >> 32U));
}

std::uint64_t load_u64(const std::uint8_t* in) {
  return load_u32(in) | (std::uint64_t{load_u32(in + 4)} << 32U);
}

ChannelMoments load_moments(const std::uint8_t* in) {
  return {static_cast<std::int64_t>(load_u64(in)), load_u64(in + 8)};
}

bool are_possible(const ChannelMoments& moments) {
  return moments.mean_q24 >= kMinMeanQ24 && moments.mean_q24 <= kMaxMeanQ24 &&
         moments.variance_q16 <= kMaxVarianceQ16;
}

}  // namespace

FeatureScaler::FeatureScaler(std::span<ChannelMoments> moments, const ScalerOptions& options)
    : moments_(moments), options_(options) {
  std::ranges::fill(moments_, ChannelMoments{});
}

bool FeatureScaler::has_valid_options() const {
  return !moments_.empty() && moments_.size() <= UINT16_MAX && options_.memory >= 2 &&
         options_.memory <= kMaxMemory && options_.output_exponent >= kMinOutputExponent &&
         options_.output_exponent <= 0;
}

bool FeatureScaler::is_frame(std::span<const std::int32_t> frame) const {
  return has_valid_options() && frame.size() == moments_.size() &&
         std::ranges::all_of(frame, is_reading);
}

Status FeatureScaler::learn(std::span<const std::int32_t> frame) {
  if (!is_frame(frame)) return Status::kInvalidArgument;
  if (is_frozen()) return Status::kOk;
  if (count_ < options_.memory) ++count_;
  for (std::size_t i = 0; i < frame.size(); ++i) learn_reading(moments_[i], frame[i], count_);
  return Status::kOk;
}

Status FeatureScaler::scale(std::span<const std::int32_t> frame,
                            std::span<std::int16_t> features) const {
  if (!is_frame(frame) || features.size() != frame.size()) return Status::kInvalidArgument;
  if (!is_ready()) return Status::kNotFound;
  for (std::size_t i = 0; i < frame.size(); ++i) {
    features[i] = standard_score(frame[i], moments_[i], options_.output_exponent);
  }
  return Status::kOk;
}

std::uint32_t FeatureScaler::state_bytes() const {
  return kHeaderBytes + kChannelBytes * static_cast<std::uint32_t>(moments_.size());
}

Status FeatureScaler::save(MutableBytes out) const {
  if (out.size() != state_bytes()) return Status::kInvalidArgument;
  out[0] = kStateVersion;
  out[1] = static_cast<std::uint8_t>(options_.adaptation);
  store_u16(&out[2], options_.memory);
  store_u16(&out[4], count_);
  store_u16(&out[6], static_cast<std::uint16_t>(moments_.size()));
  std::uint8_t* at = out.data() + kHeaderBytes;
  for (const ChannelMoments& moments : moments_) {
    store_u64(at, static_cast<std::uint64_t>(moments.mean_q24));
    store_u64(at + 8, moments.variance_q16);
    at += kChannelBytes;
  }
  return Status::kOk;
}

Status FeatureScaler::restore(Bytes state) {
  if (!has_valid_options()) return Status::kInvalidArgument;
  if (state.empty()) return Status::kMalformed;
  if (state[0] != kStateVersion) return Status::kUnsupportedVersion;
  if (state.size() != state_bytes() || state[1] != static_cast<std::uint8_t>(options_.adaptation) ||
      load_u16(&state[2]) != options_.memory || load_u16(&state[4]) > options_.memory ||
      load_u16(&state[6]) != moments_.size()) {
    return Status::kMalformed;
  }
  const std::uint8_t* const first = state.data() + kHeaderBytes;
  for (std::size_t i = 0; i < moments_.size(); ++i) {
    if (!are_possible(load_moments(first + i * kChannelBytes))) return Status::kMalformed;
  }
  for (std::size_t i = 0; i < moments_.size(); ++i) {
    moments_[i] = load_moments(first + i * kChannelBytes);
  }
  count_ = load_u16(&state[4]);
  return Status::kOk;
}

}  // namespace skep::observe

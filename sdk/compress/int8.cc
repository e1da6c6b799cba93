// Dense int8: all elements, each rounded up with the probability of its fraction, so that the mean
// over many roundings is the element (QSGD, Alistarh et al. 2017, section 3).
#include <algorithm>
#include <cstdint>

#include "encoders.h"
#include "skep/core/prng.h"
#include "top_k.h"

namespace skep::compress {
namespace {

constexpr std::uint32_t kMaxCode = 127;

/// The smallest step of 16 bits of which 127 reach `largest` ≥ 1 units of 2^exponent.
Scale step_for(std::uint32_t largest, int exponent) {
  Scale step{((largest << 16) + kMaxCode - 1) / kMaxCode, exponent - 16};
  while (step.mantissa > UINT16_MAX || step.exponent < kMinDeltaExponent) {
    step.mantissa = (step.mantissa + 1) >> 1;
    ++step.exponent;
  }
  return step;
}

}  // namespace

Result<std::size_t> encode_int8(const Delta& delta, const Options& options, MutableBytes out) {
  const std::size_t size_bytes = kScaledHeaderBytes + delta.values.size();
  if (size_bytes > out.size()) return Status::kNoMemory;
  std::uint32_t largest = 0;
  for (const std::int16_t value : delta.values) largest = std::max(largest, magnitude_of(value));
  // Of zeros any step will do.
  const Scale step = step_for(std::max<std::uint32_t>(largest, 1), delta.exponent);
  const auto shift = static_cast<std::uint32_t>(delta.exponent - step.exponent);  // 0 … 16

  Xorshift32 random(mix_seed(options.seed, kRoundingSalt));
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < delta.values.size(); ++i) {
    const std::uint32_t magnitude = magnitude_of(delta.values[i]) << shift;
    const std::uint32_t rest = magnitude % step.mantissa;
    const auto threshold =
        static_cast<std::uint32_t>((std::uint64_t{random.next()} * step.mantissa) >> 32);
    const std::uint32_t code = magnitude / step.mantissa + (threshold < rest ? 1 : 0);
    out[kScaledHeaderBytes + i] = static_cast<std::uint8_t>(delta.values[i] < 0 ? 0U - code : code);
    sum += code * code;
  }
  write_scaled_header(out.first(size_bytes), options, step, sum);
  return size_bytes;
}

}  // namespace skep::compress

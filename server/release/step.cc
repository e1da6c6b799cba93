#include "skep/release/step.h"

#include <algorithm>
#include <limits>

#include "layer_counts.h"
#include "skep/core/little_endian.h"
#include "skep/learn/memory_plan.h"

namespace skep::release {
namespace {

std::int32_t load_value(Bytes blob, std::size_t at, std::uint32_t bytes) {
  return bytes == 2 ? static_cast<std::int16_t>(load_u16(&blob[at]))
                    : static_cast<std::int32_t>(load_u32(&blob[at]));
}

[[noreturn]] void refuse() {
  throw ReleaseError(Status::kInvalidArgument, "there is no such step between these models");
}

// To nearest, ties to even.
std::int64_t round_shift(std::int64_t value, std::uint32_t shift) {
  if (shift == 0) return value;
  const std::int64_t floor = value >> shift;
  const std::int64_t rest = value - (floor << shift);
  const std::int64_t half = std::int64_t{1} << (shift - 1);
  const bool is_up = rest > half || (rest == half && (floor & 1) != 0);
  return floor + (is_up ? 1 : 0);
}

/// The weights or the biases of a layer: `count` values of `bytes` bytes from `at` on.
struct Tensor {
  std::size_t at;
  std::uint32_t count;
  std::uint32_t bytes;
  int exponent_change;
};

std::int64_t predicted(const Tensor& tensor, Bytes base, std::uint32_t index) {
  const std::int32_t value = wire::rescale(
      load_value(base, tensor.at + index * tensor.bytes, tensor.bytes), tensor.exponent_change);
  return tensor.bytes == 2 ? static_cast<std::int16_t>(value) : value;
}

void quantise(const Tensor& tensor, Bytes base, std::vector<std::uint8_t>& weights,
              std::uint32_t bits) {
  const auto step = [&](std::uint32_t index) {
    return load_value(weights, tensor.at + index * tensor.bytes, tensor.bytes) -
           predicted(tensor, base, index);
  };
  std::int64_t highest = 0;
  std::int64_t lowest = 0;
  for (std::uint32_t i = 0; i < tensor.count; ++i) {
    highest = std::max(highest, step(i));
    lowest = std::min(lowest, step(i));
  }
  const std::int64_t largest = (std::int64_t{1} << (bits - 1)) - 1;
  std::uint32_t shift = 0;
  while (round_shift(highest, shift) > largest || round_shift(lowest, shift) < -largest) ++shift;

  const std::int64_t unit = std::int64_t{1} << shift;
  const std::int64_t type_max = tensor.bytes == 2
                                    ? std::numeric_limits<std::int16_t>::max()
                                    : std::int64_t{std::numeric_limits<std::int32_t>::max()};
  for (std::uint32_t i = 0; i < tensor.count; ++i) {
    std::int64_t value = predicted(tensor, base, i) + round_shift(step(i), shift) * unit;
    if (value > type_max) value -= unit;
    if (value < -type_max - 1) value += unit;
    std::uint8_t* out = &weights[tensor.at + i * tensor.bytes];
    if (tensor.bytes == 2) {
      store_u16(out, static_cast<std::uint16_t>(value));
    } else {
      store_u32(out, static_cast<std::uint32_t>(value));
    }
  }
}

}  // namespace

std::vector<std::uint8_t> quantise_step(const ModelSpec& spec, Bytes base, Bytes weights,
                                        std::uint32_t bits) {
  const auto plan = learn::plan_memory(spec);
  if (!plan.ok() || bits < kMinStepBits || bits > kMaxStepBits ||
      base.size() != plan->weights_blob_bytes || weights.size() != base.size()) {
    refuse();
  }
  std::vector<std::uint8_t> result(weights.begin(), weights.end());
  std::size_t at = 0;
  for (const wire::LayerCounts& layer : layer_counts(spec)) {
    const int change = load_value(weights, at, 2) - load_value(base, at, 2);
    if (change < -wire::kMaxExponentChange || change > wire::kMaxExponentChange) refuse();
    const Tensor tensor{
        .at = at + 2, .count = layer.weights, .bytes = 2, .exponent_change = change};
    const Tensor biases{.at = at + 2 + 2 * std::size_t{layer.weights},
                        .count = layer.biases,
                        .bytes = 4,
                        .exponent_change = change};
    quantise(tensor, base, result, bits);
    quantise(biases, base, result, bits);
    at = biases.at + 4 * std::size_t{layer.biases};
  }
  return result;
}

}  // namespace skep::release

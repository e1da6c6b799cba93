#include "pooling.h"

#include <algorithm>

#include "activation.h"
#include "fixed_point.h"
#include "normalize.h"

namespace skep::learn::internal {
namespace {

// Fraction bits of a mean in the stage.
constexpr int kMeanFractionBits = 15;

// A global pool is one whose window is the whole input.
Window window_of(const FusedLayer& layer, Shape& extent) {
  extent = {layer.window.height, layer.window.width, 1};
  if (layer.kind == LayerKind::kGlobalAveragePool) extent = layer.input;
  return layer.window;
}

/// The inputs that one output sees, as offsets into one channel's plane.
class PoolWindow {
 public:
  explicit PoolWindow(const FusedLayer& layer)
      : layer_(layer), window_(window_of(layer, extent_)) {}

  [[nodiscard]] std::uint32_t size() const { return extent_.positions(); }

  /// Calls visit(index of an input) for each that output (oy, ox, c) sees.
  template <typename Visitor>
  void for_each(std::uint32_t oy, std::uint32_t ox, std::uint32_t c, Visitor visit) const {
    const std::uint32_t channels = layer_.input.channels;
    const std::uint32_t y0 = oy * window_.stride_height;
    const std::uint32_t x0 = ox * window_.stride_width;
    for (std::uint32_t y = y0; y < y0 + extent_.height; ++y) {
      std::uint32_t index = (y * layer_.input.width + x0) * channels + c;
      for (std::uint32_t x = 0; x < extent_.width; ++x, index += channels) visit(index);
    }
  }

 private:
  const FusedLayer& layer_;
  Shape extent_;
  Window window_;
};

/// Calls visit(oy, ox, c, index of the output) for each output in order.
template <typename Visitor>
void for_each_output(const Shape& shape, Visitor visit) {
  std::uint32_t index = 0;
  for (std::uint32_t y = 0; y < shape.height; ++y) {
    for (std::uint32_t x = 0; x < shape.width; ++x) {
      for (std::uint32_t c = 0; c < shape.channels; ++c) visit(y, x, c, index++);
    }
  }
}

/// 1 / n as factor * 2^-shift with 31 significant bits.
struct Reciprocal {
  explicit Reciprocal(std::uint32_t n)
      : shift(30 + ceil_log2(n)),
        factor(static_cast<std::int64_t>(((std::uint64_t{1} << shift) + n / 2) / n)) {}
  int shift;
  std::int64_t factor;  // 2^30 … 2^31
};

std::uint32_t index_of_largest(const PoolWindow& window, const std::int16_t* input,
                               std::uint32_t oy, std::uint32_t ox, std::uint32_t c) {
  std::int32_t largest = INT32_MIN;
  std::uint32_t at = 0;
  window.for_each(oy, ox, c, [&](std::uint32_t index) {
    if (input[index] > largest) {
      largest = input[index];
      at = index;
    }
  });
  return at;
}

// How many outputs may see the same input, as a power of two.
int overlap_log2(const FusedLayer& layer) {
  if (layer.kind == LayerKind::kGlobalAveragePool) return 0;
  const Window& window = layer.window;
  const auto along = [](std::uint32_t kernel, std::uint32_t stride) {
    return (kernel + stride - 1) / stride;
  };
  return ceil_log2(along(window.height, window.stride_height) *
                   along(window.width, window.stride_width));
}

}  // namespace

int run_pool(const BoundLayer& layer, const Vector& input) {
  auto* const staged = layer.scratch_at<std::int32_t>(0);
  const PoolWindow window(layer.plan);
  int exponent = input.exponent;
  if (layer.plan.kind == LayerKind::kMaxPool) {
    for_each_output(layer.plan.output,
                    [&](std::uint32_t y, std::uint32_t x, std::uint32_t c, std::uint32_t index) {
                      staged[index] = input.values[index_of_largest(window, input.values, y, x, c)];
                    });
  } else {
    const Reciprocal reciprocal(window.size());
    exponent -= kMeanFractionBits;
    for_each_output(layer.plan.output,
                    [&](std::uint32_t y, std::uint32_t x, std::uint32_t c, std::uint32_t index) {
                      std::int64_t sum = 0;
                      window.for_each(y, x, c, [&](std::uint32_t at) { sum += input.values[at]; });
                      staged[index] = static_cast<std::int32_t>(
                          scale(sum * reciprocal.factor, kMeanFractionBits - reciprocal.shift));
                    });
  }
  activate_sums(staged, layer.output_count(), layer.plan.activation, layer.plan.negative_slope_q15);
  exponent =
      normalize(staged, layer.output_count(), exponent, kMinActivationExponent, layer.output);
  return activate_outputs(layer.output, layer.output_count(), exponent, layer.plan.activation);
}

int propagate_pool(const BoundLayer& layer, const Vector& input, const Deltas& deltas,
                   std::int32_t* gradient) {
  std::fill_n(gradient, layer.input_count(), 0);
  const PoolWindow window(layer.plan);
  if (layer.plan.kind == LayerKind::kMaxPool) {
    // At most 255 * 255 windows meet in one input: their sum fits.
    for_each_output(layer.plan.output, [&](std::uint32_t y, std::uint32_t x, std::uint32_t c,
                                           std::uint32_t index) {
      gradient[index_of_largest(window, input.values, y, x, c)] += deltas.values[index];
    });
    return deltas.exponent;
  }
  const Reciprocal reciprocal(window.size());
  const int fraction_bits = kMeanFractionBits - overlap_log2(layer.plan);
  for_each_output(layer.plan.output, [&](std::uint32_t y, std::uint32_t x, std::uint32_t c,
                                         std::uint32_t index) {
    const auto share = static_cast<std::int32_t>(
        scale(deltas.values[index] * reciprocal.factor, fraction_bits - reciprocal.shift));
    window.for_each(y, x, c, [&](std::uint32_t at) { gradient[at] += share; });
  });
  return deltas.exponent - fraction_bits;
}

}  // namespace skep::learn::internal

#include "pooling.h"

#include <algorithm>

#include "fixed_point.h"
#include "staging.h"

namespace skep::learn::internal {
namespace {

// Fraction bits of a mean in the stage.
constexpr int kMeanFractionBits = 15;

// Significant bits of 1 / n.
constexpr int kReciprocalBits = 31;

// A global pool is one whose window is the whole input.
Window window_of(const FusedLayer& layer, Shape& extent) {
  extent = {layer.window.height, layer.window.width, 1};
  if (layer.kind == LayerKind::kGlobalAveragePool) extent = layer.input;
  return layer.window;
}

/// The windows of a pool and the inputs in them.
class PoolWindows {
 public:
  explicit PoolWindows(const FusedLayer& layer)
      : layer_(layer), window_(window_of(layer, extent_)) {}

  /// Inputs that one output sees.
  [[nodiscard]] std::uint32_t size() const { return extent_.positions(); }

  /// Elements from an input to the next of its channel, in a row and from row to row.
  [[nodiscard]] std::uint32_t channels() const { return layer_.input.channels; }
  [[nodiscard]] std::uint32_t row() const { return layer_.input.width * channels(); }

  /// Calls visit(index of the first input in its first channel, number of the window) for each
  /// window in order.
  template <typename Visitor>
  void for_each(Visitor visit) const {
    std::uint32_t number = 0;
    for (std::uint32_t y = 0; y < layer_.output.height; ++y) {
      std::uint32_t first = y * window_.stride_height * row();
      for (std::uint32_t x = 0; x < layer_.output.width; ++x) {
        visit(first, number++);
        first += window_.stride_width * channels();
      }
    }
  }

  /// Calls visit(index) for each input of the window that begins at `first`.
  template <typename Visitor>
  void for_each_input(std::uint32_t first, Visitor visit) const {
    const std::uint32_t length = extent_.width * channels();
    for (std::uint32_t y = 0; y < extent_.height; ++y, first += row()) {
      for (std::uint32_t at = first; at != first + length; at += channels()) visit(at);
    }
  }

 private:
  const FusedLayer& layer_;
  Shape extent_;
  Window window_;
};

// The two loops over channels are apart from the others for the sake of registers.

[[gnu::noinline]] void copy(const std::int16_t* inputs, std::uint32_t n, std::int32_t* staged) {
  for (std::uint32_t c = 0; c < n; ++c) staged[c] = inputs[c];
}

template <typename Combine>
[[gnu::noinline]] void combine(const std::int16_t* inputs, std::uint32_t n, std::int32_t* staged) {
  for (std::uint32_t c = 0; c < n; ++c) staged[c] = Combine()(staged[c], inputs[c]);
}

struct Maximum {
  std::int32_t operator()(std::int32_t largest, std::int32_t value) const {
    return std::max(largest, value);
  }
};

struct Sum {
  std::int32_t operator()(std::int32_t sum, std::int32_t value) const { return sum + value; }
};

/// Combines the inputs of each window, channel by channel, and stages finish(all of them). Returns
/// the outputs' magnitude_bits().
template <typename Combine, typename Finish>
std::uint32_t reduce(const BoundLayer& layer, const PoolWindows& windows, const std::int16_t* input,
                     std::int32_t* staged, Finish finish) {
  const std::uint32_t channels = windows.channels();
  std::uint32_t bits = 0;
  windows.for_each([&](std::uint32_t first, std::uint32_t) {
    windows.for_each_input(first, [&](std::uint32_t at) {
      if (at == first) {
        copy(input + at, channels, staged);
      } else {
        combine<Combine>(input + at, channels, staged);
      }
    });
    bits |= stage(layer, channels, staged, [=](std::uint32_t c) { return finish(staged[c]); });
    staged += channels;
  });
  return bits;
}

std::uint32_t index_of_largest(const PoolWindows& windows, const std::int16_t* input,
                               std::uint32_t first) {
  std::int32_t largest = input[first];
  std::uint32_t index = first;
  windows.for_each_input(first, [&](std::uint32_t at) {
    if (input[at] > largest) {
      largest = input[at];
      index = at;
    }
  });
  return index;
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
  const PoolWindows windows(layer.plan);
  if (layer.plan.kind == LayerKind::kMaxPool) {
    const std::uint32_t bits = reduce<Maximum>(layer, windows, input.values, staged,
                                               [](std::int32_t largest) { return largest; });
    return finish_stage(layer, staged, bits, input.exponent);
  }
  const Reciprocal reciprocal(windows.size(), kReciprocalBits);
  const int shift = reciprocal.shift - kMeanFractionBits;
  const std::int64_t factor = reciprocal.factor;
  // A sum of at most kMaxLayerWidth inputs fits.
  const std::uint32_t bits =
      reduce<Sum>(layer, windows, input.values, staged,
                  [=](std::int32_t sum) { return round_shift(sum * factor, shift); });
  return finish_stage(layer, staged, bits, input.exponent - kMeanFractionBits);
}

int propagate_pool(const BoundLayer& layer, const Vector& input, const Deltas& deltas,
                   std::int32_t* gradient) {
  std::fill_n(gradient, layer.input_count(), 0);
  const PoolWindows windows(layer.plan);
  const std::uint32_t channels = windows.channels();
  if (layer.plan.kind == LayerKind::kMaxPool) {
    // At most 255 * 255 windows meet in one input: their sum fits.
    windows.for_each([&](std::uint32_t first, std::uint32_t number) {
      const std::int16_t* const own = deltas.values + number * channels;
      for (std::uint32_t c = 0; c < channels; ++c) {
        gradient[index_of_largest(windows, input.values, first + c)] += own[c];
      }
    });
    return deltas.exponent;
  }
  const Reciprocal reciprocal(windows.size(), kReciprocalBits);
  const int fraction_bits = kMeanFractionBits - overlap_log2(layer.plan);
  windows.for_each([&](std::uint32_t first, std::uint32_t number) {
    const std::int16_t* const own = deltas.values + number * channels;
    for (std::uint32_t c = 0; c < channels; ++c) {
      const auto share = static_cast<std::int32_t>(
          scale(own[c] * reciprocal.factor, fraction_bits - reciprocal.shift));
      windows.for_each_input(first + c, [&](std::uint32_t at) { gradient[at] += share; });
    }
  });
  return deltas.exponent - fraction_bits;
}

}  // namespace skep::learn::internal

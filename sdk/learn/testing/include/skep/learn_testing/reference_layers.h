// What each kind of layer and each loss computes, forward and backward, as loops written from the
// definitions in skep/model_spec.h: what the integer engine is measured against.
//
// Scalar is float, double, or a type with an error bound (bounded.h). No heap, no exceptions, so
// that a board can run the float32 peer of the engine. Vectors are stored as the engine's are,
// [height][width][channels]; weights as LayerKind says. Sizes are the caller's business.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>

#include "skep/learn/layers.h"
#include "skep/model_spec.h"

namespace skep::learn_testing {

using learn::Activation;
using learn::FusedLayer;

// ---- windows

/// A stretch of kernel taps, side by side in one row of the kernel, that lie within the input.
struct TapRun {
  std::uint32_t first_tap;    ///< row of the kernel * its width + column
  std::uint32_t first_input;  ///< position of the input that the first tap meets
  std::uint32_t taps;
};

namespace internal {

struct Kernel {
  int height, width, stride_height, stride_width, pad_top, pad_left;
};

// A global pool is a pool with one window as large as its input.
inline Kernel kernel_of(const FusedLayer& layer) {
  if (layer.kind == LayerKind::kGlobalAveragePool) {
    return {layer.input.height, layer.input.width, 1, 1, 0, 0};
  }
  const Window& window = layer.window;
  return {window.height,       window.width,   window.stride_height,
          window.stride_width, window.pad_top, window.pad_left};
}

}  // namespace internal

/// Calls visit(run) for each row of the kernel at the output's position `place`, from top to
/// bottom. Taps on the padding are in no run.
template <typename Visit>
void for_each_run(const FusedLayer& layer, std::uint32_t place, Visit visit) {
  const internal::Kernel kernel = internal::kernel_of(layer);
  const int width = layer.input.width;
  const int top =
      static_cast<int>(place) / layer.output.width * kernel.stride_height - kernel.pad_top;
  const int left =
      static_cast<int>(place) % layer.output.width * kernel.stride_width - kernel.pad_left;
  const int begin = std::max(0, -left);
  const int end = std::min(kernel.width, width - left);
  for (int row = std::max(0, -top); row < std::min(kernel.height, layer.input.height - top);
       ++row) {
    if (begin >= end) return;
    visit(TapRun{static_cast<std::uint32_t>(row * kernel.width + begin),
                 static_cast<std::uint32_t>((top + row) * width + left + begin),
                 static_cast<std::uint32_t>(end - begin)});
  }
}

/// Inputs of one window of a pool, which has no padding.
inline std::uint32_t pool_size(const FusedLayer& layer) {
  const internal::Kernel kernel = internal::kernel_of(layer);
  return static_cast<std::uint32_t>(kernel.height * kernel.width);
}

// ---- forward, before the activation

namespace internal {

template <typename Scalar>
void dense(const FusedLayer& layer, const Scalar* weights, const Scalar* biases, const Scalar* x,
           Scalar* y) {
  const std::uint32_t inputs = layer.input.channels;
  for (std::uint32_t j = 0; j < layer.output.channels; ++j, weights += inputs) {
    Scalar sum = biases[j];
    for (std::uint32_t i = 0; i < inputs; ++i) sum += weights[i] * x[i];
    y[j] = sum;
  }
}

template <typename Scalar>
void conv(const FusedLayer& layer, const Scalar* weights, const Scalar* biases, const Scalar* x,
          Scalar* y) {
  const std::uint32_t channels = layer.output.channels;
  const std::uint32_t inputs = layer.input.channels;
  for (std::uint32_t place = 0; place < layer.output.positions(); ++place, y += channels) {
    std::copy_n(biases, channels, y);
    for_each_run(layer, place, [&](const TapRun& run) {
      const Scalar* const seen = x + std::size_t{run.first_input} * inputs;
      const Scalar* w = weights + std::size_t{run.first_tap} * inputs;
      for (std::uint32_t j = 0; j < channels; ++j, w += layer.fan_in) {
        Scalar sum = y[j];
        for (std::uint32_t i = 0; i < run.taps * inputs; ++i) sum += w[i] * seen[i];
        y[j] = sum;
      }
    });
  }
}

template <typename Scalar>
void depthwise_conv(const FusedLayer& layer, const Scalar* weights, const Scalar* biases,
                    const Scalar* x, Scalar* y) {
  const std::uint32_t channels = layer.output.channels;
  for (std::uint32_t place = 0; place < layer.output.positions(); ++place, y += channels) {
    std::copy_n(biases, channels, y);
    for_each_run(layer, place, [&](const TapRun& run) {
      const Scalar* seen = x + std::size_t{run.first_input} * channels;
      const Scalar* w = weights + std::size_t{run.first_tap} * channels;
      for (std::uint32_t t = 0; t < run.taps; ++t, seen += channels, w += channels) {
        for (std::uint32_t c = 0; c < channels; ++c) y[c] += w[c] * seen[c];
      }
    });
  }
}

template <typename Scalar>
void average_pool(const FusedLayer& layer, const Scalar* x, Scalar* y) {
  const std::uint32_t channels = layer.output.channels;
  const Scalar share = Scalar{1} / static_cast<Scalar>(pool_size(layer));
  for (std::uint32_t place = 0; place < layer.output.positions(); ++place, y += channels) {
    std::fill_n(y, channels, Scalar{0});
    for_each_run(layer, place, [&](const TapRun& run) {
      const Scalar* seen = x + std::size_t{run.first_input} * channels;
      for (std::uint32_t t = 0; t < run.taps; ++t, seen += channels) {
        for (std::uint32_t c = 0; c < channels; ++c) y[c] += seen[c];
      }
    });
    for (std::uint32_t c = 0; c < channels; ++c) y[c] = y[c] * share;
  }
}

template <typename Scalar>
void max_pool(const FusedLayer& layer, const Scalar* x, Scalar* y) {
  using std::max;
  const std::uint32_t channels = layer.output.channels;
  for (std::uint32_t place = 0; place < layer.output.positions(); ++place, y += channels) {
    for_each_run(layer, place, [&](const TapRun& run) {
      const Scalar* seen = x + std::size_t{run.first_input} * channels;
      for (std::uint32_t t = 0; t < run.taps; ++t, seen += channels) {
        for (std::uint32_t c = 0; c < channels; ++c) {
          y[c] = run.first_tap + t == 0 ? seen[c] : max(y[c], seen[c]);
        }
      }
    });
  }
}

}  // namespace internal

/// y from x, without the activation. `weights` and `biases` are not looked at by pools.
template <typename Scalar>
void compute_sums(const FusedLayer& layer, const Scalar* weights, const Scalar* biases,
                  const Scalar* x, Scalar* y) {
  switch (layer.kind) {
    case LayerKind::kDense:
      return internal::dense(layer, weights, biases, x, y);
    case LayerKind::kConv:
      return internal::conv(layer, weights, biases, x, y);
    case LayerKind::kDepthwiseConv:
      return internal::depthwise_conv(layer, weights, biases, x, y);
    case LayerKind::kMaxPool:
      return internal::max_pool(layer, x, y);
    case LayerKind::kAveragePool:
    case LayerKind::kGlobalAveragePool:
      return internal::average_pool(layer, x, y);
    default:
      return;  // Activations and Flatten are no layers of their own.
  }
}

// ---- activations

template <typename Scalar>
Scalar slope_of(const FusedLayer& layer) {
  return static_cast<Scalar>(layer.negative_slope_q15) / static_cast<Scalar>(1 << 15);
}

template <typename Scalar>
Scalar activate(const FusedLayer& layer, Scalar x) {
  switch (layer.activation) {
    case Activation::kNone:
      return x;
    case Activation::kRelu:
      return x > 0 ? x : Scalar{0};
    case Activation::kLeakyRelu:
      return x >= 0 ? x : x * slope_of<Scalar>(layer);
    case Activation::kSigmoid:
      return 1 / (1 + std::exp(-x));
    case Activation::kTanh:
      return std::tanh(x);
  }
  return x;
}

/// The derivative of the activation where its output is y. At the kink of a ReLU it is 0, of a
/// leaky one 1.
template <typename Scalar>
Scalar derivative(const FusedLayer& layer, Scalar y) {
  switch (layer.activation) {
    case Activation::kNone:
      return 1;
    case Activation::kRelu:
      return y > 0 ? Scalar{1} : Scalar{0};
    case Activation::kLeakyRelu:
      return y < 0 ? slope_of<Scalar>(layer) : Scalar{1};
    case Activation::kSigmoid:
      return y * (1 - y);
    case Activation::kTanh:
      return 1 - y * y;
  }
  return 1;
}

// ---- backward; `deltas` is the gradient by the sums, that is, before the activation

namespace internal {

template <typename Scalar>
void conv_parameter_gradient(const FusedLayer& layer, const Scalar* x, const Scalar* deltas,
                             Scalar* weights, Scalar* biases) {
  const std::uint32_t channels = layer.output.channels;
  const std::uint32_t inputs = layer.input.channels;
  std::fill_n(weights, layer.weight_count, Scalar{0});
  std::fill_n(biases, layer.bias_count, Scalar{0});
  for (std::uint32_t place = 0; place < layer.output.positions(); ++place, deltas += channels) {
    for (std::uint32_t j = 0; j < channels; ++j) biases[j] += deltas[j];
    for_each_run(layer, place, [&](const TapRun& run) {
      const Scalar* const seen = x + std::size_t{run.first_input} * inputs;
      Scalar* gradient = weights + std::size_t{run.first_tap} * inputs;
      for (std::uint32_t j = 0; j < channels; ++j, gradient += layer.fan_in) {
        const Scalar delta = deltas[j];
        for (std::uint32_t i = 0; i < run.taps * inputs; ++i) gradient[i] += delta * seen[i];
      }
    });
  }
}

template <typename Scalar>
void depthwise_parameter_gradient(const FusedLayer& layer, const Scalar* x, const Scalar* deltas,
                                  Scalar* weights, Scalar* biases) {
  const std::uint32_t channels = layer.output.channels;
  std::fill_n(weights, layer.weight_count, Scalar{0});
  std::fill_n(biases, layer.bias_count, Scalar{0});
  for (std::uint32_t place = 0; place < layer.output.positions(); ++place, deltas += channels) {
    for (std::uint32_t c = 0; c < channels; ++c) biases[c] += deltas[c];
    for_each_run(layer, place, [&](const TapRun& run) {
      const Scalar* seen = x + std::size_t{run.first_input} * channels;
      Scalar* gradient = weights + std::size_t{run.first_tap} * channels;
      for (std::uint32_t t = 0; t < run.taps; ++t, seen += channels, gradient += channels) {
        for (std::uint32_t c = 0; c < channels; ++c) gradient[c] += deltas[c] * seen[c];
      }
    });
  }
}

template <typename Scalar>
void conv_input_gradient(const FusedLayer& layer, const Scalar* weights, const Scalar* deltas,
                         Scalar* gradient) {
  const std::uint32_t channels = layer.output.channels;
  const std::uint32_t inputs = layer.input.channels;
  for (std::uint32_t place = 0; place < layer.output.positions(); ++place, deltas += channels) {
    for_each_run(layer, place, [&](const TapRun& run) {
      Scalar* const seen = gradient + std::size_t{run.first_input} * inputs;
      const Scalar* w = weights + std::size_t{run.first_tap} * inputs;
      for (std::uint32_t j = 0; j < channels; ++j, w += layer.fan_in) {
        const Scalar delta = deltas[j];
        for (std::uint32_t i = 0; i < run.taps * inputs; ++i) seen[i] += delta * w[i];
      }
    });
  }
}

template <typename Scalar>
void depthwise_input_gradient(const FusedLayer& layer, const Scalar* weights, const Scalar* deltas,
                              Scalar* gradient) {
  const std::uint32_t channels = layer.output.channels;
  for (std::uint32_t place = 0; place < layer.output.positions(); ++place, deltas += channels) {
    for_each_run(layer, place, [&](const TapRun& run) {
      Scalar* seen = gradient + std::size_t{run.first_input} * channels;
      const Scalar* w = weights + std::size_t{run.first_tap} * channels;
      for (std::uint32_t t = 0; t < run.taps; ++t, seen += channels, w += channels) {
        for (std::uint32_t c = 0; c < channels; ++c) seen[c] += deltas[c] * w[c];
      }
    });
  }
}

template <typename Scalar>
void average_pool_input_gradient(const FusedLayer& layer, const Scalar* deltas, Scalar* gradient) {
  const std::uint32_t channels = layer.output.channels;
  const Scalar share = Scalar{1} / static_cast<Scalar>(pool_size(layer));
  for (std::uint32_t place = 0; place < layer.output.positions(); ++place, deltas += channels) {
    for_each_run(layer, place, [&](const TapRun& run) {
      Scalar* seen = gradient + std::size_t{run.first_input} * channels;
      for (std::uint32_t t = 0; t < run.taps; ++t, seen += channels) {
        for (std::uint32_t c = 0; c < channels; ++c) seen[c] += deltas[c] * share;
      }
    });
  }
}

// The first of the largest inputs of a window gets the window's gradient.
template <typename Scalar>
void max_pool_input_gradient(const FusedLayer& layer, const Scalar* x, const Scalar* deltas,
                             Scalar* gradient) {
  const std::uint32_t channels = layer.output.channels;
  for (std::uint32_t place = 0; place < layer.output.positions(); ++place, deltas += channels) {
    for (std::uint32_t c = 0; c < channels; ++c) {
      std::size_t winner = 0;
      for_each_run(layer, place, [&](const TapRun& run) {
        for (std::uint32_t t = 0; t < run.taps; ++t) {
          const std::size_t at = (std::size_t{run.first_input} + t) * channels + c;
          if (run.first_tap + t == 0 || x[at] > x[winner]) winner = at;
        }
      });
      gradient[winner] += deltas[c];
    }
  }
}

}  // namespace internal

/// The gradient by a layer's weights and biases, for the input x. Only layers with parameters.
template <typename Scalar>
void parameter_gradient(const FusedLayer& layer, const Scalar* x, const Scalar* deltas,
                        Scalar* weights, Scalar* biases) {
  if (layer.kind == LayerKind::kConv) {
    return internal::conv_parameter_gradient(layer, x, deltas, weights, biases);
  }
  if (layer.kind == LayerKind::kDepthwiseConv) {
    return internal::depthwise_parameter_gradient(layer, x, deltas, weights, biases);
  }
  const std::uint32_t inputs = layer.input.channels;
  for (std::uint32_t j = 0; j < layer.output.channels; ++j, weights += inputs) {
    for (std::uint32_t i = 0; i < inputs; ++i) weights[i] = deltas[j] * x[i];
    biases[j] = deltas[j];
  }
}

/// The gradient by a layer's input x.
template <typename Scalar>
void input_gradient(const FusedLayer& layer, const Scalar* weights, const Scalar* x,
                    const Scalar* deltas, Scalar* gradient) {
  std::fill_n(gradient, layer.input.size(), Scalar{0});
  switch (layer.kind) {
    case LayerKind::kDense:
      for (std::uint32_t j = 0; j < layer.output.channels; ++j, weights += layer.input.channels) {
        for (std::uint32_t i = 0; i < layer.input.channels; ++i) {
          gradient[i] += deltas[j] * weights[i];
        }
      }
      return;
    case LayerKind::kConv:
      return internal::conv_input_gradient(layer, weights, deltas, gradient);
    case LayerKind::kDepthwiseConv:
      return internal::depthwise_input_gradient(layer, weights, deltas, gradient);
    case LayerKind::kMaxPool:
      return internal::max_pool_input_gradient(layer, x, deltas, gradient);
    case LayerKind::kAveragePool:
    case LayerKind::kGlobalAveragePool:
      return internal::average_pool_input_gradient(layer, deltas, gradient);
    default:
      return;
  }
}

// ---- losses

/// The loss of outputs y for a sample and its label; cross-entropies in nats.
template <typename Scalar>
Scalar loss_of(Loss loss, std::span<const Scalar> y, std::span<const Scalar> sample,
               std::uint16_t label) {
  const auto count = static_cast<Scalar>(y.size());
  Scalar sum = 0;
  switch (loss) {
    case Loss::kSoftmaxCrossEntropy: {
      const Scalar top = *std::max_element(y.begin(), y.end());
      for (const Scalar logit : y) sum += std::exp(logit - top);
      return std::log(sum) + top - y[label];
    }
    case Loss::kMeanSquaredError:
      for (std::size_t i = 0; i < y.size(); ++i) sum += (y[i] - sample[i]) * (y[i] - sample[i]);
      return sum / count;
    case Loss::kBinaryCrossEntropy:
      for (std::size_t i = 0; i < y.size(); ++i) {
        const Scalar target = (label >> i & 1) != 0 ? 1 : 0;
        // ln(1 + e^y) − target * y, without overflow.
        sum += std::max(y[i], Scalar{0}) + std::log1p(std::exp(-std::abs(y[i]))) - target * y[i];
      }
      return sum / count;
  }
  return sum;
}

/// The gradient of that loss by the outputs.
template <typename Scalar>
void loss_gradient(Loss loss, std::span<const Scalar> y, std::span<const Scalar> sample,
                   std::uint16_t label, Scalar* gradient) {
  const auto count = static_cast<Scalar>(y.size());
  switch (loss) {
    case Loss::kSoftmaxCrossEntropy: {
      const Scalar top = *std::max_element(y.begin(), y.end());
      Scalar sum = 0;
      for (std::size_t i = 0; i < y.size(); ++i) sum += gradient[i] = std::exp(y[i] - top);
      for (std::size_t i = 0; i < y.size(); ++i) gradient[i] /= sum;
      gradient[label] -= 1;
      return;
    }
    case Loss::kMeanSquaredError:
      for (std::size_t i = 0; i < y.size(); ++i) gradient[i] = 2 * (y[i] - sample[i]) / count;
      return;
    case Loss::kBinaryCrossEntropy:
      for (std::size_t i = 0; i < y.size(); ++i) {
        const Scalar target = (label >> i & 1) != 0 ? 1 : 0;
        gradient[i] = (1 / (1 + std::exp(-y[i])) - target) / count;
      }
      return;
  }
}

/// What outputs say: the index of the largest, or one bit each where it is above 0.
template <typename Scalar>
std::uint16_t predicted_class(Loss loss, std::span<const Scalar> y) {
  if (loss != Loss::kBinaryCrossEntropy) {
    return static_cast<std::uint16_t>(std::max_element(y.begin(), y.end()) - y.begin());
  }
  std::uint32_t bits = 0;
  for (std::size_t i = 0; i < y.size(); ++i) bits |= (y[i] > 0 ? 1U : 0U) << i;
  return static_cast<std::uint16_t>(bits);
}

}  // namespace skep::learn_testing

#include "convolution.h"

#include <algorithm>
#include <cstring>

#include "activation.h"
#include "convolution_geometry.h"
#include "fixed_point.h"
#include "kernels.h"
#include "normalize.h"
#include "skep/learn/memory_plan.h"

namespace skep::learn::internal {
namespace {

// A bias takes at most this many bits of a stage, so that it and the products' sum fit together.
constexpr int kBiasStageBits = 29;

/// The exponent in which a layer's exact sums are kept as int32 until all of them are known.
struct Stage {
  int exponent;
  int product_shift;  // of a sum of products, to the right
};

Stage stage_of(const BoundLayer& layer, int input_exponent) {
  std::uint64_t bias_bits = 0;
  for (std::uint32_t j = 0; j < layer.plan.bias_count; ++j) {
    bias_bits |= magnitude_bits(layer.biases[j]);
  }
  const int product_exponent = *layer.weight_exponent + input_exponent;
  // fan_in products of at most 2^30 then sum up to at most 2^30.
  const int for_products = product_exponent + ceil_log2(layer.plan.fan_in);
  const int for_biases =
      *layer.weight_exponent - kBiasFractionBits + significant_bits(bias_bits) - kBiasStageBits;
  const int exponent = std::max(for_products, for_biases);
  return {exponent, exponent - product_exponent};
}

void align_biases(const BoundLayer& layer, const Stage& stage, std::int32_t* aligned) {
  const int shift = *layer.weight_exponent - kBiasFractionBits - stage.exponent;
  for (std::uint32_t j = 0; j < layer.plan.bias_count; ++j) {
    aligned[j] = static_cast<std::int32_t>(scale(layer.biases[j], shift));
  }
}

/// Finds the inputs that one output position sees, in the order of the weights.
class Patches {
 public:
  Patches(const FusedLayer& layer, const std::int16_t* input, std::int16_t* buffer)
      : layer_(layer),
        rows_(rows_of(layer)),
        columns_(columns_of(layer)),
        input_(input),
        buffer_(buffer) {}

  /// A row of the kernel is contiguous in the input; so is all of it if it has one row.
  const std::int16_t* at(std::uint32_t oy, std::uint32_t ox) const {
    const Axis::Range ys = rows_.taps_at(oy);
    const Axis::Range xs = columns_.taps_at(ox);
    const bool whole =
        ys.end - ys.begin == 1 && rows_.taps == 1 && xs.begin == 0 && xs.end == columns_.taps;
    if (whole) return input_at(rows_.input_of(oy, 0), columns_.input_of(ox, 0));
    gather(oy, ox, ys, xs);
    return buffer_;
  }

 private:
  [[nodiscard]] const std::int16_t* input_at(std::uint32_t y, std::uint32_t x) const {
    return input_ + (y * layer_.input.width + x) * layer_.input.channels;
  }

  void gather(std::uint32_t oy, std::uint32_t ox, Axis::Range ys, Axis::Range xs) const {
    const std::uint32_t channels = layer_.input.channels;
    const std::uint32_t row_length = columns_.taps * channels;
    const bool padded = ys.end - ys.begin != rows_.taps || xs.end - xs.begin != columns_.taps;
    if (padded) std::fill_n(buffer_, layer_.fan_in, std::int16_t{0});
    for (std::uint32_t ky = ys.begin; ky < ys.end; ++ky) {
      std::memcpy(buffer_ + ky * row_length + xs.begin * channels,
                  input_at(rows_.input_of(oy, ky), columns_.input_of(ox, xs.begin)),
                  sizeof(std::int16_t) * (xs.end - xs.begin) * channels);
    }
  }

  const FusedLayer& layer_;
  Axis rows_;
  Axis columns_;
  const std::int16_t* input_;
  std::int16_t* buffer_;
};

/// Calls visit(tap, input position, output position) for each tap of a kernel and each output that
/// an input meets through it.
template <typename Visitor>
void for_each_meeting(const FusedLayer& layer, std::uint32_t tap, Visitor visit) {
  const Axis rows = rows_of(layer);
  const Axis columns = columns_of(layer);
  const std::uint32_t ky = tap / columns.taps;
  const std::uint32_t kx = tap % columns.taps;
  const Axis::Range ys = rows.outputs_of(ky);
  const Axis::Range xs = columns.outputs_of(kx);
  for (std::uint32_t oy = ys.begin; oy < ys.end; ++oy) {
    std::uint32_t output = oy * columns.outputs + xs.begin;
    std::uint32_t input = rows.input_of(oy, ky) * columns.inputs + columns.input_of(xs.begin, kx);
    for (std::uint32_t ox = xs.begin; ox < xs.end; ++ox, ++output, input += columns.stride) {
      visit(input, output);
    }
  }
}

/// Calls visit(tap, output position) for each meeting of input (y, x).
template <typename Visitor>
void for_each_meeting_of_input(const Axis& rows, const Axis& columns, std::uint32_t y,
                               std::uint32_t x, Visitor visit) {
  for (std::uint32_t ky = 0; ky < rows.taps; ++ky) {
    const std::uint32_t from_y = y + rows.pad - ky;  // wraps below 0, and is then too large
    const std::uint32_t oy = from_y / rows.stride;
    if (oy >= rows.outputs || oy * rows.stride != from_y) continue;
    for (std::uint32_t kx = 0; kx < columns.taps; ++kx) {
      const std::uint32_t from_x = x + columns.pad - kx;
      const std::uint32_t ox = from_x / columns.stride;
      if (ox >= columns.outputs || ox * columns.stride != from_x) continue;
      visit(ky * columns.taps + kx, oy * columns.outputs + ox);
    }
  }
}

void run_full(const BoundLayer& layer, const Vector& input, const ConvScratch& at, int shift) {
  const FusedLayer& plan = layer.plan;
  const Patches patches(plan, input.values, layer.scratch_at<std::int16_t>(at.patch));
  auto* const sums = layer.scratch_at<std::int64_t>(0);
  const auto* const biases = layer.scratch_at<std::int32_t>(at.biases);
  auto* staged = layer.scratch_at<std::int32_t>(at.staged);
  const std::uint32_t channels = plan.output.channels;
  for (std::uint32_t oy = 0; oy < plan.output.height; ++oy) {
    for (std::uint32_t ox = 0; ox < plan.output.width; ++ox, staged += channels) {
      kernels::multiply_rows(layer.weights, channels, patches.at(oy, ox), plan.fan_in, sums);
      for (std::uint32_t j = 0; j < channels; ++j) {
        staged[j] = static_cast<std::int32_t>(scale(sums[j], -shift)) + biases[j];
      }
    }
  }
}

void run_depthwise(const BoundLayer& layer, const Vector& input, const ConvScratch& at, int shift) {
  const FusedLayer& plan = layer.plan;
  const Axis rows = rows_of(plan);
  const Axis columns = columns_of(plan);
  auto* const sums = layer.scratch_at<std::int64_t>(0);
  const auto* const biases = layer.scratch_at<std::int32_t>(at.biases);
  auto* staged = layer.scratch_at<std::int32_t>(at.staged);
  const std::uint32_t channels = plan.output.channels;
  for (std::uint32_t oy = 0; oy < plan.output.height; ++oy) {
    const Axis::Range ys = rows.taps_at(oy);
    for (std::uint32_t ox = 0; ox < plan.output.width; ++ox, staged += channels) {
      const Axis::Range xs = columns.taps_at(ox);
      std::fill_n(sums, channels, 0);
      for (std::uint32_t ky = ys.begin; ky < ys.end; ++ky) {
        for (std::uint32_t kx = xs.begin; kx < xs.end; ++kx) {
          const std::uint32_t position =
              rows.input_of(oy, ky) * columns.inputs + columns.input_of(ox, kx);
          kernels::multiply_add(input.values + position * channels,
                                layer.weights + (ky * columns.taps + kx) * channels, sums,
                                channels);
        }
      }
      for (std::uint32_t c = 0; c < channels; ++c) {
        staged[c] = static_cast<std::int32_t>(scale(sums[c], -shift)) + biases[c];
      }
    }
  }
}

void propagate_full(const BoundLayer& layer, const Deltas& deltas, int shift, std::int16_t* kernel,
                    std::int32_t* gradient) {
  const FusedLayer& plan = layer.plan;
  const Axis rows = rows_of(plan);
  const Axis columns = columns_of(plan);
  const std::uint32_t taps = rows.taps * columns.taps;
  const std::uint32_t outputs = plan.output.channels;
  for (std::uint32_t c = 0; c < plan.input.channels; ++c) {
    for (std::uint32_t tap = 0; tap < taps; ++tap) {
      for (std::uint32_t j = 0; j < outputs; ++j) {
        kernel[tap * outputs + j] = layer.weights[j * plan.fan_in + tap * plan.input.channels + c];
      }
    }
    std::int32_t* out = gradient + c;
    for (std::uint32_t y = 0; y < plan.input.height; ++y) {
      for (std::uint32_t x = 0; x < plan.input.width; ++x, out += plan.input.channels) {
        std::int64_t sum = 0;
        for_each_meeting_of_input(
            rows, columns, y, x, [&](std::uint32_t tap, std::uint32_t position) {
              sum +=
                  kernels::dot(deltas.values + position * outputs, kernel + tap * outputs, outputs);
            });
        *out = static_cast<std::int32_t>(scale(sum, -shift));
      }
    }
  }
}

void propagate_depthwise(const BoundLayer& layer, const Deltas& deltas, int shift,
                         std::int32_t* gradient) {
  const FusedLayer& plan = layer.plan;
  const Axis rows = rows_of(plan);
  const Axis columns = columns_of(plan);
  const std::uint32_t channels = plan.input.channels;
  auto* const sums = layer.scratch_at<std::int64_t>(0);
  for (std::uint32_t y = 0; y < plan.input.height; ++y) {
    for (std::uint32_t x = 0; x < plan.input.width; ++x, gradient += channels) {
      std::fill_n(sums, channels, 0);
      for_each_meeting_of_input(
          rows, columns, y, x, [&](std::uint32_t tap, std::uint32_t position) {
            kernels::multiply_add(deltas.values + position * channels,
                                  layer.weights + tap * channels, sums, channels);
          });
      for (std::uint32_t c = 0; c < channels; ++c) {
        gradient[c] = static_cast<std::int32_t>(scale(sums[c], -shift));
      }
    }
  }
}

void move_biases(const BoundLayer& layer, const Deltas& deltas, ParameterMover& mover) {
  const std::uint32_t channels = layer.plan.output.channels;
  const std::uint32_t outputs = layer.output_count();
  for (std::uint32_t j = 0; j < channels; ++j) {
    std::int64_t sum = 0;
    for (std::uint32_t i = j; i < outputs; i += channels) sum += deltas.values[i];
    mover.move_bias(j, sum);
  }
}

// The deltas channel by channel, so that a weight's gradient is one dot product.
void separate_channels(const BoundLayer& layer, const Deltas& deltas, std::int16_t* planes) {
  const std::uint32_t channels = layer.plan.output.channels;
  const std::uint32_t outputs = layer.output_count();
  for (std::uint32_t j = 0; j < channels; ++j) {
    for (std::uint32_t i = j; i < outputs; i += channels) *planes++ = deltas.values[i];
  }
}

void train_full(const BoundLayer& layer, const Vector& input, const Deltas& deltas,
                const ConvScratch& at, ParameterMover& mover) {
  const FusedLayer& plan = layer.plan;
  const std::uint32_t positions = plan.output.positions();
  auto* const sums = layer.scratch_at<std::int64_t>(0);
  auto* const column = layer.scratch_at<std::int16_t>(at.column);
  auto* const planes = layer.scratch_at<std::int16_t>(at.planes);
  separate_channels(layer, deltas, planes);
  for (std::uint32_t k = 0; k < plan.fan_in; ++k) {
    const std::uint32_t channel = k % plan.input.channels;
    std::fill_n(column, positions, std::int16_t{0});
    for_each_meeting(plan, k / plan.input.channels,
                     [&](std::uint32_t input_position, std::uint32_t output_position) {
                       column[output_position] =
                           input.values[input_position * plan.input.channels + channel];
                     });
    kernels::multiply_rows(planes, plan.output.channels, column, positions, sums);
    for (std::uint32_t j = 0; j < plan.output.channels; ++j) {
      mover.move_weight(j * plan.fan_in + k, sums[j]);
    }
  }
}

void train_depthwise(const BoundLayer& layer, const Vector& input, const Deltas& deltas,
                     ParameterMover& mover) {
  const std::uint32_t channels = layer.plan.output.channels;
  auto* const sums = layer.scratch_at<std::int64_t>(0);
  for (std::uint32_t tap = 0; tap < layer.plan.fan_in; ++tap) {
    std::fill_n(sums, channels, 0);
    for_each_meeting(
        layer.plan, tap, [&](std::uint32_t input_position, std::uint32_t output_position) {
          kernels::multiply_add(deltas.values + output_position * channels,
                                input.values + input_position * channels, sums, channels);
        });
    for (std::uint32_t c = 0; c < channels; ++c) mover.move_weight(tap * channels + c, sums[c]);
  }
}

}  // namespace

int run_convolution(const BoundLayer& layer, const Vector& input) {
  const ConvScratch at = lay_out_conv(layer.plan, false);
  const Stage stage = stage_of(layer, input.exponent);
  align_biases(layer, stage, layer.scratch_at<std::int32_t>(at.biases));
  if (layer.plan.kind == LayerKind::kConv) {
    run_full(layer, input, at, stage.product_shift);
  } else {
    run_depthwise(layer, input, at, stage.product_shift);
  }
  auto* const staged = layer.scratch_at<std::int32_t>(at.staged);
  activate_sums(staged, layer.output_count(), layer.plan.activation, layer.plan.negative_slope_q15);
  const int exponent =
      normalize(staged, layer.output_count(), stage.exponent, kMinActivationExponent, layer.output);
  return activate_outputs(layer.output, layer.output_count(), exponent, layer.plan.activation);
}

int propagate_convolution(const BoundLayer& layer, const Deltas& deltas, std::int32_t* gradient) {
  const std::uint32_t taps = std::uint32_t{layer.plan.window.height} * layer.plan.window.width;
  const bool full = layer.plan.kind == LayerKind::kConv;
  // So many products of at most 2^30 then sum up to at most 2^30.
  const int shift = ceil_log2(full ? taps * layer.plan.output.channels : taps);
  if (full) {
    const ConvScratch at = lay_out_conv(layer.plan, true);
    propagate_full(layer, deltas, shift, layer.scratch_at<std::int16_t>(at.kernel), gradient);
  } else {
    propagate_depthwise(layer, deltas, shift, gradient);
  }
  return *layer.weight_exponent + deltas.exponent + shift;
}

void train_convolution(const BoundLayer& layer, const Vector& input, const Deltas& deltas,
                       const Descent& descent, bool propagates) {
  ParameterMover mover(layer, descent, deltas.exponent, input.exponent);
  if (layer.plan.kind == LayerKind::kConv) {
    train_full(layer, input, deltas, lay_out_conv(layer.plan, propagates), mover);
  } else {
    train_depthwise(layer, input, deltas, mover);
  }
  move_biases(layer, deltas, mover);
  mover.finish();
}

}  // namespace skep::learn::internal

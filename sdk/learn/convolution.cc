#include "convolution.h"

#include <algorithm>

#include "convolution_geometry.h"
#include "fixed_point.h"
#include "kernels.h"
#include "skep/learn/memory_plan.h"
#include "staging.h"

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
      const std::int16_t* const from =
          input_at(rows_.input_of(oy, ky), columns_.input_of(ox, xs.begin));
      std::int16_t* const to = buffer_ + ky * row_length + xs.begin * channels;
      const std::uint32_t length = (xs.end - xs.begin) * channels;
      for (std::uint32_t i = 0; i < length; ++i) to[i] = from[i];
    }
  }

  const FusedLayer& layer_;
  Axis rows_;
  Axis columns_;
  const std::int16_t* input_;
  std::int16_t* buffer_;
};

/// Calls visit(input position, output position) for each input that meets an output through `tap`.
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

// Four at a time: depthwise, this is a noticeable part of the work.
void clear(std::int64_t* sums, std::uint32_t n) {
#pragma GCC unroll 4
  for (std::uint32_t i = 0; i < n; ++i) sums[i] = 0;
}

std::int32_t as_stride(std::uint32_t elements) { return static_cast<std::int32_t>(elements); }

// A stage's products are shifted by 0 only where each sum is one product.
std::int32_t shift_sum(std::int64_t sum, int shift) {
  return shift == 0 ? static_cast<std::int32_t>(sum) : round_shift(sum, shift);
}

// Adds the biases to the sums of one position, and leaves these as they fall.
std::uint32_t stage_position(const BoundLayer& layer, std::int64_t* sums, int shift,
                             const std::int32_t* biases, std::int32_t* staged) {
  const std::uint32_t channels = layer.plan.output.channels;
  if (shift == 0) {  // Then they are doubled first: no case for it in the loop.
    for (std::uint32_t j = 0; j < channels; ++j) sums[j] *= 2;
    shift = 1;
  }
  return stage(layer, channels, staged,
               [=](std::uint32_t j) { return round_shift(sums[j], shift) + biases[j]; });
}

// Both stage all outputs and return their magnitude_bits().
std::uint32_t run_full(const BoundLayer& layer, const Vector& input, const ConvScratch& at,
                       int shift) {
  const FusedLayer& plan = layer.plan;
  const Patches patches(plan, input.values, layer.scratch_at<std::int16_t>(at.patch));
  auto* const sums = layer.scratch_at<std::int64_t>(0);
  const auto* const biases = layer.scratch_at<std::int32_t>(at.biases);
  auto* staged = layer.scratch_at<std::int32_t>(at.staged);
  const std::uint32_t channels = plan.output.channels;
  std::uint32_t bits = 0;
  for (std::uint32_t oy = 0; oy < plan.output.height; ++oy) {
    for (std::uint32_t ox = 0; ox < plan.output.width; ++ox, staged += channels) {
      kernels::multiply_rows(layer.weights, plan.fan_in, channels, patches.at(oy, ox), plan.fan_in,
                             sums);
      bits |= stage_position(layer, sums, shift, biases, staged);
    }
  }
  return bits;
}

std::uint32_t run_depthwise(const BoundLayer& layer, const Vector& input, const ConvScratch& at,
                            int shift) {
  const FusedLayer& plan = layer.plan;
  const Axis rows = rows_of(plan);
  const Axis columns = columns_of(plan);
  auto* const sums = layer.scratch_at<std::int64_t>(0);
  const auto* const biases = layer.scratch_at<std::int32_t>(at.biases);
  auto* staged = layer.scratch_at<std::int32_t>(at.staged);
  const std::uint32_t channels = plan.output.channels;
  std::uint32_t bits = 0;
  for (std::uint32_t oy = 0; oy < plan.output.height; ++oy) {
    const Axis::Range ys = rows.taps_at(oy);
    for (std::uint32_t ox = 0; ox < plan.output.width; ++ox, staged += channels) {
      const Axis::Range xs = columns.taps_at(ox);
      const Positions taps{as_stride(xs.end - xs.begin), as_stride(channels), as_stride(channels)};
      clear(sums, channels);
      for (std::uint32_t ky = ys.begin; ky < ys.end; ++ky) {
        const std::uint32_t position =
            rows.input_of(oy, ky) * columns.inputs + columns.input_of(ox, xs.begin);
        kernels::multiply_channels(input.values + position * channels,
                                   layer.weights + (ky * columns.taps + xs.begin) * channels, taps,
                                   channels, sums);
      }
      bits |= stage_position(layer, sums, shift, biases, staged);
    }
  }
  return bits;
}

/// The gradient by one channel of the inputs.
///
/// Along an axis, input i meets output (i + pad − tap) / stride through each tap that leaves no
/// remainder. So all inputs with the same remainder ("phase") of i + pad meet the same taps, and
/// where the taps are sorted by phase, and downwards in it, each input meets neighbouring taps
/// through neighbouring outputs: its gradient is one product of rows for each row of taps, and
/// the next input's is the same one output further.
class InputGradient {
 public:
  /// `kernel` takes the channel's weights in that order.
  InputGradient(const BoundLayer& layer, const Deltas& deltas, int shift, std::int16_t* kernel)
      : layer_(layer),
        rows_(rows_of(layer.plan)),
        columns_(columns_of(layer.plan)),
        outputs_(layer.plan.output.channels),
        deltas_(deltas.values),
        shift_(shift),
        kernel_(kernel) {}

  void compute(std::uint32_t channel, std::int32_t* gradient) const {
    sort_kernel(channel);
    for (std::uint32_t y = 0; y < rows_.inputs; ++y) {
      std::int32_t* const row =
          gradient + y * columns_.inputs * layer_.plan.input.channels + channel;
      std::uint32_t first_tap = 0;
      for (std::uint32_t phase = 0; phase < columns_.stride; ++phase) {
        compute_phase(y, phase, first_tap, row);
        first_tap += columns_.taps_in(phase);
      }
    }
  }

 private:
  static constexpr std::uint32_t kMaxRun = 16;

  void sort_kernel(std::uint32_t channel) const {
    const FusedLayer& plan = layer_.plan;
    std::int16_t* to = kernel_;
    for (std::uint32_t ky = 0; ky < rows_.taps; ++ky) {
      for (std::uint32_t phase = 0; phase < columns_.stride; ++phase) {
        for (std::uint32_t k = columns_.taps_in(phase); k-- > 0;) {
          const std::uint32_t tap = ky * columns_.taps + phase + k * columns_.stride;
          const std::int16_t* from = layer_.weights + tap * plan.input.channels + channel;
          for (std::uint32_t j = 0; j < outputs_; ++j) *to++ = from[j * plan.fan_in];
        }
      }
    }
  }

  // The inputs of one phase in row y: those at q * stride + phase − pad.
  void compute_phase(std::uint32_t y, std::uint32_t phase, std::uint32_t first_tap,
                     std::int32_t* row) const {
    const std::uint32_t taps = columns_.taps_in(phase);
    const Axis::Range qs = columns_.inputs_in(phase);
    for (std::uint32_t q = qs.begin; q < qs.end;) {
      const std::uint32_t skipped = q + 1 < taps ? taps - 1 - q : 0;  // left of the first output
      const std::uint32_t first = q + 1 + skipped - taps;
      const std::uint32_t end = std::min(q + 1, columns_.outputs);
      const bool whole = skipped == 0 && q < columns_.outputs;
      const std::uint32_t run =
          whole ? std::min(kMaxRun, std::min(qs.end, columns_.outputs) - q) : 1;
      std::int64_t sums[kMaxRun] = {};
      if (first < end) add_rows(y, first_tap + skipped, first, end - first, run, sums);
      for (std::uint32_t i = 0; i < run; ++i, ++q) {
        const std::uint32_t x = q * columns_.stride + phase - columns_.pad;
        row[x * layer_.plan.input.channels] = shift_sum(sums[i], shift_);
      }
    }
  }

  // What `run` inputs of row y get through `count` taps from `tap` on, in all rows of taps.
  void add_rows(std::uint32_t y, std::uint32_t tap, std::uint32_t output, std::uint32_t count,
                std::uint32_t run, std::int64_t* sums) const {
    std::uint32_t oy = (y + rows_.pad) / rows_.stride;  // wraps below 0, and is then too large
    for (std::uint32_t ky = (y + rows_.pad) % rows_.stride; ky < rows_.taps;
         ky += rows_.stride, --oy) {
      if (oy >= rows_.outputs) continue;
      std::int64_t products[kMaxRun];
      kernels::multiply_rows(deltas_ + (oy * columns_.outputs + output) * outputs_, outputs_, run,
                             kernel_ + (ky * columns_.taps + tap) * outputs_, count * outputs_,
                             products);
      for (std::uint32_t i = 0; i < run; ++i) sums[i] += products[i];
    }
  }

  const BoundLayer& layer_;
  Axis rows_;
  Axis columns_;
  std::uint32_t outputs_;
  const std::int16_t* deltas_;
  int shift_;
  std::int16_t* kernel_;
};

void propagate_depthwise(const BoundLayer& layer, const Deltas& deltas, int shift,
                         std::int32_t* gradient) {
  const FusedLayer& plan = layer.plan;
  const Axis rows = rows_of(plan);
  const Axis columns = columns_of(plan);
  const std::uint32_t channels = plan.input.channels;
  auto* const sums = layer.scratch_at<std::int64_t>(0);
  for (std::uint32_t y = 0; y < rows.inputs; ++y) {
    const Axis::Meeting along_y = rows.meeting_of(y);
    for (std::uint32_t x = 0; x < columns.inputs; ++x, gradient += channels) {
      const Axis::Meeting along_x = columns.meeting_of(x);
      const Positions met{as_stride(along_x.count), -as_stride(channels),
                          as_stride(columns.stride * channels)};
      clear(sums, channels);
      for (std::uint32_t i = 0; i < along_y.count; ++i) {
        const std::uint32_t tap = (along_y.tap + i * rows.stride) * columns.taps + along_x.tap;
        const std::uint32_t output = (along_y.output - i) * columns.outputs + along_x.output;
        kernels::multiply_channels(deltas.values + output * channels,
                                   layer.weights + tap * channels, met, channels, sums);
      }
      for (std::uint32_t c = 0; c < channels; ++c) gradient[c] = shift_sum(sums[c], shift);
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
    kernels::multiply_rows(planes, positions, plan.output.channels, column, positions, sums);
    for (std::uint32_t j = 0; j < plan.output.channels; ++j) {
      mover.move_weight(j * plan.fan_in + k, sums[j]);
    }
  }
}

void train_depthwise(const BoundLayer& layer, const Vector& input, const Deltas& deltas,
                     ParameterMover& mover) {
  const Axis rows = rows_of(layer.plan);
  const Axis columns = columns_of(layer.plan);
  const std::uint32_t channels = layer.plan.output.channels;
  auto* const sums = layer.scratch_at<std::int64_t>(0);
  for (std::uint32_t tap = 0; tap < layer.plan.fan_in; ++tap) {
    const std::uint32_t ky = tap / columns.taps;
    const std::uint32_t kx = tap % columns.taps;
    const Axis::Range ys = rows.outputs_of(ky);
    const Axis::Range xs = columns.outputs_of(kx);
    const Positions met{as_stride(xs.end - xs.begin), as_stride(channels),
                        as_stride(columns.stride * channels)};
    clear(sums, channels);
    for (std::uint32_t oy = ys.begin; oy < ys.end; ++oy) {
      const std::uint32_t output = oy * columns.outputs + xs.begin;
      const std::uint32_t from =
          rows.input_of(oy, ky) * columns.inputs + columns.input_of(xs.begin, kx);
      kernels::multiply_channels(deltas.values + output * channels, input.values + from * channels,
                                 met, channels, sums);
    }
    for (std::uint32_t c = 0; c < channels; ++c) mover.move_weight(tap * channels + c, sums[c]);
  }
}

}  // namespace

int run_convolution(const BoundLayer& layer, const Vector& input) {
  const ConvScratch at = lay_out_conv(layer.plan, false);
  const Stage stage = stage_of(layer, input.exponent);
  align_biases(layer, stage, layer.scratch_at<std::int32_t>(at.biases));
  auto* const staged = layer.scratch_at<std::int32_t>(at.staged);
  const std::uint32_t bits = layer.plan.kind == LayerKind::kConv
                                 ? run_full(layer, input, at, stage.product_shift)
                                 : run_depthwise(layer, input, at, stage.product_shift);
  return finish_stage(layer, staged, bits, stage.exponent);
}

int propagate_convolution(const BoundLayer& layer, const Deltas& deltas, std::int32_t* gradient) {
  const std::uint32_t taps = std::uint32_t{layer.plan.window.height} * layer.plan.window.width;
  const bool full = layer.plan.kind == LayerKind::kConv;
  // So many products of at most 2^30 then sum up to at most 2^30.
  const int shift = ceil_log2(full ? taps * layer.plan.output.channels : taps);
  if (full) {
    const ConvScratch at = lay_out_conv(layer.plan, true);
    const InputGradient of(layer, deltas, shift, layer.scratch_at<std::int16_t>(at.kernel));
    for (std::uint32_t c = 0; c < layer.plan.input.channels; ++c) of.compute(c, gradient);
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

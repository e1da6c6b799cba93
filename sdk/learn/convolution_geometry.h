// Which inputs and outputs of a convolution meet.
#pragma once

#include <algorithm>
#include <cstdint>

#include "skep/learn/layers.h"

namespace skep::learn::internal {

/// One axis of a convolution: input = output * stride + tap − pad.
struct Axis {
  std::uint32_t inputs;
  std::uint32_t outputs;
  std::uint32_t taps;
  std::uint32_t stride;
  std::uint32_t pad;

  struct Range {
    std::uint32_t begin;
    std::uint32_t end;
  };

  /// The taps that meet an input, not the padding, at `output`: at least one, because there is
  /// less padding than taps.
  [[nodiscard]] constexpr Range taps_at(std::uint32_t output) const {
    const std::uint32_t start = output * stride;  // of tap 0, from the first row of padding
    return {start < pad ? pad - start : 0, std::min(taps, inputs + pad - start)};
  }
  /// The input that `tap` meets at `output`, if taps_at(output) has it.
  [[nodiscard]] constexpr std::uint32_t input_of(std::uint32_t output, std::uint32_t tap) const {
    return output * stride + tap - pad;
  }
  /// The outputs that meet an input through `tap`.
  [[nodiscard]] constexpr Range outputs_of(std::uint32_t tap) const {
    const std::uint32_t begin = tap < pad ? (pad - tap + stride - 1) / stride : 0;
    const std::uint32_t last_input = inputs - 1 + pad;
    if (last_input < tap) return {0, 0};
    const std::uint32_t end = std::min((last_input - tap) / stride + 1, outputs);
    return {std::min(begin, end), end};
  }

  /// What an input meets: `count` taps from `tap` on, `stride` apart, through `count` outputs from
  /// `output` downwards.
  struct Meeting {
    std::uint32_t count;
    std::uint32_t tap;
    std::uint32_t output;
  };
  [[nodiscard]] constexpr Meeting meeting_of(std::uint32_t input) const {
    const std::uint32_t nearest = (input + pad) / stride;
    const std::uint32_t skipped = nearest < outputs ? 0 : nearest - outputs + 1;
    const std::uint32_t tap = (input + pad) % stride + skipped * stride;
    if (tap >= taps || skipped > nearest) return {0, 0, 0};
    return {std::min((taps - tap + stride - 1) / stride, nearest - skipped + 1), tap,
            nearest - skipped};
  }

  /// The number of taps with `phase` = tap % stride.
  [[nodiscard]] constexpr std::uint32_t taps_in(std::uint32_t phase) const {
    return phase < taps ? (taps - phase + stride - 1) / stride : 0;
  }
  /// The quotients (input + pad) / stride of the inputs with this remainder.
  [[nodiscard]] constexpr Range inputs_in(std::uint32_t phase) const {
    const std::uint32_t begin = phase < pad ? (pad - phase + stride - 1) / stride : 0;
    const std::uint32_t end =
        phase < inputs + pad ? (inputs + pad - phase + stride - 1) / stride : 0;
    return {std::min(begin, end), end};
  }
};

constexpr Axis rows_of(const FusedLayer& layer) {
  return {layer.input.height, layer.output.height, layer.window.height, layer.window.stride_height,
          layer.window.pad_top};
}

constexpr Axis columns_of(const FusedLayer& layer) {
  return {layer.input.width, layer.output.width, layer.window.width, layer.window.stride_width,
          layer.window.pad_left};
}

}  // namespace skep::learn::internal

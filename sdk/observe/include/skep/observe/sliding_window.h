// Turns a time series into model inputs: the last frames, each the mean of some readings.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "skep/observe/reading.h"
#include "skep/status.h"

namespace skep::observe {

struct WindowOptions {
  std::uint16_t channels = 1;  ///< Readings in a frame, ≥ 1.
  std::uint16_t frames = 0;  ///< Frames in a window, ≥ 1: the model has channels * frames inputs.
  std::uint8_t stride = 1;   ///< Readings of a channel whose mean is one frame, ≥ 1.
};

/// A ring of the last `frames` frames. Every `stride` readings a frame is complete and the window
/// moves on by one: its inputs are channels * frames integers, oldest frame first.
///
/// Memory: channels * (frames + 1) int32, the caller's; a reset empties it, and a window is whole
/// again frames * stride readings later. No heap; not thread-safe; O(channels) a reading.
class SlidingWindow {
 public:
  [[nodiscard]] static constexpr std::size_t words_for(const WindowOptions& options) {
    return std::size_t{options.channels} * (std::size_t{options.frames} + 1);
  }

  /// `memory` has words_for() elements and outlives the window; what does not fit shows in push().
  SlidingWindow(std::span<std::int32_t> memory, const WindowOptions& options);

  /// Adds one reading of each channel. True if it completed a frame, which frame(0) then is:
  /// the means rounded to nearest, halves away from zero.
  ///
  /// Errors: kInvalidArgument if there is not one reading for each channel, one is not in
  /// kMinReading … kMaxReading or an option is 0; kNoMemory if the memory is too small. Nothing is
  /// changed then.
  [[nodiscard]] Result<bool> push(std::span<const std::int32_t> readings);

  [[nodiscard]] bool is_full() const { return frame_count_ == options_.frames; }

  /// Frame `age` frames before the newest. Requires age < frames complete so far.
  [[nodiscard]] std::span<const std::int32_t> frame(std::uint32_t age) const;

  [[nodiscard]] const WindowOptions& options() const { return options_; }

 private:
  [[nodiscard]] std::span<std::int32_t> slot(std::uint32_t index) const;
  void complete_frame();

  std::span<std::int32_t> memory_;  // slots of the ring, then the sums of the frame being made
  WindowOptions options_;
  std::uint16_t readings_ = 0;     // in the frame being made
  std::uint16_t frame_count_ = 0;  // complete ones
  std::uint16_t next_slot_ = 0;
};

}  // namespace skep::observe

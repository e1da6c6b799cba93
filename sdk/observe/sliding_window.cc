#include "skep/observe/sliding_window.h"

#include <algorithm>

namespace skep::observe {
namespace {

// To nearest, halves away from zero. A sum of 255 readings of 24 bits fits into 32.
std::int32_t mean(std::int32_t sum, std::int32_t count) {
  return (sum + (sum < 0 ? -(count / 2) : count / 2)) / count;
}

}  // namespace

static_assert(std::int64_t{UINT8_MAX} * kMinReading - UINT8_MAX / 2 >= INT32_MIN,
              "the sum of a frame's readings, and half a count for rounding, fit into 32 bits");

SlidingWindow::SlidingWindow(std::span<std::int32_t> memory, const WindowOptions& options)
    : memory_(memory), options_(options) {
  std::ranges::fill(memory_, 0);
}

Result<bool> SlidingWindow::push(std::span<const std::int32_t> readings) {
  if (options_.channels == 0 || options_.frames == 0 || options_.stride == 0 ||
      readings.size() != options_.channels || !std::ranges::all_of(readings, is_reading)) {
    return Status::kInvalidArgument;
  }
  if (memory_.size() < words_for(options_)) return Status::kNoMemory;
  const std::span<std::int32_t> sums = slot(options_.frames);
  for (std::size_t i = 0; i < readings.size(); ++i) sums[i] += readings[i];
  if (++readings_ < options_.stride) return false;
  complete_frame();
  return true;
}

void SlidingWindow::complete_frame() {
  const std::span<std::int32_t> sums = slot(options_.frames);
  std::ranges::transform(sums, slot(next_slot_).begin(),
                         [this](std::int32_t sum) { return mean(sum, options_.stride); });
  std::ranges::fill(sums, 0);
  readings_ = 0;
  next_slot_ = static_cast<std::uint16_t>(next_slot_ + 1 == options_.frames ? 0 : next_slot_ + 1);
  if (frame_count_ < options_.frames) ++frame_count_;
}

std::span<const std::int32_t> SlidingWindow::frame(std::uint32_t age) const {
  const std::uint32_t newest = next_slot_ + std::uint32_t{options_.frames} - 1;
  return slot((newest - age) % options_.frames);
}

std::span<std::int32_t> SlidingWindow::slot(std::uint32_t index) const {
  return memory_.subspan(std::size_t{index} * options_.channels, options_.channels);
}

}  // namespace skep::observe

#include "skep/observe/sample_buffer.h"

#include <algorithm>

namespace skep::observe {

SampleBuffer::SampleBuffer(std::span<std::int16_t> memory, const BufferOptions& options)
    : memory_(memory),
      options_(options),
      random_(options.seed),
      capacity_(options.feature_count == 0
                    ? 0
                    : static_cast<std::uint32_t>(std::min<std::size_t>(
                          memory.size() / words_per_sample(options.feature_count), UINT32_MAX))) {}

Result<bool> SampleBuffer::add(std::span<const std::int16_t> features, std::uint16_t label) {
  if (features.empty() || features.size() != options_.feature_count ||
      label >= options_.label_count) {
    return Status::kInvalidArgument;
  }
  if (capacity_ == 0) return Status::kNoMemory;
  if (added_ != UINT32_MAX) ++added_;
  const std::uint32_t place = choose_place();
  if (place >= capacity_) return false;
  count_ = std::max(count_, place + 1);
  const std::span<std::int16_t> words = sample(place);
  std::ranges::copy(features, words.begin());
  words.back() = static_cast<std::int16_t>(label);
  return true;
}

// `added_` counts the new sample already.
std::uint32_t SampleBuffer::choose_place() {
  if (count_ < capacity_) return count_;
  if (options_.replacement == Replacement::kRing) return (added_ - 1) % capacity_;
  std::uint32_t range = added_;
  if (options_.horizon != 0) range = std::min(range, std::max(options_.horizon, capacity_));
  return static_cast<std::uint32_t>((std::uint64_t{random_.next()} * range) >> 32U);
}

std::span<std::int16_t> SampleBuffer::sample(std::uint32_t index) const {
  const std::size_t words = words_per_sample(options_.feature_count);
  return memory_.subspan(index * words, words);
}

void SampleBuffer::clear() { count_ = added_ = 0; }

Status SampleBuffer::read(std::uint32_t index, std::span<std::int16_t> features,
                          std::uint16_t& label) {
  if (index >= count_ || features.size() != options_.feature_count) {
    return Status::kInvalidArgument;
  }
  const std::span<const std::int16_t> words = sample(index);
  std::ranges::copy(words.first(features.size()), features.begin());
  label = static_cast<std::uint16_t>(words.back());
  return Status::kOk;
}

}  // namespace skep::observe

// Labelled samples in a partition: what a demo or a recorder wrote there.
#pragma once

#include <cstdint>

#include "skep/platform.h"

namespace skep::port_zephyr {

/// Content of a kSamples partition, little endian: features per sample (16 bits), 0 (16 bits),
/// number of samples (32 bits); then sample after sample: its features (int16), its label (16
/// bits). The partition is not changed while this object is in use. Not thread-safe.
class FlashSamples final : public SampleSource {
 public:
  /// `partition` outlives the object.
  explicit FlashSamples(Storage& partition) : partition_(partition) {}

  /// Checks all of the partition once. Before it succeeds there are no samples.
  ///
  /// Errors: those of find_provisioned(); kMalformed if the content's length does not follow from
  /// its numbers, or a sample has no feature.
  Status open();

  [[nodiscard]] std::uint32_t count() override { return count_; }

  /// Features per sample, 0 before open().
  [[nodiscard]] std::uint16_t feature_count() const { return feature_count_; }

  Status read(std::uint32_t index, std::span<std::int16_t> features, std::uint16_t& label) override;

 private:
  Storage& partition_;
  std::uint32_t count_ = 0;
  std::uint16_t feature_count_ = 0;
};

}  // namespace skep::port_zephyr

// The device's own samples in RAM: what is trained on when a round comes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "skep/core/prng.h"
#include "skep/platform.h"
#include "skep/status.h"

namespace skep::observe {

/// Which sample makes room in a full buffer.
enum class Replacement : std::uint8_t {
  /// A random one, so that the buffer stays a uniform sample of all that was ever added: Vitter,
  /// "Random Sampling with a Reservoir", ACM TOMS 11, 1985, algorithm R.
  kReservoir,
  kRing,  ///< The oldest: the buffer holds the newest samples.
};

struct BufferOptions {
  std::uint16_t feature_count = 0;  ///< The model's inputs, ≥ 1.
  std::uint16_t label_count = 1;  ///< Classes; labels are 0 … label_count − 1. Autoencoder: 1.
  Replacement replacement = Replacement::kReservoir;
  /// kReservoir: a new sample is taken in with probability capacity / min(added, horizon), so the
  /// expected age of a sample ends at about `horizon` (Aggarwal, "On Biased Reservoir Sampling in
  /// the Presence of Stream Evolution", VLDB 2006). 0: never forget.
  std::uint32_t horizon = 0;
  std::uint32_t seed = 1;  ///< Of the reservoir's choices, as of Xorshift32.
};

/// Samples in memory handed in: `words_per_sample()` int16 each, as many as fit.
///
/// It lives in RAM alone: a reset empties it, and nothing of it is ever written to storage. The
/// probability with which the reservoir keeps a sample differs from the ideal one by less than
/// added * 2^-32 of it. Each call takes O(feature_count). No heap; not thread-safe.
class SampleBuffer final : public SampleSource {
 public:
  [[nodiscard]] static constexpr std::size_t words_per_sample(std::uint16_t feature_count) {
    return std::size_t{feature_count} + 1;
  }

  /// `memory` outlives the buffer. Too little for one sample shows in add().
  SampleBuffer(std::span<std::int16_t> memory, const BufferOptions& options);

  /// Samples that fit: memory.size() / words_per_sample().
  [[nodiscard]] std::uint32_t capacity() const { return capacity_; }

  /// Takes the sample in, or leaves it out, as the replacement decides. True if it is in.
  ///
  /// Errors: kInvalidArgument if `features` has not feature_count elements or `label` is not below
  /// label_count; kNoMemory if the memory holds no sample. Nothing is changed then.
  [[nodiscard]] Result<bool> add(std::span<const std::int16_t> features, std::uint16_t label);

  /// Forgets all samples.
  void clear();

  /// Samples added since the last clear(), taken in or not; saturates.
  [[nodiscard]] std::uint32_t added() const { return added_; }

  [[nodiscard]] const BufferOptions& options() const { return options_; }

  // ---- SampleSource

  [[nodiscard]] std::uint32_t count() override { return count_; }

  /// Errors: kInvalidArgument as SampleSource says.
  Status read(std::uint32_t index, std::span<std::int16_t> features, std::uint16_t& label) override;

 private:
  [[nodiscard]] std::uint32_t choose_place();
  [[nodiscard]] std::span<std::int16_t> sample(std::uint32_t index) const;

  std::span<std::int16_t> memory_;
  BufferOptions options_;
  Xorshift32 random_;
  std::uint32_t capacity_;
  std::uint32_t count_ = 0;
  std::uint32_t added_ = 0;
};

}  // namespace skep::observe

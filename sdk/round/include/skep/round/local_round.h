// One device's part in one round, from the base model to a sealed update, without any network.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "skep/bytes.h"
#include "skep/compress/compressor.h"
#include "skep/compress/error_feedback.h"
#include "skep/flow.h"
#include "skep/learn/engine.h"
#include "skep/model_spec.h"
#include "skep/platform.h"
#include "skep/seal/envelope.h"
#include "skep/status.h"
#include "skep/wire/codec.h"

namespace skep::round {

/// What to train, for whom. Everything referred to outlives the round.
struct RoundTask {
  const wire::RoundPlan& plan;
  const ModelSpec& spec;
  const ByteSource& weights;  ///< Of the plan's base version, verified.
  const char* device;         ///< Name in the update's header.
  const seal::SigningKey& device_key;
  std::uint32_t seed;  ///< Fixes the order of samples and the stochastic rounding.
};

/// What the plan asks of the engine besides plain SGD.
[[nodiscard]] learn::Optimizer optimizer_of(const wire::RoundPlan& plan);

/// What a finished round reports besides the update.
struct RoundSummary {
  std::uint32_t sample_count = 0;
  std::uint32_t loss_before_q16 = 0;  ///< Mean loss of the base model, nats, Q16.16.
  std::uint32_t loss_after_q16 = 0;   ///< Mean loss during the last local epoch, nats, Q16.16.
};

/// The compression whose rounds take the least workspace.
inline constexpr Compression kLeastCompression{
    .mode = CompressionMode::kRandomK, .keep_permille = 1, .value_bits = compress::kMinValueBits};

/// Evaluates the base model, trains, forms the delta, clips, compresses, seals: in bounded steps.
///
/// The flow is design.md section 1; where the plan's compression has error feedback, the residual
/// (algorithms.md section 2) is added to the delta before it is clipped, so that what is sent keeps
/// the norm bound. It lives in the workspace from round to round while the model's architecture
/// stays the same and no round without error feedback comes between, and is lost at a reset: that
/// costs accuracy of one update, never correctness.
///
/// The same task, samples and residual give the same compressed bytes on every device; sealing
/// is randomised. No heap; not thread-safe.
class LocalRound {
 public:
  /// `workspace` is aligned to 8 bytes; both outlive the object.
  LocalRound(SampleSource& samples, std::span<std::byte> workspace);

  /// Bytes of workspace that a round with this compression on a model of `spec` takes.
  ///
  /// Errors: those of learn::plan_memory(); kInvalidArgument for a keep_permille or value_bits
  /// outside of the ranges of skep.proto.
  [[nodiscard]] static Result<std::uint32_t> workspace_bytes(
      const ModelSpec& spec, const Compression& compression,
      const learn::Optimizer& optimizer = {});

  /// Largest SealedUpdate that such a round can produce, in bytes. Errors as above.
  [[nodiscard]] static Result<std::uint32_t> sealed_bytes_bound(
      const ModelSpec& spec, const Compression& compression,
      const learn::Optimizer& optimizer = {});

  /// Prepares a round. The last round's update is gone.
  ///
  /// Errors: kUnsupported if the plan asks for something that this build does not do (noise, a
  /// mode other than plain, a key encapsulation that it does not know); those of
  /// workspace_bytes(); kNoMemory if the workspace is too small; kNotFound without
  /// samples; kMalformed if the weights do not load; kStorageFailed.
  Status begin(const RoundTask& task);

  /// Works on at most `samples` samples (≥ 1), or finishes one later stage.
  /// True when the update is ready. Errors end the round; begin() starts another.
  [[nodiscard]] Result<bool> step(std::uint16_t samples);

  /// The update between the steps that compress and seal it, empty otherwise: sealing is
  /// randomised and happens in place, so this is what can be compared between devices.
  [[nodiscard]] const std::optional<Compressed>& compressed() const { return compressed_; }

  /// Requires that step() returned true; valid until the next begin().
  [[nodiscard]] const Sealed& sealed() const { return *sealed_; }

  [[nodiscard]] RoundSummary summary() const;

  /// Class predicted by the model of `spec` and `weights`. Ends a round that was under way.
  ///
  /// Errors: those of learn::Engine::create(), load() and forward().
  [[nodiscard]] Result<std::uint16_t> predict(const ModelSpec& spec, const ByteSource& weights,
                                              std::span<const std::int16_t> features);

  /// Loss of that model on one sample, Q16.16. Ends a round that was under way.
  ///
  /// Errors: as predict(); kInvalidArgument if `label` is not one of the model's.
  [[nodiscard]] Result<std::uint32_t> loss(const ModelSpec& spec, const ByteSource& weights,
                                           std::span<const std::int16_t> features,
                                           std::uint16_t label);

  /// Says that the first `bytes` of the workspace are somebody else's for now: ends a round that
  /// was under way, and forgets the residual if it lies there.
  void lend_workspace(std::uint32_t bytes);

 private:
  enum class Phase : std::uint8_t { kNone, kEvaluating, kTraining, kCompressing, kSealing, kDone };

  // Byte offsets in the workspace, where the engine comes first; EDEN's scratch memory lies over
  // the engine, which has then done its work. The residual's offset depends on the model only, so
  // it stays in place while plans change.
  struct Layout {
    std::uint32_t residual = 0;  // of no length where the compression has no error feedback
    std::uint32_t features = 0;
    std::uint32_t delta = 0;
    std::uint32_t sealed = 0;  // compressed bytes are sealed in place
    std::uint32_t size_bytes = 0;
    std::uint32_t dimension = 0;
  };

  [[nodiscard]] static Result<Layout> lay_out(const ModelSpec& spec, const Compression& compression,
                                              const learn::Optimizer& optimizer);
  void prepare_residual(const ModelSpec& spec, CompressionMode mode);
  [[nodiscard]] Result<learn::Engine> inference_engine(const ModelSpec& spec,
                                                       const ByteSource& weights);
  Status evaluate(std::uint16_t samples);
  Status train(std::uint16_t samples);
  Status train_on(std::uint32_t index);
  [[nodiscard]] bool epoch_ended() const;
  [[nodiscard]] std::uint32_t trained_sample_count() const;
  Status compress_update();
  Status seal_update();
  Status read_sample(std::uint32_t index, std::uint16_t& label);

  template <typename T>
  [[nodiscard]] std::span<T> region(std::uint32_t offset_bytes, std::size_t count) const {
    return {reinterpret_cast<T*>(workspace_.data() + offset_bytes), count};
  }

  [[nodiscard]] MutableBytes sealed_region() const {
    return region<std::uint8_t>(layout_.sealed, layout_.size_bytes - layout_.sealed);
  }

  SampleSource& samples_;
  std::span<std::byte> workspace_;
  Layout layout_{};
  ModelSpec residual_spec_{};          // whose residual the workspace holds; no layers: of none
  std::uint32_t residual_offset_ = 0;  // where it lies
  std::optional<compress::ErrorFeedback> feedback_;
  std::optional<learn::Engine> engine_;
  std::optional<RoundTask> task_;
  Phase phase_ = Phase::kNone;
  std::uint32_t position_ = 0;      // samples done in the current pass
  std::uint32_t epoch_ = 0;         // local epochs finished
  std::uint64_t steps_ = 0;         // SGD steps done
  std::uint32_t sample_count_ = 0;  // at begin()
  std::uint64_t loss_sum_ = 0;      // Σ of the current pass, Q16.16
  std::uint32_t loss_before_q16_ = 0;
  std::uint32_t loss_after_q16_ = 0;
  std::optional<Compressed> compressed_;
  std::optional<Sealed> sealed_;
};

}  // namespace skep::round

#include "skep/round/local_round.h"

#include <algorithm>

#include "skep/core/permutation.h"
#include "skep/core/prng.h"
#include "skep/learn/memory_plan.h"
#include "skep/privacy/clip.h"
#include "skep/privacy/noise.h"

namespace skep::round {
namespace {

// Keeps the stream of stochastic rounding apart from the orders of the epochs, which are derived
// from the same seed and the epoch's number.
constexpr std::uint32_t kRoundingSalt = 0x726F756E;

constexpr std::uint32_t align8(std::uint32_t offset) { return (offset + 7U) & ~7U; }

std::uint32_t mean(std::uint64_t sum, std::uint32_t count) {
  return count == 0 ? 0 : static_cast<std::uint32_t>(sum / count);
}

// What the wire can say and this build cannot do.
Status check_supported(const wire::RoundPlan& plan) {
  if (plan.mode != skep_RoundMode_ROUND_MODE_PLAIN || plan.noise_multiplier_q16 != 0) {
    return Status::kUnsupported;
  }
  return seal::kem_from_wire(plan.kem).status();
}

}  // namespace

learn::Optimizer optimizer_of(const wire::RoundPlan& plan) {
  return {.momentum_q15 = static_cast<std::uint16_t>(plan.momentum_q15),
          .proximal_mu_q16 = plan.proximal_mu_q16};
}

LocalRound::LocalRound(SampleSource& samples, std::span<std::byte> workspace)
    : samples_(samples), workspace_(workspace) {}

Result<LocalRound::Layout> LocalRound::lay_out(const ModelSpec& spec,
                                               const Compression& compression,
                                               const learn::Optimizer& optimizer) {
  SKEP_ASSIGN_OR_RETURN(const learn::MemoryPlan plan, learn::plan_memory(spec, optimizer));
  const std::uint32_t dimension = plan.trainable_count;
  // Neither seed nor norm changes a length.
  const compress::Options options = compress::options_for(compression, dimension, 0, Norm{1});
  const std::uint32_t compressed_bytes = compress::max_compressed_bytes(dimension, options);
  if (compression.keep_permille > 1000 || compressed_bytes == 0) return Status::kInvalidArgument;

  const std::uint32_t residual_bytes = has_error_feedback(compression.mode) ? 2U * dimension : 0;
  const std::uint32_t scratch_bytes = 2U * compress::scratch_elements(dimension, compression.mode);
  Layout layout;
  layout.dimension = dimension;
  layout.residual = align8(plan.training_bytes);
  layout.features = align8(layout.residual + residual_bytes);
  layout.delta = align8(std::max(layout.features + 2U * spec.inputs, scratch_bytes));
  layout.sealed = align8(layout.delta + 2U * dimension);
  layout.size_bytes = layout.sealed + seal::sealed_bytes_bound(compressed_bytes);
  return layout;
}

Result<std::uint32_t> LocalRound::workspace_bytes(const ModelSpec& spec,
                                                  const Compression& compression,
                                                  const learn::Optimizer& optimizer) {
  SKEP_ASSIGN_OR_RETURN(const Layout layout, lay_out(spec, compression, optimizer));
  return layout.size_bytes;
}

Result<std::uint32_t> LocalRound::sealed_bytes_bound(const ModelSpec& spec,
                                                     const Compression& compression,
                                                     const learn::Optimizer& optimizer) {
  SKEP_ASSIGN_OR_RETURN(const Layout layout, lay_out(spec, compression, optimizer));
  return layout.size_bytes - layout.sealed;
}

Status LocalRound::begin(const RoundTask& task) {
  phase_ = Phase::kNone;
  compressed_.reset();
  sealed_.reset();
  SKEP_TRY(check_supported(task.plan));
  const Compression compression = wire::to_compression(task.plan);
  const learn::Optimizer optimizer = optimizer_of(task.plan);
  SKEP_ASSIGN_OR_RETURN(const Layout layout, lay_out(task.spec, compression, optimizer));
  if (layout.size_bytes > workspace_.size()) return Status::kNoMemory;
  sample_count_ = std::min(samples_.count(), wire::kMaxSampleCount);
  if (sample_count_ == 0) return Status::kNotFound;

  task_.emplace(task);
  layout_ = layout;
  prepare_residual(task.spec, compression.mode);
  SKEP_ASSIGN_OR_RETURN(learn::Engine engine,
                        learn::Engine::create(task.spec, learn::Purpose::kTraining,
                                              workspace_.first(layout_.residual), optimizer));
  SKEP_TRY(engine.load(task.weights));
  engine.seed_rounding(mix_seed(task.seed, kRoundingSalt));
  engine_.emplace(engine);

  position_ = epoch_ = 0;
  steps_ = 0;
  loss_sum_ = 0;
  loss_before_q16_ = loss_after_q16_ = 0;
  phase_ = Phase::kEvaluating;
  return Status::kOk;
}

void LocalRound::prepare_residual(const ModelSpec& spec, CompressionMode mode) {
  if (!has_error_feedback(mode)) {
    // Other things lie where it would be.
    feedback_.reset();
    residual_spec_ = {};
    return;
  }
  if (residual_spec_ == spec && residual_offset_ == layout_.residual) return;
  feedback_.emplace(region<std::int16_t>(layout_.residual, layout_.dimension));
  residual_spec_ = spec;
  residual_offset_ = layout_.residual;
}

Result<bool> LocalRound::step(std::uint16_t samples) {
  Status status = Status::kOk;
  switch (phase_) {
    case Phase::kNone:
      return Status::kInvalidArgument;
    case Phase::kEvaluating:
      status = evaluate(samples);
      break;
    case Phase::kTraining:
      status = train(samples);
      break;
    case Phase::kCompressing:
      status = compress_update();
      break;
    case Phase::kSealing:
      status = seal_update();
      break;
    case Phase::kDone:
      break;
  }
  if (status != Status::kOk) {
    phase_ = Phase::kNone;
    return status;
  }
  return phase_ == Phase::kDone;
}

Status LocalRound::evaluate(std::uint16_t samples) {
  for (std::uint16_t i = 0; i < samples && position_ < sample_count_; ++i, ++position_) {
    std::uint16_t label = 0;
    SKEP_TRY(read_sample(position_, label));
    SKEP_ASSIGN_OR_RETURN(
        const std::uint32_t loss_q16,
        engine_->evaluate(region<std::int16_t>(layout_.features, task_->spec.inputs), label));
    loss_sum_ += loss_q16;
  }
  if (position_ == sample_count_) {
    loss_before_q16_ = mean(loss_sum_, sample_count_);
    loss_sum_ = 0;
    position_ = 0;
    phase_ = Phase::kTraining;
  }
  return Status::kOk;
}

Status LocalRound::train(std::uint16_t samples) {
  const wire::RoundPlan& plan = task_->plan;
  const Permutation order(sample_count_, mix_seed(task_->seed, epoch_));
  for (std::uint16_t i = 0; i < samples && !epoch_ended(); ++i, ++position_, ++steps_) {
    SKEP_TRY(train_on(order(position_)));
  }
  if (epoch_ended()) {
    loss_after_q16_ = mean(loss_sum_, position_);
    loss_sum_ = 0;
    position_ = 0;
    ++epoch_;
    const bool out_of_steps = plan.max_local_steps != 0 && steps_ >= plan.max_local_steps;
    if (epoch_ >= plan.local_epochs || out_of_steps) phase_ = Phase::kCompressing;
  }
  return Status::kOk;
}

bool LocalRound::epoch_ended() const {
  const std::uint32_t max_steps = task_->plan.max_local_steps;
  return position_ == sample_count_ || (max_steps != 0 && steps_ >= max_steps);
}

Status LocalRound::train_on(std::uint32_t index) {
  std::uint16_t label = 0;
  SKEP_TRY(read_sample(index, label));
  const learn::LearningRate rate{
      .mantissa = static_cast<std::uint16_t>(task_->plan.learning_rate_mantissa),
      .shift = static_cast<std::uint8_t>(task_->plan.learning_rate_shift)};
  SKEP_ASSIGN_OR_RETURN(
      const std::uint32_t loss_q16,
      engine_->train_step(region<std::int16_t>(layout_.features, task_->spec.inputs), label, rate));
  loss_sum_ += loss_q16;
  return Status::kOk;
}

Status LocalRound::read_sample(std::uint32_t index, std::uint16_t& label) {
  return samples_.read(index, region<std::int16_t>(layout_.features, task_->spec.inputs), label);
}

Status LocalRound::compress_update() {
  SKEP_ASSIGN_OR_RETURN(
      Delta delta, engine_->difference_from(task_->weights,
                                            region<std::int16_t>(layout_.delta, layout_.dimension),
                                            trained_sample_count()));
  if (feedback_.has_value()) SKEP_TRY(feedback_->add_to(delta));
  const Norm clip_norm{.q16 = task_->plan.clip_norm_q16};
  SKEP_ASSIGN_OR_RETURN(const Clipped clipped, privacy::clip(delta, clip_norm));
  const Noised noised = privacy::without_noise(clipped);
  const Compression compression = wire::to_compression(task_->plan);
  const std::uint32_t seed =
      compress::public_seed(task_->plan.round, task_->plan.base_digest, task_->device);
  const compress::Options options =
      compress::options_for(compression, layout_.dimension, seed, clip_norm);
  const auto scratch =
      region<std::int16_t>(0, compress::scratch_elements(layout_.dimension, compression.mode));
  SKEP_ASSIGN_OR_RETURN(const Compressed compressed,
                        compress::compress(noised, options, sealed_region(), scratch));
  if (feedback_.has_value()) SKEP_TRY(feedback_->retain(noised, compressed, options));
  compressed_.emplace(compressed);
  phase_ = Phase::kSealing;
  return Status::kOk;
}

Status LocalRound::seal_update() {
  const wire::RoundPlan& plan = task_->plan;
  const seal::UpdateContext context{
      .federation = plan.federation,
      .device = task_->device,
      .round = plan.round,
      .base_version = plan.base_version,
      .nonce = plan.nonce,
      .key_id = plan.key_id,
      .base_digest = std::span(plan.base_digest).first<wire::kShortDigestBytes>(),
      .loss_before_q16 = loss_before_q16_,
      .loss_after_q16 = loss_after_q16_,
  };
  SKEP_ASSIGN_OR_RETURN(const seal::Kem kem, seal::kem_from_wire(plan.kem));
  const seal::SealKeys keys{.kem = kem,
                            .aggregation_public_key = wire::bytes_of(plan.aggregation_key),
                            .device_key = task_->device_key};
  SKEP_ASSIGN_OR_RETURN(const Sealed sealed,
                        seal::seal_update(*compressed_, context, keys, sealed_region()));
  compressed_.reset();
  sealed_.emplace(sealed);
  phase_ = Phase::kDone;
  return Status::kOk;
}

std::uint32_t LocalRound::trained_sample_count() const {
  return static_cast<std::uint32_t>(std::min<std::uint64_t>(sample_count_, steps_));
}

RoundSummary LocalRound::summary() const {
  return {.sample_count = trained_sample_count(),
          .loss_before_q16 = loss_before_q16_,
          .loss_after_q16 = loss_after_q16_};
}

void LocalRound::lend_workspace(std::uint32_t bytes) {
  phase_ = Phase::kNone;
  if (bytes > layout_.residual) residual_spec_ = {};
}

Result<learn::Engine> LocalRound::inference_engine(const ModelSpec& spec,
                                                   const ByteSource& weights) {
  phase_ = Phase::kNone;
  // The engine of another architecture may reach over the residual.
  if (residual_spec_ != spec) residual_spec_ = {};
  SKEP_ASSIGN_OR_RETURN(learn::Engine engine,
                        learn::Engine::create(spec, learn::Purpose::kInference, workspace_));
  SKEP_TRY(engine.load(weights));
  return engine;
}

Result<std::uint16_t> LocalRound::predict(const ModelSpec& spec, const ByteSource& weights,
                                          std::span<const std::int16_t> features) {
  SKEP_ASSIGN_OR_RETURN(learn::Engine engine, inference_engine(spec, weights));
  SKEP_TRY(engine.forward(features).status());
  return engine.predicted_class();
}

Result<std::uint32_t> LocalRound::loss(const ModelSpec& spec, const ByteSource& weights,
                                       std::span<const std::int16_t> features,
                                       std::uint16_t label) {
  SKEP_ASSIGN_OR_RETURN(learn::Engine engine, inference_engine(spec, weights));
  return engine.evaluate(features, label);
}

}  // namespace skep::round

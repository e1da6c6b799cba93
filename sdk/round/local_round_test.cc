#include "skep/round/local_round.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <vector>

#include "skep/learn/memory_plan.h"
#include "skep/learn_testing/specs.h"
#include "skep/round_testing/fake_gateway.h"
#include "skep/round_testing/fakes.h"
#include "skep/round_testing/reference_update.h"

namespace skep::round {
namespace {

using round_testing::Buffer;
using round_testing::digest_of;
using round_testing::initial_weights;
using round_testing::Keys;
using round_testing::make_plan;
using round_testing::separable_samples;
using round_testing::take;
using round_testing::VectorSamples;

constexpr ModelSpec kSpec = round_testing::kReferenceSpec;
constexpr std::uint32_t kSampleCount = round_testing::kReferenceSampleCount;

std::string to_hex(const Buffer& bytes) {
  std::string text;
  for (const std::uint8_t byte : bytes) {
    text += "0123456789abcdef"[byte >> 4U];
    text += "0123456789abcdef"[byte & 15U];
  }
  return text;
}

// Workspace with a canary on either side, of exactly the bytes asked for.
class GuardedWorkspace {
 public:
  explicit GuardedWorkspace(std::uint32_t size_bytes)
      : size_bytes_(size_bytes), words_(size_bytes / 8 + 2 * kGuardWords + 1, kCanary) {}

  [[nodiscard]] std::span<std::byte> span() {
    return std::as_writable_bytes(std::span(words_)).subspan(kGuardWords * 8, size_bytes_);
  }
  [[nodiscard]] bool is_untouched_around() {
    const auto bytes = std::as_writable_bytes(std::span(words_));
    const auto is_canary = [](std::byte value) { return value == std::byte{0xA5}; };
    return std::ranges::all_of(bytes.first(kGuardWords * 8), is_canary) &&
           std::ranges::all_of(bytes.subspan(kGuardWords * 8 + size_bytes_), is_canary);
  }
  [[nodiscard]] bool is_untouched() {
    return std::ranges::all_of(words_, [](std::uint64_t word) { return word == kCanary; });
  }

 private:
  static constexpr std::size_t kGuardWords = 16;
  static constexpr std::uint64_t kCanary = 0xA5A5A5A5A5A5A5A5;
  std::uint32_t size_bytes_;
  std::vector<std::uint64_t> words_;
};

class LocalRoundTest : public testing::Test {
 protected:
  LocalRoundTest() : plan_(make_plan(1, 1, digest_of(weights_))), weights_source_(weights_) {}

  [[nodiscard]] RoundTask task(std::uint32_t seed = 5) const {
    return {.plan = plan_,
            .spec = kSpec,
            .weights = weights_source_,
            .device = "bee-1",
            .device_key = Keys::instance().device,
            .seed = seed};
  }

  [[nodiscard]] std::uint32_t workspace_bytes() const {
    return take(
        LocalRound::workspace_bytes(kSpec, wire::to_compression(plan_), optimizer_of(plan_)));
  }

  static std::uint32_t dimension() { return take(learn::plan_memory(kSpec)).parameter_count; }

  // Runs a round to its end; the compressed bytes.
  static Buffer run(LocalRound& round, const RoundTask& task, std::uint16_t samples_per_step = 7) {
    EXPECT_EQ(round.begin(task), Status::kOk);
    Buffer compressed;
    for (bool done = false; !done;) {
      const Result<bool> result = round.step(samples_per_step);
      EXPECT_EQ(result.status(), Status::kOk);
      if (!result.ok()) return {};
      done = *result;
      if (round.compressed().has_value()) {
        const Bytes bytes = round.compressed()->bytes();
        compressed.assign(bytes.begin(), bytes.end());
      }
    }
    return compressed;
  }

  Buffer weights_ = initial_weights(kSpec);
  wire::RoundPlan plan_;
  SpanSource weights_source_;
  VectorSamples samples_{separable_samples(kSampleCount, 6, 3)};
  GuardedWorkspace workspace_{64 * 1024};
};

// The boards make the same update: tests/firmware/instruction_counts.cc.
TEST_F(LocalRoundTest, SameTaskGivesTheSameBytesEverywhere) {
  LocalRound round(samples_, workspace_.span());
  EXPECT_EQ(to_hex(digest_of(run(round, task(round_testing::kReferenceSeed)))),
            round_testing::kReferenceUpdateSha256);
}

TEST_F(LocalRoundTest, BytesDoNotDependOnTheSizeOfSteps) {
  LocalRound one(samples_, workspace_.span());
  const Buffer in_ones = run(one, task(), 1);
  GuardedWorkspace other_workspace(workspace_bytes());
  LocalRound all(samples_, other_workspace.span());
  EXPECT_EQ(run(all, task(), 1000), in_ones);
}

TEST_F(LocalRoundTest, SeedChangesTheBytes) {
  LocalRound first(samples_, workspace_.span());
  const Buffer with_five = run(first, task(5));
  GuardedWorkspace other_workspace(workspace_bytes());
  LocalRound second(samples_, other_workspace.span());
  EXPECT_NE(run(second, task(6)), with_five);
}

TEST_F(LocalRoundTest, WorkspaceIsExact) {
  for (const std::uint32_t keep_permille : {1U, 137U, 1000U}) {
    plan_.keep_permille = keep_permille;
    GuardedWorkspace workspace(workspace_bytes());
    LocalRound round(samples_, workspace.span());
    EXPECT_FALSE(run(round, task()).empty());
    EXPECT_TRUE(workspace.is_untouched_around()) << keep_permille;
    EXPECT_LE(round.sealed().bytes().size(),
              take(LocalRound::sealed_bytes_bound(kSpec, wire::to_compression(plan_))));
  }
}

TEST_F(LocalRoundTest, OneByteLessIsRefusedAndNotTouched) {
  GuardedWorkspace workspace(workspace_bytes() - 1);
  LocalRound round(samples_, workspace.span());
  EXPECT_EQ(round.begin(task()), Status::kNoMemory);
  EXPECT_TRUE(workspace.is_untouched());
  EXPECT_EQ(round.step(1).status(), Status::kInvalidArgument);
}

TEST_F(LocalRoundTest, WhatIsSentKeepsTheClipNorm) {
  LocalRound round(samples_, workspace_.span());
  for (const std::uint32_t clip_norm_q16 : {1U << 8U, 1U << 12U, 1U << 16U, 1U << 20U}) {
    plan_.clip_norm_q16 = clip_norm_q16;
    const Buffer bytes = run(round, task());
    EXPECT_EQ(round_testing::judge_delta(bytes, dimension(), plan_, "bee-1"), Status::kOk)
        << clip_norm_q16;
  }
}

constexpr CompressionMode kModes[] = {CompressionMode::kTopK, CompressionMode::kTernary,
                                      CompressionMode::kInt8, CompressionMode::kEden,
                                      CompressionMode::kRandomK};

class EveryMode : public LocalRoundTest, public testing::WithParamInterface<CompressionMode> {
 protected:
  EveryMode() { round_testing::set_compression(plan_, GetParam()); }
};

TEST_P(EveryMode, MakesWhatTheGatewayTakesInExactlyItsWorkspace) {
  GuardedWorkspace workspace(workspace_bytes());
  LocalRound round(samples_, workspace.span());
  for (const std::uint32_t clip_norm_q16 : {1U << 8U, 1U << 16U, 1U << 20U}) {
    plan_.clip_norm_q16 = clip_norm_q16;
    const Buffer bytes = run(round, task());
    EXPECT_EQ(round_testing::judge_delta(bytes, dimension(), plan_, "bee-1"), Status::kOk)
        << clip_norm_q16;
    EXPECT_LE(round.sealed().bytes().size(),
              take(LocalRound::sealed_bytes_bound(kSpec, wire::to_compression(plan_))));
  }
  EXPECT_TRUE(workspace.is_untouched_around());
  LocalRound refused(samples_, workspace.span().first(workspace_bytes() - 1));
  EXPECT_EQ(refused.begin(task()), Status::kNoMemory);
}

TEST_P(EveryMode, SameTaskGivesTheSameBytes) {
  LocalRound first(samples_, workspace_.span());
  const Buffer bytes = run(first, task());
  GuardedWorkspace other_workspace(workspace_bytes());
  LocalRound second(samples_, other_workspace.span());
  EXPECT_EQ(run(second, task(), 1), bytes);
}

// With the residual of the first round, the second differs; without one it is the first again.
TEST_P(EveryMode, HasAResidualWhereThatIsLegal) {
  LocalRound round(samples_, workspace_.span());
  const Buffer first = run(round, task());
  EXPECT_EQ(run(round, task()) != first, has_error_feedback(GetParam()));
}

TEST_P(EveryMode, IgnoresAResidualThatIsNotItsOwn) {
  const wire::RoundPlan plan = plan_;
  LocalRound changing(samples_, workspace_.span());
  const Buffer first = run(changing, task());
  // Another mode's work lies where the residual was, so that is forgotten.
  round_testing::set_compression(plan_, CompressionMode::kEden);
  (void)run(changing, task());
  plan_ = plan;
  EXPECT_EQ(run(changing, task()), first);
}

INSTANTIATE_TEST_SUITE_P(Modes, EveryMode, testing::ValuesIn(kModes));

// The two biased modes share their residual: what one leaves out the other may send.
TEST_F(LocalRoundTest, ResidualOutlivesAChangeFromTopKToTernary) {
  LocalRound round(samples_, workspace_.span());
  (void)run(round, task());
  round_testing::set_compression(plan_, CompressionMode::kTernary);
  const Buffer after_top_k = run(round, task());
  GuardedWorkspace fresh(workspace_bytes());
  LocalRound without_residual(samples_, fresh.span());
  EXPECT_NE(run(without_residual, task()), after_top_k);
}

TEST_F(LocalRoundTest, OnlyErrorFeedbackTakesMemoryForAResidual) {
  const auto bytes_before_sealing = [this](CompressionMode mode) {
    round_testing::set_compression(plan_, mode);
    const Compression compression = wire::to_compression(plan_);
    return take(LocalRound::workspace_bytes(kSpec, compression)) -
           take(LocalRound::sealed_bytes_bound(kSpec, compression));
  };
  const std::uint32_t without = bytes_before_sealing(CompressionMode::kInt8);
  EXPECT_EQ(bytes_before_sealing(CompressionMode::kRandomK), without);
  EXPECT_EQ(bytes_before_sealing(CompressionMode::kEden), without) << "over the engine's memory";
  const std::uint32_t with = bytes_before_sealing(CompressionMode::kTopK);
  EXPECT_EQ(bytes_before_sealing(CompressionMode::kTernary), with);
  EXPECT_GE(with, without + 2 * dimension());
}

TEST_F(LocalRoundTest, APlanOfVersion1IsTopK) {
  LocalRound second_version(samples_, workspace_.span());
  const Buffer bytes = run(second_version, task());
  plan_.version = 1;
  plan_.compression = skep_Compression_COMPRESSION_UNSPECIFIED;
  GuardedWorkspace other_workspace(workspace_bytes());
  LocalRound first_version(samples_, other_workspace.span());
  EXPECT_EQ(run(first_version, task()), bytes);
}

TEST_F(LocalRoundTest, WhatWasLeftOutIsSentLater) {
  plan_.keep_permille = 100;
  LocalRound round(samples_, workspace_.span());
  const Buffer first = run(round, task());
  const Buffer second = run(round, task());
  EXPECT_NE(first, second) << "the same task again, but with the residual of the first";
  GuardedWorkspace fresh(workspace_bytes());
  LocalRound without_residual(samples_, fresh.span());
  EXPECT_EQ(run(without_residual, task()), first);
}

TEST_F(LocalRoundTest, PredictingWithTheSameModelKeepsTheResidual) {
  LocalRound round(samples_, workspace_.span());
  (void)run(round, task());
  const Buffer second = run(round, task());

  GuardedWorkspace other_workspace(workspace_bytes());
  LocalRound predicting(samples_, other_workspace.span());
  (void)run(predicting, task());
  EXPECT_TRUE(predicting.predict(kSpec, weights_source_, samples_.samples[0].features).ok());
  EXPECT_EQ(run(predicting, task()), second);
}

// A larger model's engine reaches over where the residual lies.
TEST_F(LocalRoundTest, PredictingWithAnotherModelForgetsTheResidual) {
  LocalRound round(samples_, workspace_.span());
  const Buffer first = run(round, task());
  constexpr ModelSpec kLarger = learn_testing::mlp_spec({6, 64, 64, 3}, -15);
  const Buffer larger_weights = initial_weights(kLarger);
  EXPECT_TRUE(
      round.predict(kLarger, SpanSource(larger_weights), samples_.samples[0].features).ok());
  EXPECT_EQ(run(round, task()), first);
}

// 23 * 5 + 5 and 11 * 10 + 10 parameters: as many, elsewhere in the workspace.
TEST_F(LocalRoundTest, ResidualBelongsToAnArchitectureNotToADimension) {
  constexpr ModelSpec kWide = learn_testing::mlp_spec({23, 5}, -15);
  constexpr ModelSpec kTall = learn_testing::mlp_spec({11, 10}, -15);
  ASSERT_EQ(take(learn::plan_memory(kWide)).parameter_count,
            take(learn::plan_memory(kTall)).parameter_count);
  const Buffer wide_weights = initial_weights(kWide);
  const Buffer tall_weights = initial_weights(kTall);
  const SpanSource wide_source(wide_weights);
  const SpanSource tall_source(tall_weights);
  const auto task_on = [this](const ModelSpec& spec, const SpanSource& source) {
    return RoundTask{plan_, spec, source, "bee-1", Keys::instance().device, 5};
  };
  plan_.keep_permille = 50;
  LocalRound changing(samples_, workspace_.span());
  samples_.samples = separable_samples(kSampleCount, 23, 5);
  (void)run(changing, task_on(kWide, wide_source));
  samples_.samples = separable_samples(kSampleCount, 11, 10);
  const Buffer after_change = run(changing, task_on(kTall, tall_source));

  GuardedWorkspace fresh(64 * 1024);
  LocalRound without_residual(samples_, fresh.span());
  EXPECT_EQ(run(without_residual, task_on(kTall, tall_source)), after_change);
}

TEST_F(LocalRoundTest, LossFallsOnALearnableSet) {
  plan_.local_epochs = 5;
  LocalRound round(samples_, workspace_.span());
  (void)run(round, task());
  const RoundSummary summary = round.summary();
  EXPECT_EQ(summary.sample_count, kSampleCount);
  EXPECT_GT(summary.loss_before_q16, 0U);
  EXPECT_LT(summary.loss_after_q16, summary.loss_before_q16);
}

TEST_F(LocalRoundTest, StepsAreBounded) {
  plan_.max_local_steps = 10;
  LocalRound round(samples_, workspace_.span());
  (void)run(round, task());
  EXPECT_EQ(round.summary().sample_count, 10U);

  // Exactly one pass: the bound and the epoch end together, and the second does not begin.
  plan_.max_local_steps = kSampleCount;
  GuardedWorkspace bounded_workspace(workspace_bytes());
  LocalRound bounded(samples_, bounded_workspace.span());
  const Buffer by_steps = run(bounded, task());
  plan_.max_local_steps = 0;
  plan_.local_epochs = 1;
  GuardedWorkspace single_workspace(workspace_bytes());
  LocalRound single(samples_, single_workspace.span());
  EXPECT_EQ(run(single, task()), by_steps);
}

TEST_F(LocalRoundTest, ThePlansOptimizerTrains) {
  LocalRound plain(samples_, workspace_.span());
  const auto plain_update = run(plain, task());
  plan_.momentum_q15 = 29491;  // 0.9
  GuardedWorkspace too_small(workspace_bytes() - 1);
  LocalRound refused(samples_, too_small.span());
  EXPECT_EQ(refused.begin(task()), Status::kNoMemory) << "velocities take memory";
  GuardedWorkspace momentum_workspace(workspace_bytes());
  LocalRound momentum(samples_, momentum_workspace.span());
  const auto momentum_update = run(momentum, task());
  EXPECT_NE(momentum_update, plain_update);
  plan_.momentum_q15 = 0;
  plan_.proximal_mu_q16 = 1U << 16U;
  GuardedWorkspace proximal_workspace(workspace_bytes());
  LocalRound proximal(samples_, proximal_workspace.span());
  EXPECT_NE(run(proximal, task()), plain_update);
}

TEST_F(LocalRoundTest, NoSamplesNoRound) {
  samples_.samples.clear();
  LocalRound round(samples_, workspace_.span());
  EXPECT_EQ(round.begin(task()), Status::kNotFound);
}

TEST_F(LocalRoundTest, UnsupportedPlansAreRefusedBeforeTheDataIsTouched) {
  const wire::RoundPlan good = plan_;
  LocalRound round(samples_, workspace_.span());
  plan_.noise_multiplier_q16 = 1;
  EXPECT_EQ(round.begin(task()), Status::kUnsupported);
  plan_ = good;
  plan_.mode = skep_RoundMode_ROUND_MODE_UNSPECIFIED;
  EXPECT_EQ(round.begin(task()), Status::kUnsupported);
  plan_ = good;
  plan_.kem = skep_Kem_KEM_UNSPECIFIED;
  EXPECT_EQ(round.begin(task()), Status::kUnsupported);
  plan_ = good;
  plan_.proximal_mu_q16 = learn::kMaxProximalMu_q16 + 1;
  EXPECT_EQ(round.begin(task()), Status::kInvalidArgument);
  plan_ = good;
  plan_.keep_permille = 0;
  EXPECT_EQ(round.begin(task()), Status::kInvalidArgument);
  plan_ = good;
  plan_.value_bits = 17;
  EXPECT_EQ(round.begin(task()), Status::kInvalidArgument);
  EXPECT_TRUE(workspace_.is_untouched());
}

TEST_F(LocalRoundTest, BadSamplesEndTheRound) {
  samples_.samples[3].label = 3;  // no such class
  LocalRound round(samples_, workspace_.span());
  ASSERT_EQ(round.begin(task()), Status::kOk);
  EXPECT_EQ(round.step(10).status(), Status::kInvalidArgument);
  EXPECT_EQ(round.step(10).status(), Status::kInvalidArgument) << "it stays over";
}

TEST_F(LocalRoundTest, MalformedWeightsAreRefused) {
  LocalRound round(samples_, workspace_.span());
  const SpanSource cut(Bytes(weights_).first(weights_.size() - 1));
  EXPECT_EQ(round.begin({plan_, kSpec, cut, "bee-1", Keys::instance().device, 5}),
            Status::kMalformed);
}

TEST_F(LocalRoundTest, PredictSaysAClassOrWhyNot) {
  LocalRound round(samples_, workspace_.span());
  const Result<std::uint16_t> predicted =
      round.predict(kSpec, weights_source_, samples_.samples[0].features);
  ASSERT_TRUE(predicted.ok());
  EXPECT_LT(*predicted, 3);
  EXPECT_EQ(round.predict(kSpec, weights_source_, std::vector<std::int16_t>(5)).status(),
            Status::kInvalidArgument);
  LocalRound tiny(samples_, workspace_.span().first(64));
  EXPECT_EQ(tiny.predict(kSpec, weights_source_, samples_.samples[0].features).status(),
            Status::kNoMemory);
}

}  // namespace
}  // namespace skep::round

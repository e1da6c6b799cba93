#include "skep/device.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "device_test_support.h"
#include "skep/wire/response_code.h"

namespace skep::round {
namespace {

using round_testing::Buffer;
using round_testing::Keys;
using round_testing::sign_plan;

class DeviceTest : public testing::Test {
 protected:
  DeviceWorld world_;
  FakeGateway& gateway_ = world_.gateway;
};

TEST_F(DeviceTest, FirstContactFetchesTrainsAndIsCounted) {
  world_.boot();
  EXPECT_EQ(world_.device->model_version(), 0U);
  ASSERT_TRUE(world_.run_until_accepted(1));
  EXPECT_EQ(world_.device->model_version(), 1U);
  EXPECT_EQ(world_.kinds(), (std::vector{EventKind::kConnected, EventKind::kModelInstalled,
                                         EventKind::kRoundStarted, EventKind::kUpdateStored,
                                         EventKind::kUpdateAccepted}));
  ASSERT_EQ(gateway_.received().size(), 1U);
  const round_testing::ReceivedUpdate& update = gateway_.received()[0];
  EXPECT_EQ(update.sample_count, world_.samples.count());
  EXPECT_LT(update.loss_after_q16, update.loss_before_q16);
  const Event& stored = *world_.last(EventKind::kUpdateStored);
  EXPECT_EQ(stored.round, 1U);
  EXPECT_GT(stored.update_bytes, 0U);
  EXPECT_EQ(stored.loss_before_q16, update.loss_before_q16);
}

TEST_F(DeviceTest, NextRoundsFollowAndNoneIsAnsweredTwice) {
  world_.boot();
  ASSERT_TRUE(world_.run_until_accepted(1));
  for (int i = 0; i < 3; ++i) gateway_.announce();
  world_.run(200);
  EXPECT_EQ(gateway_.received().size(), 1U);
  EXPECT_EQ(gateway_.duplicates, 0U);
  gateway_.release_next_model();
  gateway_.open_next_round();
  ASSERT_TRUE(world_.run_until_accepted(2));
  EXPECT_EQ(world_.device->model_version(), 2U);
  EXPECT_EQ(gateway_.received()[1].base_version, 2U);
}

TEST_F(DeviceTest, AnsweredRoundIsRememberedOverAReset) {
  world_.boot();
  ASSERT_TRUE(world_.run_until_accepted(1));
  world_.reset();
  world_.run(300);
  EXPECT_EQ(world_.device->state(), DeviceState::kObserving);
  EXPECT_EQ(world_.device->model_version(), 1U);
  EXPECT_EQ(gateway_.received().size(), 1U);
  EXPECT_EQ(world_.count(EventKind::kRoundStarted), 1);
}

TEST_F(DeviceTest, RepeatedPlanDisturbsNothing) {
  world_.boot();
  ASSERT_TRUE(world_.run_until([&] { return world_.device->state() == DeviceState::kFetching; }));
  gateway_.announce();
  ASSERT_TRUE(world_.run_until([&] { return world_.device->state() == DeviceState::kTraining; }));
  EXPECT_EQ(gateway_.model_requests, 1U);
  gateway_.announce();
  ASSERT_TRUE(world_.run_until_accepted(1));
  EXPECT_EQ(world_.count(EventKind::kRoundStarted), 1);
}

TEST_F(DeviceTest, NewPlanInMidTrainingStartsOver) {
  world_.boot();
  ASSERT_TRUE(world_.run_until([&] { return world_.device->state() == DeviceState::kTraining; }));
  world_.run(5);
  gateway_.open_next_round();
  ASSERT_TRUE(world_.run_until_accepted(2));
  EXPECT_EQ(world_.count(EventKind::kRoundStarted), 2);
  ASSERT_EQ(gateway_.received().size(), 1U) << "the abandoned round sent nothing";
  EXPECT_EQ(gateway_.received()[0].round, 2U);
}

TEST_F(DeviceTest, NewModelInMidTransferStartsOver) {
  world_.boot();
  gateway_.faults.block_bytes = 16;
  ASSERT_TRUE(world_.run_until([&] { return world_.device->state() == DeviceState::kFetching; }));
  world_.run(3);
  gateway_.release_next_model();
  gateway_.open_next_round();
  ASSERT_TRUE(world_.run_until_accepted(2));
  EXPECT_EQ(world_.device->model_version(), 2U);
}

TEST_F(DeviceTest, IdlePlanFetchesTheModelAndTrainsNothing) {
  gateway_.plan.state = skep_RoundState_ROUND_STATE_IDLE;
  world_.boot();
  ASSERT_TRUE(world_.run_until([&] { return world_.device->model_version() == 1; }));
  world_.run(100);
  EXPECT_EQ(world_.device->state(), DeviceState::kObserving);
  EXPECT_EQ(world_.count(EventKind::kRoundStarted), 0);
}

TEST_F(DeviceTest, PackageWithoutAnnouncedSizeIsInstalled) {
  gateway_.faults.hides_total = true;
  world_.boot();
  EXPECT_TRUE(world_.run_until_accepted(1));
}

// ---- refused models

struct BadPackage {
  const char* name;
  Status reason;
  std::function<void(FakeGateway&)> spoil;
};

std::ostream& operator<<(std::ostream& out, const BadPackage& bad) { return out << bad.name; }

class DeviceRefusesPackage : public testing::TestWithParam<BadPackage> {};

TEST_P(DeviceRefusesPackage, AndTheOldModelServesOn) {
  DeviceWorld world;
  world.boot();
  ASSERT_TRUE(world.run_until_accepted(1));
  world.gateway.release_next_model();
  GetParam().spoil(world.gateway);
  world.gateway.open_next_round();
  ASSERT_TRUE(world.run_until([&] { return world.count(EventKind::kModelRefused) == 1; }));
  EXPECT_EQ(world.last(EventKind::kModelRefused)->status, GetParam().reason)
      << to_string(world.last(EventKind::kModelRefused)->status);
  EXPECT_EQ(world.device->model_version(), 1U);
  EXPECT_TRUE(world.device->predict(world.samples.samples[0].features).ok());
  // A good one is taken at the next attempt.
  world.gateway.faults = {};
  world.gateway.manifest.model_version = 2;
  std::ranges::copy(round_testing::kFederation, world.gateway.manifest.federation);
  world.gateway.manifest.minimum_sdk_version = 0;
  world.gateway.manifest.spec = wire::from_model_spec(DeviceWorld::kSpec);
  world.gateway.weights = round_testing::initial_weights(DeviceWorld::kSpec, 2);
  world.gateway.repack(Keys::instance().signing);
  EXPECT_TRUE(world.run_until([&] { return world.device->model_version() == 2; }));
}

const BadPackage kBadPackages[] = {
    {"FlippedManifestBit", Status::kBadSignature,
     [](FakeGateway& gateway) { gateway.package[12] ^= 1U; }},
    {"FlippedWeightBit", Status::kBadDigest,
     [](FakeGateway& gateway) { gateway.package.back() ^= 1U; }},
    {"ForeignKey", Status::kBadSignature,
     [](FakeGateway& gateway) { gateway.repack(Keys::instance().foreign); }},
    {"OtherFederation", Status::kWrongFederation,
     [](FakeGateway& gateway) {
       gateway.manifest.federation[0] ^= 1U;
       gateway.repack(Keys::instance().signing);
     }},
    {"LowerVersion", Status::kStaleVersion,
     [](FakeGateway& gateway) {
       gateway.manifest.model_version = 1;
       gateway.repack(Keys::instance().signing);
     }},
    {"NewerSdk", Status::kUnsupportedVersion,
     [](FakeGateway& gateway) {
       gateway.manifest.minimum_sdk_version = UINT32_MAX;
       gateway.repack(Keys::instance().signing);
     }},
    {"TooLargeForTheWorkspace", Status::kNoMemory,
     [](FakeGateway& gateway) {
       const ModelSpec large = learn_testing::mlp_spec({4, 120, 3}, -15);
       gateway.manifest.spec = wire::from_model_spec(large);
       gateway.weights = round_testing::initial_weights(large);
       gateway.repack(Keys::instance().signing);
     }},
    {"TooLargeForTheSlot", Status::kTooLarge,
     [](FakeGateway& gateway) { gateway.package.resize(5000); }},
    {"CutShort", Status::kMalformed, [](FakeGateway& gateway) { gateway.faults.ends_at = 200; }},
    {"ReplacedInMidTransfer", Status::kMalformed,
     [](FakeGateway& gateway) { gateway.faults.changes_etag_at = 128; }},
    {"Busy", Status::kBusy,
     [](FakeGateway& gateway) { gateway.faults.model_codes = {wire::coap_code(5, 3)}; }},
};

INSTANTIATE_TEST_SUITE_P(Each, DeviceRefusesPackage, testing::ValuesIn(kBadPackages),
                         [](const auto& bad) { return std::string(bad.param.name); });

// ---- patches

// A device with version 1 and a gateway that has patches, about to release version 2.
class DevicePatchTest : public DeviceTest {
 protected:
  DevicePatchTest() {
    gateway_.serves_patches = true;
    world_.boot();
    EXPECT_TRUE(world_.run_until_accepted(1));
    EXPECT_EQ(gateway_.patches, 0U) << "there was nothing to start from";
  }

  void release() {
    gateway_.release_next_model();
    gateway_.open_next_round();
  }

  // The model of `version` came, and the device trains on it.
  void expect_update_on(std::uint32_t version) {
    ASSERT_TRUE(world_.run_until_accepted(gateway_.plan.round));
    EXPECT_EQ(world_.device->model_version(), version);
    EXPECT_EQ(gateway_.received().back().base_version, version);
    EXPECT_EQ(world_.flash.violation(), "");
  }
};

TEST_F(DevicePatchTest, FetchesWhatIsNewOnly) {
  const std::uint32_t requests_before = gateway_.model_requests;
  release();
  expect_update_on(2);
  release();
  expect_update_on(3);
  EXPECT_EQ(gateway_.patches, 2U);
  EXPECT_EQ(gateway_.model_requests, requests_before + 2);
  EXPECT_EQ(world_.count(EventKind::kPatchRefused), 0);
  EXPECT_EQ(world_.count(EventKind::kModelRefused), 0);
  world_.reset();
  EXPECT_EQ(world_.device->model_version(), 3U);
}

TEST_F(DevicePatchTest, SkipsVersionsThatItSleptThrough) {
  gateway_.release_next_model();
  gateway_.release_next_model();
  release();
  expect_update_on(4);
  EXPECT_EQ(gateway_.patches, 1U);
}

TEST_F(DevicePatchTest, TakesThePackageWhereThereIsNoPatch) {
  gateway_.serves_patches = false;
  release();
  expect_update_on(2);
  EXPECT_EQ(gateway_.patches, 0U);
  EXPECT_EQ(world_.count(EventKind::kPatchRefused), 0);
}

TEST_F(DevicePatchTest, GatewayThatKnowsNoPatchesIsAskedAgainWithout) {
  gateway_.faults.knows_no_patches = true;
  const std::uint32_t requests_before = gateway_.model_requests;
  release();
  expect_update_on(2);
  EXPECT_EQ(gateway_.model_requests, requests_before + 2);
  EXPECT_EQ(world_.last(EventKind::kPatchRefused)->status, Status::kInvalidArgument);
}

TEST_F(DevicePatchTest, BusyGatewayIsAskedForThePatchLater) {
  gateway_.faults.model_codes = {wire::coap_code(5, 3)};
  release();
  expect_update_on(2);
  EXPECT_EQ(gateway_.patches, 1U);
  EXPECT_EQ(world_.last(EventKind::kModelRefused)->status, Status::kBusy);
}

TEST_F(DevicePatchTest, PatchOfAnotherModelNeverInstalls) {
  gateway_.faults.tamper_patch = [this](Buffer& patch) {
    const wire::ModelPatch good = *wire::decode_model_patch(patch);
    Buffer bytes(patch.size() + 8);
    const auto size = wire::encode(wire::ModelPatch{.base_version = 7,
                                                    .manifest = good.manifest,
                                                    .signature = good.signature,
                                                    .difference = good.difference},
                                   bytes);
    ASSERT_TRUE(size.ok());
    bytes.resize(*size);
    patch = bytes;
  };
  release();
  expect_update_on(2);
  EXPECT_EQ(world_.last(EventKind::kPatchRefused)->status, Status::kWrongBase);
}

// One refusal, one whole download, and patches again from the next release on.
TEST_F(DevicePatchTest, RefusedPatchIsFollowedByTheWholeModelOnce) {
  for (const std::size_t from_end : {std::size_t{1}, std::size_t{40}, std::size_t{90}}) {
    SCOPED_TRACE(from_end);
    gateway_.faults.tamper_patch = [from_end](Buffer& patch) {
      patch[patch.size() - from_end] ^= 0x10U;
    };
    const std::uint32_t requests_before = gateway_.model_requests;
    const std::uint32_t patches_before = gateway_.patches;
    const int refused_before = world_.count(EventKind::kPatchRefused);
    release();
    expect_update_on(gateway_.manifest.model_version);
    EXPECT_EQ(gateway_.model_requests, requests_before + 2);
    EXPECT_EQ(gateway_.patches, patches_before + 1);
    EXPECT_EQ(world_.count(EventKind::kPatchRefused), refused_before + 1);
    EXPECT_EQ(world_.count(EventKind::kModelRefused), 0);
  }
  gateway_.faults.tamper_patch = nullptr;
  release();
  expect_update_on(5);
  EXPECT_EQ(world_.count(EventKind::kPatchRefused), 3);
}

TEST_F(DevicePatchTest, PatchThatIsCutShortIsFollowedByTheWholeModel) {
  gateway_.faults.tamper_patch = [](Buffer& patch) { patch.resize(patch.size() - 30); };
  release();
  expect_update_on(2);
  EXPECT_EQ(world_.last(EventKind::kPatchRefused)->status, Status::kMalformed);
}

TEST_F(DevicePatchTest, PackageInPlaceOfThePatchsRestIsNoticed) {
  gateway_.faults.changes_etag_at = 128;
  release();
  expect_update_on(2);
  EXPECT_EQ(world_.last(EventKind::kPatchRefused)->status, Status::kMalformed);
}

// While neither does: back-off, and no patch is tried again.
TEST_F(DevicePatchTest, RefusedPatchAndRefusedPackageBackOff) {
  gateway_.release_next_model();
  gateway_.package[12] ^= 1U;  // of the manifest, which the patch repeats
  gateway_.open_next_round();
  ASSERT_TRUE(world_.run_until([&] { return world_.count(EventKind::kModelRefused) == 3; }));
  EXPECT_EQ(world_.count(EventKind::kPatchRefused), 1);
  EXPECT_EQ(world_.last(EventKind::kPatchRefused)->status, Status::kBadSignature);
  EXPECT_EQ(world_.last(EventKind::kModelRefused)->status, Status::kBadSignature);
  EXPECT_EQ(gateway_.patches, 1U);
  EXPECT_EQ(world_.device->model_version(), 1U);
  gateway_.repack(Keys::instance().signing);
  expect_update_on(2);
}

TEST_F(DevicePatchTest, SessionLostInMidPatchIsMadeAgain) {
  gateway_.faults.breaks_at = 128;
  release();
  expect_update_on(2);
  EXPECT_EQ(gateway_.patches, 2U);
  EXPECT_EQ(world_.count(EventKind::kPatchRefused), 0);
}

TEST_F(DevicePatchTest, NewerReleaseInMidPatchStartsOver) {
  gateway_.faults.block_bytes = 16;
  release();
  ASSERT_TRUE(world_.run_until([&] { return gateway_.patches == 1; }));
  world_.run(3);
  release();
  expect_update_on(3);
}

TEST_F(DevicePatchTest, PredictsWhileAPatchArrives) {
  gateway_.faults.block_bytes = 16;
  release();
  ASSERT_TRUE(world_.run_until([&] { return gateway_.patches == 1; }));
  int predictions = 0;
  while (world_.device->state() == DeviceState::kFetching) {
    ASSERT_TRUE(world_.device->predict(world_.samples.samples[0].features).ok());
    ++predictions;
    world_.step();
  }
  EXPECT_GT(predictions, 5);
  expect_update_on(2);
  EXPECT_EQ(world_.count(EventKind::kPatchRefused), 0);
}

// ---- refused plans

TEST_F(DeviceTest, PlansThatAreNotTheGatewaysAreRefused) {
  const auto refusal = [](const std::function<void(Buffer&)>& tamper, FakeGateway& gateway,
                          DeviceWorld& world) {
    gateway.faults.tamper_plan = tamper;
    world.boot();
    EXPECT_TRUE(world.run_until([&] { return world.count(EventKind::kPlanRefused) != 0; }));
    EXPECT_EQ(gateway.model_requests, 0U);
    return world.last(EventKind::kPlanRefused)->status;
  };
  DeviceWorld flipped;
  EXPECT_EQ(refusal([](Buffer& plan) { plan[20] ^= 1U; }, flipped.gateway, flipped),
            Status::kBadSignature);
  DeviceWorld foreign;
  EXPECT_EQ(refusal(
                [&foreign](Buffer& plan) {
                  plan = sign_plan(foreign.gateway.plan, Keys::instance().foreign);
                },
                foreign.gateway, foreign),
            Status::kBadSignature);
  DeviceWorld other;
  EXPECT_EQ(refusal(
                [&other](Buffer& plan) {
                  wire::RoundPlan changed = other.gateway.plan;
                  changed.federation[7] ^= 1U;
                  plan = sign_plan(changed, Keys::instance().signing);
                },
                other.gateway, other),
            Status::kWrongFederation);
  DeviceWorld overlong;
  EXPECT_EQ(refusal([](Buffer& plan) { plan.resize(2000); }, overlong.gateway, overlong),
            Status::kTooLarge);
}

TEST_F(DeviceTest, PlanThatCannotBeFollowedWaitsForTheNext) {
  gateway_.plan.noise_multiplier_q16 = 1;
  world_.boot();
  ASSERT_TRUE(world_.run_until([&] { return world_.count(EventKind::kPlanRefused) == 1; }));
  EXPECT_EQ(world_.last(EventKind::kPlanRefused)->status, Status::kUnsupported);
  gateway_.plan.noise_multiplier_q16 = 0;
  gateway_.open_next_round();
  EXPECT_TRUE(world_.run_until_accepted(2));
}

TEST_F(DeviceTest, WrongBaseDigestIsRefused) {
  gateway_.plan.base_digest[0] ^= 1U;
  world_.boot();
  ASSERT_TRUE(world_.run_until([&] { return world_.count(EventKind::kPlanRefused) == 1; }));
  EXPECT_EQ(world_.last(EventKind::kPlanRefused)->status, Status::kWrongBase);
}

TEST_F(DeviceTest, UpdateThatStorageCannotHoldIsRefusedBeforeTraining) {
  world_.max_update_bytes = 256;
  world_.boot();
  ASSERT_TRUE(world_.run_until([&] { return world_.count(EventKind::kPlanRefused) == 1; }));
  EXPECT_EQ(world_.last(EventKind::kPlanRefused)->status, Status::kTooLarge);
  EXPECT_EQ(world_.count(EventKind::kRoundStarted), 0);
}

TEST_F(DeviceTest, NoSamplesNoRound) {
  world_.samples.samples.clear();
  world_.boot();
  ASSERT_TRUE(world_.run_until([&] { return world_.count(EventKind::kPlanRefused) == 1; }));
  EXPECT_EQ(world_.last(EventKind::kPlanRefused)->status, Status::kNotFound);
}

// ---- sessions and uploads

TEST_F(DeviceTest, BackOffGrowsAndIsReset) {
  gateway_.faults.refuses_sessions = true;
  world_.boot();
  std::vector<std::uint32_t> waits_ms;
  ASSERT_TRUE(world_.run_until([&] {
    const bool backs_off = world_.device->state() == DeviceState::kWaiting;
    if (backs_off && world_.last_wait_ms != 0) waits_ms.push_back(world_.last_wait_ms);
    return waits_ms.size() == 5;
  }));
  EXPECT_GE(waits_ms.front(), 500U);
  EXPECT_LE(waits_ms.front(), 1'000U);
  EXPECT_GE(waits_ms.back(), 8'000U);
  EXPECT_TRUE(std::ranges::is_sorted(waits_ms));
  EXPECT_EQ(world_.last(EventKind::kSessionLost)->status, Status::kUnreachable);

  gateway_.faults.refuses_sessions = false;
  ASSERT_TRUE(world_.run_until_accepted(1));
  gateway_.drop_session();
  ASSERT_TRUE(world_.run_until([&] { return world_.device->state() == DeviceState::kWaiting; }));
  EXPECT_LE(world_.last_wait_ms, 1'000U);
}

TEST_F(DeviceTest, SessionLostInMidTransferIsMadeAgain) {
  gateway_.faults.breaks_at = 128;
  world_.boot();
  ASSERT_TRUE(world_.run_until_accepted(1));
  EXPECT_EQ(gateway_.sessions, 2U);
  EXPECT_EQ(world_.count(EventKind::kSessionLost), 1);
}

TEST_F(DeviceTest, TrainingGoesOnWithoutASession) {
  world_.boot();
  ASSERT_TRUE(world_.run_until([&] { return world_.device->state() == DeviceState::kTraining; }));
  gateway_.drop_session();
  gateway_.faults.refuses_sessions = true;
  ASSERT_TRUE(world_.run_until([&] { return world_.count(EventKind::kUpdateStored) == 1; }));
  EXPECT_LE(world_.count(EventKind::kSessionLost), 1) << "one loss, one event";
  gateway_.faults.refuses_sessions = false;
  ASSERT_TRUE(world_.run_until_accepted(1));
  EXPECT_EQ(world_.count(EventKind::kRoundStarted), 1);
}

TEST_F(DeviceTest, TemporaryRefusalKeepsSessionAndUpdate) {
  for (const std::uint8_t code : {wire::coap_code(5, 3), wire::coap_code(5, 0),
                                  wire::kCodeTooManyRequests, wire::coap_code(4, 8)}) {
    gateway_.faults.upload_answers.emplace_back(code, Status::kBusy);
  }
  world_.boot();
  ASSERT_TRUE(world_.run_until_accepted(1));
  EXPECT_TRUE(gateway_.faults.upload_answers.empty());
  EXPECT_EQ(gateway_.sessions, 1U);
  EXPECT_EQ(world_.count(EventKind::kRoundStarted), 1);
}

TEST_F(DeviceTest, BusyGatewayKeepsTheSessionOfAnObserver) {
  gateway_.faults.plan_codes = {wire::coap_code(5, 3), wire::kCodeTooManyRequests};
  world_.boot();
  ASSERT_TRUE(world_.run_until_accepted(1));
  EXPECT_EQ(gateway_.sessions, 1U);
  EXPECT_EQ(world_.count(EventKind::kSessionLost), 0);
}

// Each time, whatever it asked for.
TEST_F(DeviceTest, WaitsAsLongAsTheGatewayAsks) {
  gateway_.faults.max_age_s = 200;
  gateway_.faults.plan_codes = {wire::kCodeTooManyRequests};
  gateway_.faults.model_codes = {wire::kCodeTooManyRequests};
  gateway_.faults.upload_answers.emplace_back(wire::coap_code(5, 3), Status::kBusy);
  world_.boot();
  const std::uint64_t begin_ms = world_.clock.now_ms();
  ASSERT_TRUE(world_.run_until_accepted(1));
  EXPECT_GE(world_.clock.now_ms() - begin_ms, 3 * 200'000U);
  EXPECT_LT(world_.clock.now_ms() - begin_ms, 4 * 200'000U);
}

TEST_F(DeviceTest, NobodyMakesItWaitLongerThanItsLongestBackOff) {
  gateway_.faults.max_age_s = 0xFFFF'FFFF;
  gateway_.faults.plan_codes = {wire::kCodeTooManyRequests};
  world_.boot();
  const std::uint64_t begin_ms = world_.clock.now_ms();
  ASSERT_TRUE(world_.run_until_accepted(1));
  EXPECT_GE(world_.clock.now_ms() - begin_ms, BackoffLimits{}.longest_ms);
  EXPECT_LT(world_.clock.now_ms() - begin_ms, 2 * BackoffLimits{}.longest_ms);
}

TEST_F(DeviceTest, RefusalEndsTheRound) {
  gateway_.faults.upload_answers.emplace_back(wire::coap_code(4, 9), Status::kWrongNonce);
  world_.boot();
  ASSERT_TRUE(world_.run_until([&] { return world_.count(EventKind::kUpdateRefused) == 1; }));
  EXPECT_EQ(world_.last(EventKind::kUpdateRefused)->status, Status::kWrongNonce);
  world_.run(100);
  EXPECT_EQ(world_.device->state(), DeviceState::kObserving);
  EXPECT_TRUE(gateway_.received().empty());
  gateway_.open_next_round();
  EXPECT_TRUE(world_.run_until_accepted(2));
}

TEST_F(DeviceTest, ReceiptOfSomethingElseKeepsTheUpdatePending) {
  gateway_.faults.answers_wrong_digest = true;
  world_.boot();
  ASSERT_TRUE(world_.run_until([&] { return world_.count(EventKind::kSessionLost) == 1; }));
  EXPECT_EQ(world_.last(EventKind::kSessionLost)->status, Status::kBadDigest);
  EXPECT_EQ(world_.count(EventKind::kUpdateAccepted), 0);
  gateway_.faults.answers_wrong_digest = false;
  ASSERT_TRUE(world_.run_until_accepted(1));
  EXPECT_EQ(gateway_.received().size(), 1U);
  EXPECT_EQ(gateway_.duplicates, 1U) << "the very same bytes were sent again";
}

TEST_F(DeviceTest, PendingUpdateOutlivesAReset) {
  gateway_.faults.answers_wrong_digest = true;
  world_.boot();
  ASSERT_TRUE(world_.run_until([&] { return world_.count(EventKind::kSessionLost) == 1; }));
  gateway_.faults.answers_wrong_digest = false;
  world_.reset();
  ASSERT_TRUE(world_.run_until_accepted(1));
  EXPECT_EQ(gateway_.duplicates, 1U);
  EXPECT_EQ(world_.count(EventKind::kRoundStarted), 1);
  EXPECT_EQ(world_.last(EventKind::kUpdateAccepted)->round, 1U);
}

TEST_F(DeviceTest, EventNamesTheRoundOfTheUpdateNotOfTheNextPlan) {
  gateway_.faults.upload_answers.emplace_back(wire::coap_code(5, 3), Status::kBusy);
  world_.boot();
  ASSERT_TRUE(world_.run_until([&] { return gateway_.faults.upload_answers.empty(); }));
  gateway_.open_next_round();
  ASSERT_TRUE(world_.run_until([&] { return world_.count(EventKind::kUpdateRefused) == 1; }));
  EXPECT_EQ(world_.last(EventKind::kUpdateRefused)->round, 1U);
  EXPECT_EQ(world_.last(EventKind::kUpdateRefused)->status, Status::kWrongRound);
  EXPECT_TRUE(world_.run_until_accepted(2));
}

// It acknowledged the request and then forgot it: nothing is retransmitted, nothing arrives.
TEST_F(DeviceTest, AnswerThatNeverComesEndsTheSession) {
  world_.boot();
  ASSERT_TRUE(world_.run_until([&] { return world_.device->state() == DeviceState::kUploading; }));
  gateway_.faults.is_mute = true;
  ASSERT_TRUE(world_.run_until([&] { return world_.count(EventKind::kSessionLost) == 1; }));
  EXPECT_EQ(world_.last(EventKind::kSessionLost)->status, Status::kTimeout);
  gateway_.faults.is_mute = false;
  EXPECT_TRUE(world_.run_until_accepted(1));
}

// ---- starting, waiting, predicting

TEST_F(DeviceTest, NoEntropyNothingHappens) {
  world_.entropy.broken = true;
  EXPECT_EQ(world_.try_boot(), Status::kNoEntropy);
  for (int i = 0; i < 10; ++i) EXPECT_EQ(world_.device->poll(), UINT32_MAX);
  EXPECT_EQ(world_.device->state(), DeviceState::kStopped);
  EXPECT_EQ(gateway_.sessions, 0U);
}

TEST_F(DeviceTest, StartRefusesWhatCannotWork) {
  world_.samples_per_poll = 0;
  EXPECT_EQ(world_.try_boot(), Status::kInvalidArgument);
  world_.samples_per_poll = 4;
  world_.credentials.device[0] = 'A';
  EXPECT_EQ(world_.try_boot(), Status::kInvalidArgument);
  world_.credentials = gateway_.credentials();
  std::ranges::fill(world_.credentials.device_private_key, std::uint8_t{0});
  EXPECT_EQ(world_.try_boot(), Status::kInvalidArgument);
  world_.credentials = gateway_.credentials();
  world_.max_update_bytes = 1U << 20U;
  EXPECT_EQ(world_.try_boot(), Status::kTooLarge);
  EXPECT_EQ(gateway_.sessions, 0U);
}

TEST_F(DeviceTest, IdleDeviceSleepsUntilTheRefresh) {
  world_.boot();
  ASSERT_TRUE(world_.run_until_accepted(1));
  world_.run(10);
  ASSERT_EQ(world_.device->state(), DeviceState::kObserving);
  const std::uint32_t requests_before = gateway_.requests;
  const std::uint32_t wait_ms = world_.device->poll();
  EXPECT_GT(wait_ms, 0U);
  EXPECT_LE(wait_ms, 60'000U);
  world_.clock.advance(wait_ms);
  (void)world_.device->poll();
  EXPECT_EQ(gateway_.requests, requests_before + 1) << "the observation is renewed";
}

TEST_F(DeviceTest, PredictNeedsAModelAndAFreeWorkspace) {
  const std::vector<std::int16_t>& features = world_.samples.samples[0].features;
  world_.boot();
  EXPECT_EQ(world_.device->predict(features).status(), Status::kNotFound);
  ASSERT_TRUE(world_.run_until([&] { return world_.device->state() == DeviceState::kTraining; }));
  EXPECT_EQ(world_.device->predict(features).status(), Status::kBusy);
  ASSERT_TRUE(world_.run_until([&] { return world_.device->state() == DeviceState::kUploading; }));
  EXPECT_EQ(world_.device->predict(features).status(), Status::kBusy);
  ASSERT_TRUE(world_.run_until_accepted(1));
  EXPECT_TRUE(world_.device->predict(features).ok());
  EXPECT_EQ(world_.device->predict(std::vector<std::int16_t>(3)).status(),
            Status::kInvalidArgument);
}

TEST_F(DeviceTest, FailingFlashLosesNoPendingUpdate) {
  world_.boot();
  ASSERT_TRUE(world_.run_until([&] { return world_.device->state() == DeviceState::kUploading; }));
  world_.flash.fail_from(1);
  ASSERT_TRUE(world_.run_until([&] { return world_.count(EventKind::kSessionLost) == 1; }));
  EXPECT_EQ(world_.last(EventKind::kSessionLost)->status, Status::kStorageFailed);
  EXPECT_EQ(world_.count(EventKind::kUpdateAccepted), 0);
  world_.flash.stop_failing();
  ASSERT_TRUE(world_.run_until_accepted(1));
  EXPECT_EQ(gateway_.received().size(), 1U);
}

}  // namespace
}  // namespace skep::round

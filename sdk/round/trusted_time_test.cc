#include "skep/round/trusted_time.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <optional>
#include <vector>

#include "skep/core_testing/ram_flash.h"
#include "skep/round_testing/fake_gateway.h"
#include "skep/round_testing/fakes.h"
#include "skep/version.h"

namespace skep::round {
namespace {

using round_testing::Buffer;
using round_testing::Keys;
using round_testing::kFederation;
using round_testing::take;

constexpr std::uint64_t kNow = kSdkReleasedUnixS + 1'000'000;
constexpr std::uint64_t kDay = 86'400;

Buffer answer_to(Bytes nonce, std::uint64_t unix_s, const seal::SigningKey& key,
                 seal::Domain domain = seal::Domain::kGatewayTime) {
  wire::GatewayTime time{};
  time.version = 1;
  std::ranges::copy(kFederation, time.federation);
  std::ranges::copy(nonce, time.nonce);
  time.unix_s = unix_s;
  Buffer bytes(wire::kMaxGatewayTimeBytes);
  bytes.resize(take(wire::encode(time, bytes)));
  const seal::Signature signature = take(key.sign(domain, bytes));
  Buffer message(wire::kMaxSignedTimeBytes);
  message.resize(take(wire::encode(wire::SignedTime{bytes, signature}, message)));
  return message;
}

class TrustedTimeTest : public testing::Test {
 protected:
  TrustedTimeTest() { restart(); }

  void restart() {
    time_.reset();
    log_.emplace(flash_);
    ASSERT_EQ(log_->open({.offset = 0, .bank_bytes = 2048, .bank_count = 2}), Status::kOk);
    time_.emplace(clock_, entropy_, *log_, key_, kFederation);
    ASSERT_EQ(time_->open(), Status::kOk);
  }

  Status learn(std::uint64_t unix_s) {
    return time_->accept(answer_to(take(time_->ask()), unix_s, Keys::instance().signing));
  }

  round_testing::FakeClock clock_;
  round_testing::FakeEntropy entropy_;
  core_testing::RamFlash flash_{
      {.size_bytes = 8192, .erase_unit_bytes = 1024, .program_unit_bytes = 8}};
  seal::VerifyingKey key_ =
      take(seal::VerifyingKey::from_bytes(take(Keys::instance().signing.public_key())));
  std::optional<RecordLog> log_;
  std::optional<TrustedTime> time_;
};

TEST_F(TrustedTimeTest, CountsOnFromWhatTheGatewaySigned) {
  EXPECT_EQ(time_->now_unix_s().status(), Status::kNotFound);
  EXPECT_EQ(time_->floor_unix_s(), kSdkReleasedUnixS);
  ASSERT_EQ(learn(kNow), Status::kOk);
  clock_.advance(12'345);
  EXPECT_EQ(take(time_->now_unix_s()), kNow + 12);
  EXPECT_EQ(time_->floor_unix_s(), kNow);
}

TEST_F(TrustedTimeTest, RefusesWhatIsNotTheAnswerToItsQuestion) {
  const auto& key = Keys::instance().signing;
  const Buffer nonce(wire::kNonceBytes, 7);
  EXPECT_EQ(time_->accept(answer_to(nonce, kNow, key)), Status::kWrongNonce) << "never asked";
  const Bytes first = take(time_->ask());
  const Buffer recorded = answer_to(first, kNow, key);
  (void)take(time_->ask());
  EXPECT_EQ(time_->accept(recorded), Status::kWrongNonce) << "asked anew";
  ASSERT_EQ(learn(kNow), Status::kOk);
  EXPECT_EQ(time_->accept(recorded), Status::kWrongNonce) << "replayed";
  EXPECT_EQ(take(time_->now_unix_s()), kNow);
}

TEST_F(TrustedTimeTest, AnAnswerIsTakenOnce) {
  const Buffer answer = answer_to(take(time_->ask()), kNow, Keys::instance().signing);
  ASSERT_EQ(time_->accept(answer), Status::kOk);
  clock_.advance(5'000);
  EXPECT_EQ(time_->accept(answer), Status::kWrongNonce);
  EXPECT_EQ(take(time_->now_unix_s()), kNow + 5);
}

TEST_F(TrustedTimeTest, RefusesAnAnswerThatWasHeldBack) {
  const Buffer answer = answer_to(take(time_->ask()), kNow, Keys::instance().signing);
  clock_.advance(TrustedTime::kLongestAnswerMs + 1);
  EXPECT_EQ(time_->accept(answer), Status::kTimeout);
}

TEST_F(TrustedTimeTest, RefusesOtherKeysPurposesAndFederations) {
  const auto& keys = Keys::instance();
  const Bytes nonce = take(time_->ask());
  EXPECT_EQ(time_->accept(answer_to(nonce, kNow, keys.foreign)), Status::kBadSignature);
  EXPECT_EQ(time_->accept(answer_to(nonce, kNow, keys.signing, seal::Domain::kRoundPlan)),
            Status::kBadSignature);
  const Buffer answer = answer_to(nonce, kNow, keys.signing);
  for (std::size_t i = 0; i < answer.size(); ++i) {
    Buffer changed = answer;
    changed[i] ^= 1;
    EXPECT_NE(time_->accept(changed), Status::kOk) << i;
    EXPECT_EQ(time_->floor_unix_s(), kSdkReleasedUnixS);
  }
  TrustedTime other(clock_, entropy_, *log_, key_, {9, 9, 9, 9, 9, 9, 9, 9});
  const Buffer foreign = answer_to(take(other.ask()), kNow, keys.signing);
  EXPECT_EQ(other.accept(foreign), Status::kWrongFederation);
  EXPECT_EQ(time_->accept(answer), Status::kOk) << "what was refused spoils nothing";
}

TEST_F(TrustedTimeTest, TimeIsNeverBeforeTheFloor) {
  EXPECT_EQ(learn(kSdkReleasedUnixS - 1), Status::kStaleVersion);
  ASSERT_EQ(learn(kNow), Status::kOk);
  EXPECT_EQ(learn(kNow - 1), Status::kStaleVersion);
  EXPECT_EQ(learn(kNow), Status::kOk);
  restart();
  EXPECT_EQ(time_->now_unix_s().status(), Status::kNotFound);
  EXPECT_EQ(time_->floor_unix_s(), kNow);
  EXPECT_EQ(learn(kNow - 1), Status::kStaleVersion);
}

TEST_F(TrustedTimeTest, FlashIsWrittenOnceADay) {
  ASSERT_EQ(learn(kNow), Status::kOk);
  for (std::uint64_t at = kNow; at < kNow + 2 * kDay; at += 3'600)
    ASSERT_EQ(learn(at), Status::kOk);
  restart();
  EXPECT_EQ(time_->floor_unix_s(), kNow + kDay);
}

TEST_F(TrustedTimeTest, WithoutEntropyNothingIsAsked) {
  const Buffer answer = answer_to(take(time_->ask()), kNow, Keys::instance().signing);
  entropy_.broken = true;
  EXPECT_EQ(time_->ask().status(), Status::kNoEntropy);
  EXPECT_EQ(time_->accept(answer), Status::kWrongNonce);
}

}  // namespace
}  // namespace skep::round

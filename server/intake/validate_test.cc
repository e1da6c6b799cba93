// Every refusal of the pipeline, in the order of its checks, with updates made by the real SDK.
#include "skep/intake/validate.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "skep/compress/decoder.h"
#include "skep/intake_testing/federation.h"
#include "skep/seal/sha256.h"

namespace skep::intake {
namespace {

using intake_testing::Departures;
using intake_testing::Federation;

class ValidateTest : public ::testing::Test, public Records {
 protected:
  ValidateTest() {
    for (unsigned i = 0; i < 2; ++i) {
      senders_[Federation::device_name(i)] = {.public_key = *federation_.device_key(i).public_key(),
                                              .revoked = false};
    }
  }

  std::optional<Sender> sender(std::string_view device) override {
    const auto found = senders_.find(std::string(device));
    return found == senders_.end() ? std::nullopt : std::optional(found->second);
  }
  std::optional<server::Digest> stored_digest(std::string_view device,
                                              std::uint32_t round) override {
    const auto found = stored_.find({std::string(device), round});
    return found == stored_.end() ? std::nullopt : std::optional(found->second);
  }

  Outcome run(server::Received update) {
    const auto rules = federation_.rules(plan_);
    return validate(std::move(update), gateway_, is_open_ ? rules.get() : nullptr, *this);
  }
  Outcome run(std::vector<std::uint8_t> bytes) {
    return run(federation_.receive(0, std::move(bytes)));
  }
  static Status status_of(const Outcome& outcome) {
    const auto* refusal = std::get_if<Refusal>(&outcome);
    if (refusal == nullptr) return Status::kOk;
    EXPECT_FALSE(refusal->detail.empty());
    EXPECT_LE(refusal->detail.size(), 96U) << refusal->detail;
    return refusal->status;
  }
  Status status_of_bytes(std::vector<std::uint8_t> bytes) {
    return status_of(run(std::move(bytes)));
  }

  /// A genuine update with one thing in its header changed, signed by its device.
  template <typename Change>
  std::vector<std::uint8_t> with_header(Change change) {
    wire::UpdateHeader header = federation_.make_header(0, plan_);
    change(header);
    return federation_.seal_raw(header, plaintext(delta_of_plan()), federation_.device_key(0));
  }
  std::vector<std::uint8_t> with_delta(Bytes delta) {
    return federation_.seal_raw(federation_.make_header(0, plan_), plaintext(delta),
                                federation_.device_key(0));
  }
  std::vector<std::uint8_t> plaintext(Bytes delta) {
    std::vector<std::uint8_t> out(delta.size() + 64);
    const auto size = wire::encode(
        wire::Update{
            .base_digest = Bytes(plan_.base_digest).first<16>(), .sample_count = 5, .delta = delta},
        out);
    EXPECT_TRUE(size.ok());
    out.resize(*size);
    return out;
  }
  std::vector<std::uint8_t> delta_of_plan() {
    const auto bytes = federation_.seal(0, plan_);
    const auto sealed = wire::decode_sealed_update(bytes);
    std::vector<std::uint8_t> plain(sealed->ciphertext.size());
    const auto update = seal::open_update(*sealed, federation_.aggregation_key(), plain);
    return {update->delta.begin(), update->delta.end()};
  }

  Federation federation_{2};
  Gateway gateway_{.federation = federation_.id(), .key = federation_.aggregation_key()};
  wire::RoundPlan plan_ = federation_.make_plan(5);
  bool is_open_ = true;
  std::map<std::string, Sender> senders_;
  std::map<std::pair<std::string, std::uint32_t>, server::Digest> stored_;
};

TEST_F(ValidateTest, GenuineUpdateIsValid) {
  const auto bytes = federation_.seal(0, plan_, {.sample_count = 13});
  const Outcome outcome = run(bytes);
  ASSERT_TRUE(std::holds_alternative<server::Valid>(outcome)) << to_string(status_of(outcome));
  const auto& valid = std::get<server::Valid>(outcome);
  EXPECT_EQ(valid.device(), "device-0");
  EXPECT_EQ(valid.round(), 5U);
  EXPECT_EQ(valid.sealed(), bytes);
  EXPECT_EQ(valid.digest(), *seal::sha256(bytes));
  EXPECT_EQ(valid.sample_count(), 13U);
  EXPECT_EQ(valid.loss_before_q16(), 70000U);
  EXPECT_EQ(valid.loss_after_q16(), 60000U);
  EXPECT_EQ(valid.delta().dimension, federation_.parameter_count());
  EXPECT_EQ(valid.delta().indices.size(), 16U);  // ceil(51 * 0.3)
  EXPECT_EQ(valid.delta().values.size(), 16U);
  EXPECT_EQ(valid.delta().scale, 1U);
  EXPECT_TRUE(std::ranges::is_sorted(valid.delta().indices));
  EXPECT_TRUE(std::ranges::none_of(valid.delta().values, [](int value) { return value == 0; }));
}

TEST_F(ValidateTest, GarbageIsMalformed) {
  EXPECT_EQ(status_of_bytes({}), Status::kMalformed);
  EXPECT_EQ(status_of_bytes({0xFF, 0x00, 0x13}), Status::kMalformed);
}

TEST_F(ValidateTest, EveryTruncationIsRefused) {
  const auto bytes = federation_.seal(0, plan_);
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_NE(status_of_bytes({bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(size)}),
              Status::kOk)
        << size;
  }
}

TEST_F(ValidateTest, EveryFlippedByteIsRefused) {
  const auto bytes = federation_.seal(0, plan_);
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    auto flipped = bytes;
    flipped[i] ^= 0x20;
    EXPECT_NE(status_of_bytes(flipped), Status::kOk) << i;
  }
}

TEST_F(ValidateTest, OversizedIsTooLarge) {
  EXPECT_EQ(status_of_bytes(std::vector<std::uint8_t>(kMaxUpdateBytes + 1, 0x0A)),
            Status::kTooLarge);
}

TEST_F(ValidateTest, UnknownHeaderVersionIsRefused) {
  auto bytes = federation_.seal(0, plan_);
  // SealedUpdate: tag and length of the header, then the header's own tag and value of `version`.
  ASSERT_EQ(bytes[2], 0x08);
  ASSERT_EQ(bytes[3], 0x01);
  bytes[3] = 2;
  EXPECT_EQ(status_of_bytes(bytes), Status::kUnsupportedVersion);
}

TEST_F(ValidateTest, OtherFederationIsRefused) {
  EXPECT_EQ(status_of_bytes(with_header([](auto& header) { header.federation[0] ^= 1; })),
            Status::kWrongFederation);
}

TEST_F(ValidateTest, AnotherDevicesUpdateIsRefused) {
  EXPECT_EQ(status_of(run(federation_.receive(1, federation_.seal(0, plan_)))),
            Status::kWrongDevice);
}

TEST_F(ValidateTest, SessionWithAnotherKeyIsRefused) {
  auto update = federation_.receive(0, federation_.seal(0, plan_));
  update.session_key = *federation_.device_key(1).public_key();
  EXPECT_EQ(status_of(run(std::move(update))), Status::kWrongDevice);
}

TEST_F(ValidateTest, UnknownAndRevokedDevicesAreRefused) {
  const auto bytes = federation_.seal(0, plan_);
  senders_["device-0"].revoked = true;
  EXPECT_EQ(status_of_bytes(bytes), Status::kRevoked);
  senders_.erase("device-0");
  EXPECT_EQ(status_of_bytes(bytes), Status::kRevoked);
}

TEST_F(ValidateTest, ForeignSignatureIsRefused) {
  EXPECT_EQ(
      status_of_bytes(federation_.seal(0, plan_, {.signing_key = &federation_.device_key(1)})),
      Status::kBadSignature);
}

TEST_F(ValidateTest, SameBytesAgainAreADuplicateEvenAfterTheRound) {
  const auto bytes = federation_.seal(0, plan_);
  stored_[{"device-0", 5}] = *seal::sha256(bytes);
  EXPECT_TRUE(std::holds_alternative<Duplicate>(run(bytes)));
  is_open_ = false;
  EXPECT_TRUE(std::holds_alternative<Duplicate>(run(bytes)));
  is_open_ = true;
  plan_ = federation_.make_plan(6);
  const Outcome outcome = run(bytes);
  ASSERT_TRUE(std::holds_alternative<Duplicate>(outcome));
  EXPECT_EQ(std::get<Duplicate>(outcome).round, 5U);
  EXPECT_EQ(std::get<Duplicate>(outcome).digest, *seal::sha256(bytes));
}

TEST_F(ValidateTest, ClosedAndOtherRoundsAreRefused) {
  const auto bytes = federation_.seal(0, plan_);
  is_open_ = false;
  EXPECT_EQ(status_of_bytes(bytes), Status::kWrongRound);
  is_open_ = true;
  plan_ = federation_.make_plan(6);
  EXPECT_EQ(status_of_bytes(bytes), Status::kWrongRound);
}

TEST_F(ValidateTest, SecondDifferentUpdateIsRefused) {
  stored_[{"device-0", 5}] = *seal::sha256(federation_.seal(0, plan_));
  EXPECT_EQ(status_of_bytes(federation_.seal(0, plan_)), Status::kAlreadyAnswered);
}

TEST_F(ValidateTest, OtherNonceIsRefused) {
  EXPECT_EQ(status_of_bytes(with_header([](auto& header) { header.nonce[15] ^= 1; })),
            Status::kWrongNonce);
}

TEST_F(ValidateTest, OtherBaseVersionIsRefused) {
  EXPECT_EQ(status_of_bytes(with_header([](auto& header) { header.base_version = 2; })),
            Status::kWrongBase);
}

TEST_F(ValidateTest, OtherKeyIsUndecryptable) {
  EXPECT_EQ(status_of_bytes(with_header([](auto& header) { header.key_id = 8; })),
            Status::kUndecryptable);
  const auto other = seal::AggregationKey::generate(seal::Kem::kP256HkdfSha256);
  ASSERT_TRUE(other.ok());
  EXPECT_EQ(status_of_bytes(federation_.seal(0, plan_, {.aggregation_key = &*other})),
            Status::kUndecryptable);
}

TEST_F(ValidateTest, ContentThatIsNoUpdateIsMalformed) {
  const std::vector<std::uint8_t> garbage{0xFF, 0xFF, 0xFF};
  EXPECT_EQ(status_of_bytes(federation_.seal_raw(federation_.make_header(0, plan_), garbage,
                                                 federation_.device_key(0))),
            Status::kMalformed);
}

TEST_F(ValidateTest, OtherBaseDigestIsRefused) {
  EXPECT_EQ(status_of_bytes(federation_.seal(0, plan_, {.base_digest = store::Digest{}})),
            Status::kWrongBase);
}

TEST_F(ValidateTest, DeltasThatDoNotKeepThePlanAreMalformed) {
  auto other_version = delta_of_plan();
  other_version[0] = 0;
  EXPECT_EQ(status_of_bytes(with_delta(other_version)), Status::kUnsupportedVersion);
  auto shorter = delta_of_plan();
  shorter.pop_back();
  EXPECT_EQ(status_of_bytes(with_delta(shorter)), Status::kMalformed);
  const auto compressed_as = [&](const Compression& compression) {
    return status_of_bytes(federation_.seal(0, plan_, {.compression = compression}));
  };
  EXPECT_EQ(compressed_as({CompressionMode::kTopK, 300, 12}), Status::kOk);
  EXPECT_EQ(compressed_as({CompressionMode::kTopK, 500, 12}), Status::kMalformed);
  EXPECT_EQ(compressed_as({CompressionMode::kTopK, 300, 8}), Status::kMalformed);
  auto longer = delta_of_plan();
  longer.push_back(0);
  EXPECT_EQ(status_of_bytes(with_delta(longer)), Status::kMalformed);
}

TEST_F(ValidateTest, NormAboveTheClipNormIsRefusedExactly) {
  const auto bytes = federation_.seal(0, plan_, {.sample_count = 60});
  ASSERT_EQ(status_of_bytes(bytes), Status::kOk);
  // The smallest bound that takes it, by bisection over the exact comparison; one less does not.
  // The smallest bound that takes it, by bisection over the exact comparison; one less does not.
  const auto sealed = wire::decode_sealed_update(bytes);
  std::vector<std::uint8_t> plain(sealed->ciphertext.size());
  const auto update = seal::open_update(*sealed, federation_.aggregation_key(), plain);
  std::vector<std::int32_t> values(federation_.parameter_count());
  const auto delta = compress::decode(
      update->delta, federation_.parameter_count(),
      compress::options_for(wire::to_compression(plan_), federation_.parameter_count(), 0, Norm{1}),
      values);
  ASSERT_TRUE(delta.ok());
  std::uint32_t low = 1;
  std::uint32_t high = plan_.clip_norm_q16;
  while (low < high) {
    const std::uint32_t middle = low + (high - low) / 2;
    const bool fits = norm_at_most(*delta, Norm{middle});
    (fits ? high : low) = fits ? middle : middle + 1;
  }
  ASSERT_GT(low, 1U);
  plan_.clip_norm_q16 = low;
  EXPECT_EQ(status_of_bytes(bytes), Status::kOk);
  plan_.clip_norm_q16 = low - 1;
  EXPECT_EQ(status_of_bytes(bytes), Status::kNormExceeded);
}

class EveryMode : public ValidateTest, public ::testing::WithParamInterface<CompressionMode> {
 protected:
  EveryMode() { Federation::set_compression(plan_, GetParam()); }
};

TEST_P(EveryMode, GenuineUpdateIsValidAndSmallerThanItsBound) {
  const auto bytes = federation_.seal(0, plan_);
  const Outcome outcome = run(bytes);
  ASSERT_TRUE(std::holds_alternative<server::Valid>(outcome)) << to_string(status_of(outcome));
  const server::SparseDelta& delta = std::get<server::Valid>(outcome).delta();
  ASSERT_FALSE(delta.values.empty());
  EXPECT_EQ(delta.indices.size(), delta.values.size());
  EXPECT_TRUE(std::ranges::is_sorted(delta.indices));
  EXPECT_LT(delta.indices.back(), federation_.parameter_count());
}

TEST_P(EveryMode, NormAboveTheClipNormIsRefused) {
  // The device keeps a bound that is three times the gateway's.
  const auto bytes = federation_.seal(0, plan_, {.clip_norm_q16 = 3U << 14U, .sample_count = 60});
  ASSERT_EQ(status_of_bytes(bytes), Status::kOk);
  plan_.clip_norm_q16 = 1U << 14U;
  EXPECT_EQ(status_of_bytes(bytes), Status::kNormExceeded);
}

TEST_P(EveryMode, OtherModesAreRefused) {
  for (const CompressionMode mode :
       {CompressionMode::kTopK, CompressionMode::kTernary, CompressionMode::kInt8,
        CompressionMode::kEden, CompressionMode::kRandomK}) {
    wire::RoundPlan other = plan_;
    Federation::set_compression(other, mode);
    const Departures departures{.compression = wire::to_compression(other)};
    EXPECT_EQ(status_of_bytes(federation_.seal(0, plan_, departures)),
              mode == GetParam() ? Status::kOk : Status::kMalformed)
        << name_of(mode);
  }
}

INSTANTIATE_TEST_SUITE_P(Modes, EveryMode,
                         ::testing::Values(CompressionMode::kTopK, CompressionMode::kTernary,
                                           CompressionMode::kInt8, CompressionMode::kEden,
                                           CompressionMode::kRandomK));

TEST_F(ValidateTest, ReopenTakesOnlyTheBytesThatWereStored) {
  const auto bytes = federation_.seal(0, plan_);
  const auto digest = *seal::sha256(bytes);
  const auto rules = federation_.rules(plan_);
  auto outcome = reopen("device-0", digest, bytes, gateway_, *rules);
  ASSERT_TRUE(std::holds_alternative<server::Valid>(outcome));
  EXPECT_EQ(std::get<server::Valid>(outcome).delta().values,
            std::get<server::Valid>(run(bytes)).delta().values);

  auto damaged = bytes;
  damaged.back() ^= 1;
  outcome = reopen("device-0", digest, damaged, gateway_, *rules);
  EXPECT_EQ(std::get<Refusal>(outcome).status, Status::kBadDigest);
  outcome = reopen("device-1", digest, bytes, gateway_, *rules);
  EXPECT_EQ(std::get<Refusal>(outcome).status, Status::kWrongDevice);
  outcome =
      reopen("device-0", digest, bytes, gateway_, *federation_.rules(federation_.make_plan(6)));
  EXPECT_EQ(std::get<Refusal>(outcome).status, Status::kWrongRound);
}

}  // namespace
}  // namespace skep::intake

#include "skep/seal/signature.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <array>
#include <string>

#include "seal_testing.h"
#include "signature_internal.h"

namespace skep::seal {
namespace {

using testing::Buffer;
using testing::bytes_of;
using testing::from_hex;
using testing::live_key_count;
using testing::take;
using testing::to_hex;

constexpr Domain kDomains[] = {Domain::kRoundPlan, Domain::kSealedUpdate, Domain::kModelManifest,
                               Domain::kAuditHead, Domain::kGatewayTime};
constexpr char kOrder[] = "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551";

// RFC 6979, A.2.5.
constexpr char kScalar[] = "c9afa9d845ba75166b5c215767b1d6934e50c3db36e89b127b8a622b120f6721";
constexpr char kPoint[] =
    "0460fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb6"
    "7903fe1008b8bc99a41ae9e95628bc64f2f1b20c2d7e9f5177a3c294d4462299";
constexpr char kSample[] =
    "efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716"
    "f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8";
constexpr char kTest[] =
    "f1abb023518351cd71d881567b1ea663ed3efcf6c5132b354f28d3b0b7d38367"
    "019f4113742a2b14bd25926b49c649155f267e60d3814b4c0cc84250e46f0083";

SigningKey rfc_key() { return take(SigningKey::from_bytes(from_hex(kScalar))); }
VerifyingKey key_of(const SigningKey& key) {
  return take(VerifyingKey::from_bytes(take(key.public_key())));
}

TEST(Signature, VectorsOfRfc6979) {
  const SigningKey key = rfc_key();
  EXPECT_EQ(to_hex(take(key.public_key())), kPoint);
  const VerifyingKey verifying_key = take(VerifyingKey::from_bytes(from_hex(kPoint)));
  for (const auto& [message, signature] :
       {std::pair("sample", kSample), std::pair("test", kTest)}) {
    const Sha256Digest digest = take(sha256(bytes_of(message)));
    EXPECT_EQ(to_hex(take(sign_digest(key, digest))), signature);
    EXPECT_EQ(verify_digest(verifying_key, digest, from_hex(signature)), Status::kOk);
  }
}

TEST(Signature, IsOverPrefixZeroByteAndMessage) {
  const SigningKey key = rfc_key();
  const std::pair<Domain, std::string> prefixes[] = {
      {Domain::kRoundPlan, "skep round plan v1"},
      {Domain::kSealedUpdate, "skep sealed update v1"},
      {Domain::kModelManifest, "skep model manifest v1"},
      {Domain::kAuditHead, "skep audit head v1"},
      {Domain::kGatewayTime, "skep gateway time v1"}};
  for (const auto& [domain, prefix] : prefixes) {
    const Sha256Digest digest = take(sha256(bytes_of(prefix + '\0' + "message")));
    EXPECT_EQ(take(key.sign(domain, bytes_of("message"))), take(sign_digest(key, digest)));
  }
}

TEST(Signature, OfOneDomainNeverVerifiesInAnother) {
  const SigningKey key = take(SigningKey::generate());
  const VerifyingKey verifying_key = key_of(key);
  for (const Domain made_for : kDomains) {
    const Signature signature = take(key.sign(made_for, bytes_of("m")));
    for (const Domain used_for : kDomains) {
      EXPECT_EQ(verifying_key.verify(used_for, bytes_of("m"), signature),
                made_for == used_for ? Status::kOk : Status::kBadSignature);
    }
  }
}

TEST(Signature, UnknownDomainsAreRefused) {
  const SigningKey key = rfc_key();
  const auto unknown = static_cast<Domain>(99);
  EXPECT_EQ(key.sign(unknown, bytes_of("m")).status(), Status::kInvalidArgument);
  EXPECT_EQ(key_of(key).verify(unknown, bytes_of("m"), from_hex(kSample)),
            Status::kInvalidArgument);
}

TEST(Signature, EveryFlippedBitIsRefused) {
  const SigningKey key = rfc_key();
  const VerifyingKey verifying_key = key_of(key);
  Signature signature = take(key.sign(Domain::kRoundPlan, bytes_of("plan")));
  for (std::size_t bit = 0; bit < 8 * signature.size(); ++bit) {
    std::uint8_t& byte = signature[bit / 8];
    const auto mask = static_cast<std::uint8_t>(1U << (bit % 8));
    byte = static_cast<std::uint8_t>(byte ^ mask);
    EXPECT_EQ(verifying_key.verify(Domain::kRoundPlan, bytes_of("plan"), signature),
              Status::kBadSignature);
    byte = static_cast<std::uint8_t>(byte ^ mask);
  }
  EXPECT_EQ(verifying_key.verify(Domain::kRoundPlan, bytes_of("plan"), signature), Status::kOk);
}

TEST(Signature, DegenerateAndWronglySizedOnesAreRefused) {
  const SigningKey key = rfc_key();
  const VerifyingKey verifying_key = key_of(key);
  const std::string zero(64, '0');
  const std::string order = kOrder;
  const Signature good = take(key.sign(Domain::kRoundPlan, bytes_of("m")));
  const std::string r = to_hex(good).substr(0, 64);
  const std::string s = to_hex(good).substr(64);
  for (const std::string& bad :
       {zero + zero, zero + s, r + zero, order + s, r + order, order + order, s + r}) {
    EXPECT_EQ(verifying_key.verify(Domain::kRoundPlan, bytes_of("m"), from_hex(bad)),
              Status::kBadSignature);
  }
  for (std::size_t length = 0; length < 130; ++length) {
    Buffer resized(good.begin(), good.end());
    resized.resize(length, 0);
    EXPECT_EQ(verifying_key.verify(Domain::kRoundPlan, bytes_of("m"), resized),
              length == good.size() ? Status::kOk : Status::kBadSignature);
  }
}

TEST(Signature, AnotherKeyRefuses) {
  const Signature signature = take(rfc_key().sign(Domain::kRoundPlan, bytes_of("m")));
  const SigningKey other = take(SigningKey::generate());
  EXPECT_EQ(key_of(other).verify(Domain::kRoundPlan, bytes_of("m"), signature),
            Status::kBadSignature);
}

RC_GTEST_PROP(SignatureProperty, PiecesSignAsTheWhole, ()) {
  const auto message = *rc::gen::arbitrary<Buffer>();
  const auto border = *rc::gen::inRange<std::size_t>(0, message.size() + 1);
  const std::array<Bytes, 2> parts = {Bytes(message).first(border), Bytes(message).subspan(border)};
  const SigningKey key = rfc_key();
  const Signature signature = take(key.sign(Domain::kSealedUpdate, parts));
  RC_ASSERT(signature == take(key.sign(Domain::kSealedUpdate, Bytes(message))));
  RC_ASSERT(key_of(key).verify(Domain::kSealedUpdate, parts, signature) == Status::kOk);
}

TEST(SigningKey, RefusesWhatIsNoScalar) {
  const std::size_t keys_before = live_key_count();
  EXPECT_EQ(SigningKey::from_bytes(Buffer(32, 0)).status(), Status::kInvalidArgument);
  EXPECT_EQ(SigningKey::from_bytes(from_hex(kOrder)).status(), Status::kInvalidArgument);
  EXPECT_EQ(SigningKey::from_bytes(Buffer(31, 1)).status(), Status::kInvalidArgument);
  EXPECT_EQ(SigningKey::from_bytes(Buffer(33, 1)).status(), Status::kInvalidArgument);
  EXPECT_EQ(SigningKey::from_bytes({}).status(), Status::kInvalidArgument);
  EXPECT_EQ(live_key_count(), keys_before);
}

TEST(SigningKey, GeneratedOnesCanBeExportedAndReadBack) {
  const SigningKey key = take(SigningKey::generate());
  Buffer scalar(kSigningScalarBytes);
  ASSERT_EQ(key.export_private(scalar), Status::kOk);
  const SigningKey copy = take(SigningKey::from_bytes(scalar));
  EXPECT_EQ(take(copy.public_key()), take(key.public_key()));
  EXPECT_EQ(copy.export_private(scalar), Status::kUnsupported);
  EXPECT_EQ(scalar, Buffer(kSigningScalarBytes, 0));
  Buffer shorter(kSigningScalarBytes - 1, 0xEE);
  EXPECT_EQ(key.export_private(shorter), Status::kInvalidArgument);
  EXPECT_EQ(shorter, Buffer(kSigningScalarBytes - 1, 0));
}

TEST(SigningKey, LivesAsLongAsItsOwner) {
  const std::size_t keys_before = live_key_count();
  {
    SigningKey key = rfc_key();
    const SigningKey moved = std::move(key);
    EXPECT_EQ(live_key_count(), keys_before + 1);
    EXPECT_TRUE(moved.sign(Domain::kRoundPlan, bytes_of("m")).ok());
    // A moved-from key signs nothing.
    EXPECT_EQ(key.sign(Domain::kRoundPlan, bytes_of("m")).status(),  // NOLINT
              Status::kCryptoFailed);
  }
  EXPECT_EQ(live_key_count(), keys_before);
}

TEST(VerifyingKey, RefusesWhatIsNoPoint) {
  const std::size_t keys_before = live_key_count();
  Buffer off_curve = from_hex(kPoint);
  off_curve.back() = static_cast<std::uint8_t>(off_curve.back() ^ 1);
  Buffer compressed_form = from_hex(kPoint);
  compressed_form[0] = 0x02;
  const Buffer shorter = from_hex(std::string(kPoint).substr(2));
  Buffer longer = from_hex(kPoint);
  longer.push_back(0);
  for (const Buffer& bad : {off_curve, compressed_form, shorter, longer, Buffer(65, 0), Buffer()}) {
    EXPECT_EQ(VerifyingKey::from_bytes(bad).status(), Status::kInvalidArgument);
  }
  EXPECT_TRUE(VerifyingKey::from_bytes(from_hex(kPoint)).ok());
  EXPECT_EQ(live_key_count(), keys_before);
}

TEST(VerifyingKey, ComparesByPoint) {
  const VerifyingKey rfc = take(VerifyingKey::from_bytes(from_hex(kPoint)));
  EXPECT_EQ(rfc, key_of(rfc_key()));
  EXPECT_NE(rfc, key_of(take(SigningKey::generate())));
}

}  // namespace
}  // namespace skep::seal

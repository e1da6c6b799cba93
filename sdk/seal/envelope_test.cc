#include "skep/seal/envelope.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <limits>
#include <string>

#include "seal_testing.h"

namespace skep::seal {
namespace {

using testing::Buffer;
using testing::bytes_of;
using testing::compressed_from;
using testing::contains;
using testing::live_key_count;
using testing::take;
using testing::to_buffer;
using testing::update_context;

constexpr Kem kKems[] = {Kem::kP256HkdfSha256, Kem::kX25519HkdfSha256};
const std::string kDeltaText = "the delta of one device, compressed";

/// A device and a gateway that know each other's keys.
struct Parties {
  explicit Parties(Kem kem)
      : device_key(take(SigningKey::generate())),
        device(take(VerifyingKey::from_bytes(take(device_key.public_key())))),
        aggregation_key(take(AggregationKey::generate(kem))) {}

  [[nodiscard]] SealKeys seal_keys() const {
    return {aggregation_key.kem(), aggregation_key.public_key(), device_key};
  }

  SigningKey device_key;
  VerifyingKey device;
  AggregationKey aggregation_key;
};

class Envelope : public ::testing::TestWithParam<Kem> {
 protected:
  Envelope() : parties_(GetParam()) {}

  [[nodiscard]] Buffer sealed(const UpdateContext& context = update_context()) const {
    const Bytes delta = bytes_of(kDeltaText);
    Buffer out(sealed_bytes_bound(static_cast<std::uint32_t>(delta.size())));
    const Sealed result =
        take(seal_update(compressed_from(delta, 57), context, parties_.seal_keys(), out));
    EXPECT_EQ(result.bytes().data(), out.data());
    return to_buffer(result.bytes());
  }

  /// All that a gateway checks here, in its order.
  [[nodiscard]] Status receive(Bytes message, MutableBytes plaintext) const {
    SKEP_ASSIGN_OR_RETURN(const wire::SealedUpdate update, wire::decode_sealed_update(message));
    SKEP_TRY(verify_update_signature(update, parties_.device));
    return open_update(update, parties_.aggregation_key, plaintext).status();
  }

  [[nodiscard]] Status seal_status(const UpdateContext& context, const SealKeys& keys,
                                   MutableBytes out, std::uint32_t sample_count = 1) const {
    return seal_update(compressed_from(bytes_of(kDeltaText), sample_count), context, keys, out)
        .status();
  }

  Parties parties_;
};

INSTANTIATE_TEST_SUITE_P(Kems, Envelope, ::testing::ValuesIn(kKems),
                         [](const ::testing::TestParamInfo<Kem>& param) {
                           return param.param == Kem::kP256HkdfSha256 ? std::string("P256")
                                                                      : std::string("X25519");
                         });

TEST_P(Envelope, CarriesEverythingAcross) {
  const Buffer message = sealed();
  const wire::SealedUpdate update = take(wire::decode_sealed_update(message));
  ASSERT_EQ(verify_update_signature(update, parties_.device), Status::kOk);

  const UpdateContext context = update_context();
  const wire::UpdateHeader header = take(wire::decode_update_header(update.header));
  EXPECT_EQ(header.version, 1U);
  EXPECT_TRUE(std::equal(context.federation.begin(), context.federation.end(), header.federation));
  EXPECT_EQ(header.device, context.device);
  EXPECT_EQ(header.round, context.round);
  EXPECT_EQ(header.base_version, context.base_version);
  EXPECT_TRUE(std::equal(context.nonce.begin(), context.nonce.end(), header.nonce));
  EXPECT_EQ(header.key_id, context.key_id);
  EXPECT_EQ(header.format, wire::kUpdateFormat);

  Buffer plaintext(update.ciphertext.size() - hpke::kTagBytes);
  const wire::Update opened = take(open_update(update, parties_.aggregation_key, plaintext));
  EXPECT_EQ(to_buffer(opened.base_digest), to_buffer(context.base_digest));
  EXPECT_EQ(opened.sample_count, 57U);
  EXPECT_EQ(opened.loss_before_q16, context.loss_before_q16);
  EXPECT_EQ(opened.loss_after_q16, context.loss_after_q16);
  EXPECT_EQ(to_buffer(opened.delta), to_buffer(bytes_of(kDeltaText)));
}

// Written from proto/skep.proto rather than with the functions under test, so that the device and
// the gateway cannot be wrong in the same way.
TEST_P(Envelope, IsWhatTheWireContractSays) {
  const Buffer message = sealed();
  const wire::SealedUpdate update = take(wire::decode_sealed_update(message));

  Buffer is_signed;
  for (const Bytes member : {update.header, update.enc, update.ciphertext}) {
    is_signed.insert(is_signed.end(), {0, 0, static_cast<std::uint8_t>(member.size() / 256),
                                       static_cast<std::uint8_t>(member.size() % 256)});
    is_signed.insert(is_signed.end(), member.begin(), member.end());
  }
  EXPECT_EQ(parties_.device.verify(Domain::kSealedUpdate, is_signed, update.signature),
            Status::kOk);

  Buffer info = to_buffer(bytes_of(std::string("skep update v1") + '\0'));
  const UpdateContext context = update_context();
  info.insert(info.end(), context.federation.begin(), context.federation.end());
  Buffer plaintext(update.ciphertext.size() - hpke::kTagBytes);
  EXPECT_TRUE(hpke::open(parties_.aggregation_key, update.enc, info, update.header,
                         update.ciphertext, plaintext)
                  .ok());
  EXPECT_TRUE(contains(plaintext, bytes_of(kDeltaText)));
}

TEST_P(Envelope, ShowsNothingOfThePlaintext) {
  const Buffer message = sealed();
  EXPECT_FALSE(contains(message, bytes_of(kDeltaText)));
  EXPECT_FALSE(contains(message, bytes_of(kDeltaText.substr(0, 4))));
  EXPECT_NE(message, sealed());  // A fresh ephemeral key each time.
}

TEST_P(Envelope, RefusesEveryAlteredByte) {
  Buffer message = sealed();
  Buffer plaintext(message.size());
  ASSERT_EQ(receive(message, plaintext), Status::kOk);
  for (std::uint8_t& byte : message) {
    for (const std::uint8_t bit : {std::uint8_t{0x01}, std::uint8_t{0x80}}) {
      byte = static_cast<std::uint8_t>(byte ^ bit);
      EXPECT_NE(receive(message, plaintext), Status::kOk) << (&byte - message.data());
      byte = static_cast<std::uint8_t>(byte ^ bit);
    }
  }
}

TEST_P(Envelope, RefusesEveryAlteredByteEvenWithoutTheSignature) {
  const Buffer message = sealed();
  const wire::SealedUpdate good = take(wire::decode_sealed_update(message));
  Buffer parts[] = {to_buffer(good.header), to_buffer(good.enc), to_buffer(good.ciphertext)};
  Buffer plaintext(message.size());
  const auto open_status = [&] {
    return open_update({parts[0], parts[1], parts[2], good.signature}, parties_.aggregation_key,
                       plaintext)
        .status();
  };
  ASSERT_EQ(open_status(), Status::kOk);
  for (Buffer& part : parts) {
    for (std::uint8_t& byte : part) {
      byte = static_cast<std::uint8_t>(byte ^ 0x01);
      std::fill(plaintext.begin(), plaintext.end(), std::uint8_t{0});
      EXPECT_NE(open_status(), Status::kOk);
      EXPECT_FALSE(contains(plaintext, bytes_of(kDeltaText)));
      byte = static_cast<std::uint8_t>(byte ^ 0x01);
    }
  }
}

TEST_P(Envelope, RefusesEveryTruncation) {
  const Buffer message = sealed();
  Buffer plaintext(message.size());
  for (std::size_t length = 0; length < message.size(); ++length) {
    EXPECT_NE(receive(Bytes(message).first(length), plaintext), Status::kOk) << length;
  }
}

TEST_P(Envelope, RefusesAnotherDeviceAndAnotherGateway) {
  const Buffer message = sealed();
  const wire::SealedUpdate update = take(wire::decode_sealed_update(message));
  const Parties others(GetParam());
  Buffer plaintext(message.size());
  EXPECT_EQ(verify_update_signature(update, others.device), Status::kBadSignature);
  EXPECT_EQ(open_update(update, others.aggregation_key, plaintext).status(),
            Status::kUndecryptable);
  const Parties other_kem(GetParam() == kKems[0] ? kKems[1] : kKems[0]);
  EXPECT_EQ(open_update(update, other_kem.aggregation_key, plaintext).status(),
            Status::kUndecryptable);
}

TEST_P(Envelope, ASignatureMovesNoPartIntoAnother) {
  const Buffer message = sealed();
  const wire::SealedUpdate update = take(wire::decode_sealed_update(message));
  // The same bytes in a row, cut one byte later.
  Buffer header = to_buffer(update.header);
  header.push_back(update.enc.front());
  EXPECT_EQ(
      verify_update_signature({header, update.enc.subspan(1), update.ciphertext, update.signature},
                              parties_.device),
      Status::kBadSignature);
}

TEST_P(Envelope, NeedsRoomForThePlaintext) {
  const Buffer message = sealed();
  const wire::SealedUpdate update = take(wire::decode_sealed_update(message));
  const std::size_t needed = update.ciphertext.size() - hpke::kTagBytes;
  Buffer small(needed - 1, 0xEE);
  EXPECT_EQ(open_update(update, parties_.aggregation_key, small).status(), Status::kNoMemory);
  EXPECT_EQ(small, Buffer(needed - 1, 0xEE));
}

TEST_P(Envelope, WipesAPlaintextThatIsNoUpdate) {
  const Buffer message = sealed();
  const wire::SealedUpdate good = take(wire::decode_sealed_update(message));
  Buffer info = to_buffer(bytes_of(std::string("skep update v1") + '\0'));
  info.insert(info.end(), update_context().federation.begin(), update_context().federation.end());
  const std::string text = "sealed by a device that is enrolled and broken";
  hpke::PublicKey enc;
  Buffer ciphertext(text.size() + hpke::kTagBytes);
  ASSERT_TRUE(hpke::seal(GetParam(), parties_.aggregation_key.public_key(), info, good.header,
                         bytes_of(text), enc, ciphertext)
                  .ok());
  Buffer plaintext(text.size(), 0xEE);
  EXPECT_EQ(open_update({good.header, enc.view(), ciphertext, good.signature},
                        parties_.aggregation_key, plaintext)
                .status(),
            Status::kMalformed);
  EXPECT_EQ(plaintext, Buffer(text.size(), 0));
}

TEST_P(Envelope, RefusesContextsThatTheWireRefuses) {
  Buffer out(1000, 0xEE);
  const std::string too_long(wire::kMaxNameChars + 1, 'a');
  const std::string much_too_long(5000, 'a');
  for (const std::string& name :
       {std::string(), std::string("Bad Name"), too_long, much_too_long}) {
    UpdateContext context = update_context();
    context.device = name;
    EXPECT_EQ(seal_status(context, parties_.seal_keys(), out), Status::kInvalidArgument);
  }
  UpdateContext no_round = update_context();
  no_round.round = 0;
  EXPECT_EQ(seal_status(no_round, parties_.seal_keys(), out), Status::kInvalidArgument);
  UpdateContext no_base = update_context();
  no_base.base_version = 0;
  EXPECT_EQ(seal_status(no_base, parties_.seal_keys(), out), Status::kInvalidArgument);
  EXPECT_EQ(out, Buffer(1000, 0xEE));

  const UpdateContext context = update_context();
  EXPECT_EQ(seal_status(context, parties_.seal_keys(), out, 0), Status::kInvalidArgument);
  EXPECT_EQ(seal_status(context, parties_.seal_keys(), out, wire::kMaxSampleCount + 1),
            Status::kInvalidArgument);
  EXPECT_EQ(seal_update(compressed_from({}, 1), context, parties_.seal_keys(), out).status(),
            Status::kInvalidArgument);
  EXPECT_FALSE(contains(out, bytes_of(kDeltaText)));
}

TEST_P(Envelope, LeavesNoPlaintextWhenTheAggregationKeyIsBad) {
  const std::size_t keys_before = live_key_count();
  Buffer out(1000, 0xEE);
  const Buffer zeros(parties_.aggregation_key.public_key().size(), 0);
  EXPECT_EQ(seal_status(update_context(), {GetParam(), zeros, parties_.device_key}, out),
            Status::kInvalidArgument);
  EXPECT_FALSE(contains(out, bytes_of(kDeltaText)));
  EXPECT_FALSE(contains(out, update_context().base_digest));

  EXPECT_EQ(seal_status(update_context(), {GetParam(), Bytes(), parties_.device_key}, out),
            Status::kInvalidArgument);
  const auto unknown = static_cast<Kem>(0x0041);
  EXPECT_EQ(seal_status(update_context(), {unknown, zeros, parties_.device_key}, out),
            Status::kUnsupported);
  EXPECT_EQ(live_key_count(), keys_before);
}

TEST_P(Envelope, NeverExceedsWhatAGatewayAccepts) {
  Buffer out(2 * kMaxUpdateBytes);
  Buffer delta(kMaxUpdateBytes - sealed_bytes_bound(0), 0x5A);
  const auto seal_size = [&] {
    return seal_update(compressed_from(delta, 1), update_context(), parties_.seal_keys(), out);
  };
  // Grow to the last size that is accepted, which is then decoded.
  std::size_t largest = 0;
  for (;;) {
    const Result<Sealed> result = seal_size();
    if (!result.ok()) {
      EXPECT_EQ(result.status(), Status::kTooLarge);
      break;
    }
    largest = result->bytes().size();
    EXPECT_TRUE(wire::decode_sealed_update(result->bytes()).ok());
    delta.push_back(0x5A);
  }
  EXPECT_EQ(largest, kMaxUpdateBytes);
  delta.resize(3 * kMaxUpdateBytes);
  EXPECT_EQ(seal_size().status(), Status::kTooLarge);
}

RC_GTEST_PROP(EnvelopeProperty, AnySizeFitsItsBoundAndComesBack, ()) {
  static const Parties kParties[] = {Parties(kKems[0]), Parties(kKems[1])};
  const Parties& parties = kParties[*rc::gen::inRange(0, 2)];
  const auto size = *rc::gen::inRange<std::size_t>(1, 1500);
  const auto delta = *rc::gen::container<Buffer>(size, rc::gen::arbitrary<std::uint8_t>());
  const std::string name(*rc::gen::inRange<std::size_t>(1, wire::kMaxNameChars + 1), 'z');
  UpdateContext context = update_context();
  context.device = name;
  context.round = *rc::gen::inRange<std::uint32_t>(1, std::numeric_limits<std::uint32_t>::max());
  context.key_id = *rc::gen::arbitrary<std::uint32_t>();
  context.loss_before_q16 = *rc::gen::arbitrary<std::uint32_t>();
  context.loss_after_q16 = *rc::gen::arbitrary<std::uint32_t>();
  const auto samples = *rc::gen::inRange<std::uint32_t>(1, wire::kMaxSampleCount + 1);

  // The delta may already lie in the output, anywhere.
  const std::uint32_t bound = sealed_bytes_bound(static_cast<std::uint32_t>(size));
  Buffer out(bound);
  const auto place = *rc::gen::inRange<std::size_t>(0, bound - size + 1);
  std::copy(delta.begin(), delta.end(), out.begin() + static_cast<std::ptrdiff_t>(place));
  const Sealed sealed = take(seal_update(compressed_from(Bytes(out).subspan(place, size), samples),
                                         context, parties.seal_keys(), out));

  const wire::SealedUpdate update = take(wire::decode_sealed_update(sealed.bytes()));
  RC_ASSERT(verify_update_signature(update, parties.device) == Status::kOk);
  Buffer plaintext(update.ciphertext.size() - hpke::kTagBytes);
  const wire::Update opened = take(open_update(update, parties.aggregation_key, plaintext));
  RC_ASSERT(to_buffer(opened.delta) == delta);
  RC_ASSERT(opened.sample_count == samples);
  RC_ASSERT(opened.loss_before_q16 == context.loss_before_q16);
  RC_ASSERT(opened.loss_after_q16 == context.loss_after_q16);

  Buffer small(sealed.bytes().size() - 1, 0xEE);
  RC_ASSERT(
      seal_update(compressed_from(delta, samples), context, parties.seal_keys(), small).status() ==
      Status::kNoMemory);
  RC_ASSERT(small == Buffer(small.size(), 0xEE));
}

TEST(EnvelopeBound, IsReachedByTheLongestNumbers) {
  static constexpr std::uint32_t kMost = std::numeric_limits<std::uint32_t>::max();
  const Parties parties(Kem::kP256HkdfSha256);
  const std::string name(wire::kMaxNameChars, 'z');
  UpdateContext context = update_context();
  context.device = name;
  context.round = context.base_version = context.key_id = kMost;
  context.loss_before_q16 = context.loss_after_q16 = kMost;
  const Buffer delta(20'000, 0x5A);
  const std::uint32_t bound = sealed_bytes_bound(static_cast<std::uint32_t>(delta.size()));
  Buffer out(bound);
  const Sealed sealed = take(seal_update(compressed_from(delta, wire::kMaxSampleCount), context,
                                         parties.seal_keys(), out));
  EXPECT_GE(sealed.bytes().size() + 16, bound);  // The bound is not generous either.
}

TEST(Kem, HasTheWiresNumbers) {
  for (const Kem kem : kKems) EXPECT_EQ(take(kem_from_wire(kem_to_wire(kem))), kem);
  EXPECT_EQ(kem_to_wire(Kem::kP256HkdfSha256), skep_Kem_KEM_DHKEM_P256_HKDF_SHA256);
  EXPECT_EQ(kem_to_wire(Kem::kX25519HkdfSha256), skep_Kem_KEM_DHKEM_X25519_HKDF_SHA256);
  EXPECT_EQ(kem_from_wire(skep_Kem_KEM_UNSPECIFIED).status(), Status::kUnsupported);
}

}  // namespace
}  // namespace skep::seal

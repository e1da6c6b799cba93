#include "skep/seal/hpke.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <limits>

#include "hpke_internal.h"
#include "seal_testing.h"

namespace skep::seal::hpke {
namespace {

using testing::Buffer;
using testing::bytes_of;
using testing::from_hex;
using testing::live_key_count;
using testing::take;
using testing::to_buffer;

constexpr Kem kKems[] = {Kem::kP256HkdfSha256, Kem::kX25519HkdfSha256};
constexpr std::uint64_t kLastNumber = std::numeric_limits<std::uint64_t>::max() - 1;

const std::string kInfoText = "info";
const std::string kAadText = "aad";

class Hpke : public ::testing::TestWithParam<Kem> {
 protected:
  Hpke() : keys_before_(live_key_count()), key_(take(PrivateKey::generate(GetParam()))) {}

  [[nodiscard]] Status setup_sender_status(Bytes recipient_key) const {
    return Sender::setup(GetParam(), recipient_key, bytes_of(kInfoText)).status();
  }
  [[nodiscard]] Status setup_recipient_status(Bytes enc) const {
    return Recipient::setup(key_, enc, bytes_of(kInfoText)).status();
  }

  std::size_t keys_before_;
  PrivateKey key_;
};

INSTANTIATE_TEST_SUITE_P(Kems, Hpke, ::testing::ValuesIn(kKems),
                         [](const ::testing::TestParamInfo<Kem>& param) {
                           return param.param == Kem::kP256HkdfSha256 ? std::string("P256")
                                                                      : std::string("X25519");
                         });

TEST_P(Hpke, MessagesOpenInTheirOrderOnly) {
  Sender sender = take(Sender::setup(GetParam(), key_.public_key(), bytes_of(kInfoText)));
  Recipient recipient = take(Recipient::setup(key_, sender.enc(), bytes_of(kInfoText)));
  const std::string text = "two messages";
  Buffer first(text.size() + kTagBytes);
  Buffer second(text.size() + kTagBytes);
  ASSERT_TRUE(sender.seal({}, bytes_of(text), first).ok());
  ASSERT_TRUE(sender.seal({}, bytes_of(text), second).ok());
  EXPECT_NE(first, second);

  Buffer out(text.size());
  EXPECT_EQ(recipient.open({}, second, out).status(), Status::kUndecryptable);
  EXPECT_EQ(recipient.sequence_number(), 0U);
  EXPECT_TRUE(recipient.open({}, first, out).ok());
  EXPECT_EQ(recipient.open({}, first, out).status(), Status::kUndecryptable);
  EXPECT_TRUE(recipient.open({}, second, out).ok());
  EXPECT_EQ(recipient.sequence_number(), 2U);
}

TEST_P(Hpke, EachEncapsulationIsFresh) {
  const Sender a = take(Sender::setup(GetParam(), key_.public_key(), {}));
  const Sender b = take(Sender::setup(GetParam(), key_.public_key(), {}));
  EXPECT_NE(to_buffer(a.enc()), to_buffer(b.enc()));
}

TEST_P(Hpke, TheCounterNeverWraps) {
  Sender sender = take(Sender::setup(GetParam(), key_.public_key(), {}));
  Recipient recipient = take(Recipient::setup(key_, sender.enc(), {}));
  ContextAccess::set_sequence_number(sender, kLastNumber);
  ContextAccess::set_sequence_number(recipient, kLastNumber);
  Buffer sealed(kTagBytes);
  Buffer none;
  ASSERT_TRUE(sender.seal({}, {}, sealed).ok());
  ASSERT_TRUE(recipient.open({}, sealed, none).ok());
  EXPECT_EQ(sender.seal({}, {}, sealed).status(), Status::kTooLarge);
  EXPECT_EQ(sender.seal({}, {}, sealed).status(), Status::kTooLarge);
  EXPECT_EQ(recipient.open({}, sealed, none).status(), Status::kTooLarge);
}

TEST_P(Hpke, EveryAlteredByteIsRefused) {
  const std::string text = "a bee";
  PublicKey enc;
  Buffer sealed(text.size() + kTagBytes);
  ASSERT_TRUE(seal(GetParam(), key_.public_key(), bytes_of(kInfoText), bytes_of(kAadText),
                   bytes_of(text), enc, sealed)
                  .ok());
  Buffer parts[] = {to_buffer(enc.view()), to_buffer(bytes_of(kInfoText)),
                    to_buffer(bytes_of(kAadText)), sealed};
  const auto open_status = [&](Buffer& out) {
    return open(key_, parts[0], parts[1], parts[2], parts[3], out).status();
  };
  Buffer out(text.size());
  ASSERT_EQ(open_status(out), Status::kOk);
  EXPECT_EQ(out, to_buffer(bytes_of(text)));
  for (Buffer& part : parts) {
    for (std::uint8_t& byte : part) {
      for (const std::uint8_t bit : {std::uint8_t{0x01}, std::uint8_t{0x80}}) {
        byte = static_cast<std::uint8_t>(byte ^ bit);
        std::fill(out.begin(), out.end(), std::uint8_t{0xEE});
        EXPECT_EQ(open_status(out), Status::kUndecryptable);
        EXPECT_FALSE(testing::contains(out, bytes_of(text)));
        byte = static_cast<std::uint8_t>(byte ^ bit);
      }
    }
  }
  EXPECT_EQ(open_status(out), Status::kOk);
}

TEST_P(Hpke, AnotherKeyOpensNothingAndLeavesZeros) {
  const PrivateKey other = take(PrivateKey::generate(GetParam()));
  const std::string text = "for one reader";
  PublicKey enc;
  Buffer sealed(text.size() + kTagBytes);
  ASSERT_TRUE(seal(GetParam(), key_.public_key(), {}, {}, bytes_of(text), enc, sealed).ok());
  Recipient recipient = take(Recipient::setup(other, enc.view(), {}));
  Buffer out(text.size() + 1, 0xEE);
  EXPECT_EQ(recipient.open({}, sealed, out).status(), Status::kUndecryptable);
  EXPECT_TRUE(std::all_of(out.begin(), out.end() - 1, [](auto byte) { return byte == 0; }));
  EXPECT_EQ(out.back(), 0xEE);
}

TEST_P(Hpke, WrongLengthsAreRefused) {
  for (std::size_t length = 0; length < 70; ++length) {
    if (length == key_.public_key().size()) continue;
    Buffer bytes(length, 0x04);
    EXPECT_EQ(setup_sender_status(bytes), Status::kInvalidArgument) << length;
    EXPECT_EQ(setup_recipient_status(bytes), Status::kUndecryptable) << length;
    if (length == kPrivateKeyBytes) continue;
    EXPECT_EQ(PrivateKey::from_bytes(GetParam(), bytes).status(), Status::kInvalidArgument);
  }
  EXPECT_EQ(live_key_count(), keys_before_ + 1);
}

TEST_P(Hpke, ShortCiphertextsAndSmallBuffersAreRefused) {
  Sender sender = take(Sender::setup(GetParam(), key_.public_key(), {}));
  Recipient recipient = take(Recipient::setup(key_, sender.enc(), {}));
  const std::string text = "12345";
  for (std::size_t room = 0; room < text.size() + kTagBytes; ++room) {
    Buffer out(room, 0xEE);
    EXPECT_EQ(sender.seal({}, bytes_of(text), out).status(), Status::kNoMemory);
    EXPECT_EQ(out, Buffer(room, 0xEE));
  }
  Buffer sealed(text.size() + kTagBytes);
  ASSERT_TRUE(sender.seal({}, bytes_of(text), sealed).ok());
  for (std::size_t room = 0; room < text.size(); ++room) {
    Buffer out(room, 0xEE);
    EXPECT_EQ(recipient.open({}, sealed, out).status(), Status::kNoMemory);
    EXPECT_EQ(out, Buffer(room, 0xEE));
  }
  Buffer out(text.size());
  for (std::size_t length = 0; length < sealed.size(); ++length) {
    EXPECT_EQ(recipient.open({}, Bytes(sealed).first(length), out).status(),
              Status::kUndecryptable);
  }
  EXPECT_TRUE(recipient.open({}, sealed, out).ok());
}

TEST_P(Hpke, BoundsOfInfoAndExports) {
  const Buffer longest(kMaxInfoBytes, 1);
  const Buffer longer(kMaxInfoBytes + 1, 1);
  Sender sender = take(Sender::setup(GetParam(), key_.public_key(), longest));
  EXPECT_EQ(Sender::setup(GetParam(), key_.public_key(), longer).status(), Status::kTooLarge);
  EXPECT_EQ(Recipient::setup(key_, sender.enc(), longer).status(), Status::kTooLarge);
  EXPECT_TRUE(Recipient::setup(key_, sender.enc(), longest).ok());

  Buffer out(kMaxExportBytes);
  EXPECT_EQ(sender.export_secret(Buffer(kMaxExporterContextBytes, 1), out), Status::kOk);
  EXPECT_NE(out, Buffer(kMaxExportBytes, 0));
  EXPECT_EQ(sender.export_secret(Buffer(kMaxExporterContextBytes + 1, 1), out), Status::kTooLarge);
  EXPECT_EQ(out, Buffer(kMaxExportBytes, 0));
  Buffer more(kMaxExportBytes + 1, 0xEE);
  EXPECT_EQ(sender.export_secret({}, more), Status::kTooLarge);
  EXPECT_EQ(more, Buffer(kMaxExportBytes + 1, 0));
  EXPECT_EQ(sender.export_secret({}, {}), Status::kOk);
}

TEST_P(Hpke, GeneratedKeysCanBeExportedAndReadBack) {
  Buffer raw(kPrivateKeyBytes);
  ASSERT_EQ(key_.export_private(raw), Status::kOk);
  const PrivateKey copy = take(PrivateKey::from_bytes(GetParam(), raw));
  EXPECT_EQ(to_buffer(copy.public_key()), to_buffer(key_.public_key()));

  EXPECT_EQ(copy.export_private(raw), Status::kUnsupported);
  EXPECT_EQ(raw, Buffer(kPrivateKeyBytes, 0));
  Buffer longer(kPrivateKeyBytes + 1, 0xEE);
  EXPECT_EQ(key_.export_private(longer), Status::kInvalidArgument);
  EXPECT_EQ(longer, Buffer(kPrivateKeyBytes + 1, 0));
}

TEST_P(Hpke, NoKeyOutlivesItsOwner) {
  {
    Sender sender = take(Sender::setup(GetParam(), key_.public_key(), {}));
    const Sender moved = std::move(sender);
    EXPECT_EQ(live_key_count(), keys_before_ + 2);
    const Recipient recipient = take(Recipient::setup(key_, moved.enc(), {}));
    EXPECT_EQ(live_key_count(), keys_before_ + 3);
  }
  EXPECT_EQ(live_key_count(), keys_before_ + 1);
  PrivateKey moved = std::move(key_);
  EXPECT_EQ(live_key_count(), keys_before_ + 1);
  moved = take(PrivateKey::generate(GetParam()));
  EXPECT_EQ(live_key_count(), keys_before_ + 1);
}

RC_GTEST_PROP(HpkeProperty, RoundTripsInPlaceAndOutOfPlace, ()) {
  const Kem kem = *rc::gen::elementOf(std::vector<Kem>(std::begin(kKems), std::end(kKems)));
  const auto size = *rc::gen::inRange<std::size_t>(0, 700);
  const auto plaintext = *rc::gen::container<Buffer>(size, rc::gen::arbitrary<std::uint8_t>());
  const auto aad = *rc::gen::arbitrary<Buffer>();
  const PrivateKey key = take(PrivateKey::generate(kem));
  const PrivateKey ephemeral = take(PrivateKey::generate(kem));

  Sender apart = take(ContextAccess::sender(ephemeral, key.public_key(), {}));
  Buffer sealed(size + kTagBytes);
  RC_ASSERT(take(apart.seal(aad, plaintext, sealed)) == sealed.size());

  Sender in_place = take(ContextAccess::sender(ephemeral, key.public_key(), {}));
  Buffer same = plaintext;
  same.resize(size + kTagBytes + 3, 0xEE);
  RC_ASSERT(take(in_place.seal(aad, Bytes(same).first(size), same)) == sealed.size());
  RC_ASSERT(std::equal(sealed.begin(), sealed.end(), same.begin()));
  RC_ASSERT(same.back() == 0xEE);

  Buffer opened(size);
  RC_ASSERT(take(open(key, apart.enc(), {}, aad, sealed, opened)) == size);
  RC_ASSERT(opened == plaintext);
}

TEST(HpkeKeys, PointsOutsideOfP256AreRefused) {
  const PrivateKey key = take(PrivateKey::generate(Kem::kP256HkdfSha256));
  const Buffer valid = to_buffer(key.public_key());
  Buffer off_curve = valid;
  off_curve.back() = static_cast<std::uint8_t>(off_curve.back() ^ 1);
  Buffer identity(65, 0);
  Buffer origin(65, 0);
  origin[0] = 0x04;
  Buffer beyond_the_field(65, 0xFF);
  beyond_the_field[0] = 0x04;
  Buffer compressed_form = valid;
  compressed_form[0] = 0x02;
  Buffer hybrid_form = valid;
  hybrid_form[0] = static_cast<std::uint8_t>(0x06 | (valid.back() & 1));
  for (const Buffer& bad :
       {off_curve, identity, origin, beyond_the_field, compressed_form, hybrid_form}) {
    EXPECT_EQ(Sender::setup(key.kem(), bad, {}).status(), Status::kInvalidArgument);
    EXPECT_EQ(Recipient::setup(key, bad, {}).status(), Status::kUndecryptable);
  }
  EXPECT_TRUE(Sender::setup(key.kem(), valid, {}).ok());
}

TEST(HpkeKeys, X25519PointsOfSmallOrderAreRefused) {
  const PrivateKey key = take(PrivateKey::generate(Kem::kX25519HkdfSha256));
  const char* const points[] = {
      "0000000000000000000000000000000000000000000000000000000000000000",
      "0100000000000000000000000000000000000000000000000000000000000000",
      "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
      "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
      "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
      "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
      "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
  };
  for (const char* const point : points) {
    EXPECT_EQ(Sender::setup(key.kem(), from_hex(point), {}).status(), Status::kInvalidArgument)
        << point;
    EXPECT_EQ(Recipient::setup(key, from_hex(point), {}).status(), Status::kUndecryptable) << point;
  }
}

TEST(HpkeKeys, ScalarsOutsideOfP256sOrderAreRefused) {
  const std::size_t keys_before = live_key_count();
  for (const char* const scalar : {
           "0000000000000000000000000000000000000000000000000000000000000000",
           "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551",  // n
           "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
       }) {
    EXPECT_EQ(PrivateKey::from_bytes(Kem::kP256HkdfSha256, from_hex(scalar)).status(),
              Status::kInvalidArgument);
  }
  EXPECT_EQ(live_key_count(), keys_before);
}

TEST(HpkeKeys, UnknownKemsAreUnsupported) {
  const auto ml_kem = static_cast<Kem>(0x0041);
  EXPECT_EQ(public_key_bytes(ml_kem), 0U);
  EXPECT_EQ(PrivateKey::generate(ml_kem).status(), Status::kUnsupported);
  EXPECT_EQ(PrivateKey::from_bytes(ml_kem, Buffer(32, 1)).status(), Status::kUnsupported);
  EXPECT_EQ(Sender::setup(ml_kem, Buffer(32, 1), {}).status(), Status::kUnsupported);
}

}  // namespace
}  // namespace skep::seal::hpke

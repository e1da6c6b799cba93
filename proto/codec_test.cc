#include "skep/wire/codec.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <functional>
#include <string>
#include <vector>

#include "test_messages.h"

namespace skep::wire {
namespace {

using testing_messages::Buffer;
using testing_messages::Decoder;

constexpr std::uint8_t kPaddedVarintEnd = 0x00;

std::vector<Decoder> versioned_decoders() {
  std::vector<Decoder> versioned = testing_messages::decoders();
  std::erase_if(versioned, [](const Decoder& decoder) { return !decoder.has_version; });
  return versioned;
}

class EveryMessage : public testing::TestWithParam<Decoder> {};

TEST_P(EveryMessage, IsReadBack) {
  EXPECT_EQ(GetParam().decode(GetParam().valid), Status::kOk);
  EXPECT_EQ(GetParam().reencode(GetParam().valid), GetParam().valid);
}

// Between two fields a cut may leave another valid message, if what is cut off are fields with
// defaults; then it has its own encoding, and its signature does not verify.
TEST_P(EveryMessage, CutAnywhereIsRefusedOrAnotherMessage) {
  std::vector<std::size_t> boundaries;
  std::size_t end = 0;
  for (const Buffer& field : testing_messages::fields_of(GetParam().valid)) {
    boundaries.push_back(end += field.size());
  }
  for (std::size_t size = 0; size < GetParam().valid.size(); ++size) {
    const Buffer cut(GetParam().valid.begin(),
                     GetParam().valid.begin() + static_cast<std::ptrdiff_t>(size));
    if (GetParam().decode(cut) != Status::kOk) continue;
    EXPECT_TRUE(std::count(boundaries.begin(), boundaries.end(), size) == 1) << size;
    EXPECT_EQ(GetParam().reencode(cut), cut) << size;
  }
}

TEST_P(EveryMessage, WithoutItsFirstOrOnlyTheFirstFieldIsRefused) {
  const std::vector<Buffer> fields = testing_messages::fields_of(GetParam().valid);
  EXPECT_NE(GetParam().decode(fields.front()), Status::kOk);
  const Bytes without_first = Bytes(GetParam().valid).subspan(fields.front().size());
  EXPECT_EQ(GetParam().decode(without_first), Status::kMalformed);
}

// A flipped bit either makes the message invalid or gives another message with its own, different
// encoding; never the same message again.
TEST_P(EveryMessage, HasNoBitWithoutAMeaning) {
  const Buffer& valid = GetParam().valid;
  for (std::size_t bit = 0; bit < valid.size() * 8; ++bit) {
    Buffer flipped = valid;
    flipped[bit / 8] = static_cast<std::uint8_t>(flipped[bit / 8] ^ (1U << (bit % 8)));
    if (GetParam().decode(flipped) == Status::kOk) {
      EXPECT_EQ(GetParam().reencode(flipped), flipped) << "bit " << bit;
    }
  }
}

TEST_P(EveryMessage, IsRefusedWithAnUnknownField) {
  for (const Buffer& unknown : {Buffer{0xa0, 0x06, 0x01},        // field 100, varint
                                Buffer{0xa2, 0x06, 0x01, 0x00},  // field 100, one byte
                                Buffer{0x00}, Buffer{0x07}}) {   // no field, no wire type
    Buffer extended = GetParam().valid;
    extended.insert(extended.end(), unknown.begin(), unknown.end());
    const Status status = GetParam().decode(extended);
    EXPECT_TRUE(status == Status::kMalformed || status == Status::kTooLarge) << to_string(status);
  }
}

TEST_P(EveryMessage, IsRefusedWhenAnyFieldComesTwice) {
  for (const Buffer& field : testing_messages::fields_of(GetParam().valid)) {
    Buffer twice = GetParam().valid;
    twice.insert(twice.end(), field.begin(), field.end());
    EXPECT_NE(GetParam().decode(twice), Status::kOk) << "field " << (field[0] >> 3U);
  }
}

TEST_P(EveryMessage, IsRefusedWithFieldsOutOfOrder) {
  std::vector<Buffer> fields = testing_messages::fields_of(GetParam().valid);
  ASSERT_GE(fields.size(), 2U);
  std::swap(fields[fields.size() - 2], fields[fields.size() - 1]);
  Buffer reordered;
  for (const Buffer& field : fields) reordered.insert(reordered.end(), field.begin(), field.end());
  EXPECT_EQ(GetParam().decode(reordered), Status::kMalformed);
}

TEST_P(EveryMessage, IsRefusedWithAPaddedVarint) {
  // 09 as one byte and 89 00 as two are the same number to a lenient decoder.
  const std::vector<Buffer> fields = testing_messages::fields_of(GetParam().valid);
  for (std::size_t padded = 0; padded < fields.size(); ++padded) {
    if (fields[padded][1] >= 0x80) continue;  // only one-byte numbers and lengths, for simplicity
    Buffer bytes;
    for (std::size_t i = 0; i < fields.size(); ++i) {
      bytes.insert(bytes.end(), fields[i].begin(), fields[i].end());
      if (i != padded) continue;
      const auto number = bytes.end() - static_cast<std::ptrdiff_t>(fields[i].size()) + 1;
      *number = static_cast<std::uint8_t>(*number | 0x80U);
      bytes.insert(number + 1, kPaddedVarintEnd);
    }
    EXPECT_NE(GetParam().decode(bytes), Status::kOk) << "field " << (fields[padded][0] >> 3U);
  }
}

// The envelopes have no version: their first member has it.
class VersionedMessage : public testing::TestWithParam<Decoder> {};

TEST_P(VersionedMessage, OfAnotherVersionIsSaidToBe) {
  Buffer bytes = GetParam().valid;
  ASSERT_EQ(bytes[0], 0x08);
  ++bytes[1];  // The valid one is of the latest.
  EXPECT_EQ(GetParam().decode(bytes), Status::kUnsupportedVersion);
  bytes.resize(2);  // whatever a later version contains
  EXPECT_EQ(GetParam().decode(bytes), Status::kUnsupportedVersion);
}

INSTANTIATE_TEST_SUITE_P(Wire, VersionedMessage, testing::ValuesIn(versioned_decoders()),
                         [](const auto& param) { return param.param.name; });

TEST_P(EveryMessage, LongerThanAnyValidOneIsTooLarge) {
  Buffer bytes = GetParam().valid;
  bytes.resize(GetParam().max_bytes + 1);
  EXPECT_EQ(GetParam().decode(bytes), Status::kTooLarge);
}

TEST_P(EveryMessage, NeedsRoomForAllOfItsBytes) {
  EXPECT_EQ(GetParam().encode_valid_into(GetParam().valid.size()), Status::kOk);
  for (std::size_t size = 0; size < GetParam().valid.size(); ++size) {
    EXPECT_EQ(GetParam().encode_valid_into(size), Status::kNoMemory) << size;
  }
}

INSTANTIATE_TEST_SUITE_P(Wire, EveryMessage, testing::ValuesIn(testing_messages::decoders()),
                         [](const auto& param) { return param.param.name; });

TEST(SealedUpdate, ItsCiphertextMayAlreadyLieInTheOutput) {
  SealedUpdate message = testing_messages::sealed_update();
  Buffer apart(1000);
  const Result<std::size_t> size = encode(message, apart);
  ASSERT_TRUE(size.ok());

  Buffer in_place(1000);
  const std::size_t offset = sealed_ciphertext_offset(message.header.size(), message.enc.size(),
                                                      message.ciphertext.size());
  std::copy(message.ciphertext.begin(), message.ciphertext.end(),
            in_place.begin() + static_cast<std::ptrdiff_t>(offset));
  message.ciphertext = Bytes(in_place).subspan(offset, message.ciphertext.size());
  ASSERT_EQ(*encode(message, in_place), *size);
  EXPECT_EQ(in_place, apart);
}

TEST(Update, ItsDeltaMayAlreadyLieInTheOutput) {
  Update message = testing_messages::update();
  for (const std::uint32_t loss : {0U, 1U, 1U << 20U}) {  // fields of 0, 2 and 4 bytes
    message.loss_before_q16 = loss;
    Buffer apart(1000);
    const Result<std::size_t> size = encode(message, apart);
    ASSERT_TRUE(size.ok());

    Update moved = message;
    Buffer in_place(1000);
    const std::size_t offset = update_delta_offset(message);
    std::copy(message.delta.begin(), message.delta.end(),
              in_place.begin() + static_cast<std::ptrdiff_t>(offset));
    moved.delta = Bytes(in_place).subspan(offset, message.delta.size());
    ASSERT_EQ(*encode(moved, in_place), *size);
    EXPECT_EQ(in_place, apart);
  }
}

TEST(SealedUpdate, TheLargestOneFitsTheBoundExactly) {
  SealedUpdate message = testing_messages::sealed_update();
  const std::size_t around =
      sealed_ciphertext_offset(message.header.size(), message.enc.size(), kMaxUpdateBytes) + 2 +
      kSignatureBytes;
  Buffer ciphertext(kMaxUpdateBytes - around);
  Buffer out(kMaxUpdateBytes + 100);
  message.ciphertext = ciphertext;
  ASSERT_EQ(*encode(message, out), kMaxUpdateBytes);
  EXPECT_TRUE(decode_sealed_update(Bytes(out).first(kMaxUpdateBytes)).ok());

  ciphertext.resize(ciphertext.size() + 1);
  message.ciphertext = ciphertext;
  EXPECT_EQ(encode(message, out).status(), Status::kInvalidArgument);
}

// The table in docs/reference/wire.md, and the demo's bar of 700 B an update.
TEST(UpdateSize, OverheadIsWhatTheReferenceSays) {
  const Buffer header = testing_messages::encoded(testing_messages::update_header());
  EXPECT_EQ(header.size(), 49U);

  const Buffer delta(464);
  Update update = testing_messages::update();
  update.delta = delta;
  const Buffer plaintext = testing_messages::encoded(update);
  EXPECT_EQ(plaintext.size() - delta.size(), 33U);

  const Buffer ciphertext(plaintext.size() + kAeadTagBytes);
  SealedUpdate sealed = testing_messages::sealed_update();
  sealed.header = header;
  sealed.ciphertext = ciphertext;
  EXPECT_EQ(testing_messages::encoded(sealed).size(), 700U);
  EXPECT_EQ(testing_messages::encoded(sealed).size() - delta.size(), 236U);
}

// A flash slot that breaks after `good_bytes`.
class FailingSource final : public ByteSource {
 public:
  FailingSource(Bytes bytes, std::uint32_t good_bytes) : source_(bytes), good_bytes_(good_bytes) {}
  [[nodiscard]] std::uint32_t size_bytes() const override { return source_.size_bytes(); }
  Status read(std::uint32_t offset, MutableBytes out) const override {
    if (offset + out.size() > good_bytes_) return Status::kStorageFailed;
    return source_.read(offset, out);
  }

 private:
  SpanSource source_;
  std::uint32_t good_bytes_;
};

TEST(DeviceCredentials, AreReadIntoTheCallersMemory) {
  const Buffer bytes = testing_messages::encoded(testing_messages::device_credentials());
  DeviceCredentials credentials;
  ASSERT_EQ(decode_device_credentials(bytes, credentials), Status::kOk);
  EXPECT_EQ(testing_messages::encoded(credentials), bytes);
}

TEST(ModelPackage, AFailingMediumIsReportedAsSuch) {
  const Buffer package = testing_messages::encoded(testing_messages::model_package());
  const Result<PackageHead> head = read_model_package(SpanSource(package));
  ASSERT_TRUE(head.ok());
  for (std::uint32_t good = 0; good < head->weights_offset; ++good) {
    EXPECT_EQ(read_model_package(FailingSource(package, good)).status(), Status::kStorageFailed);
  }
}

TEST(ModelPackage, ItsWeightsAreNotRead) {
  const Buffer package = testing_messages::encoded(testing_messages::model_package());
  const Result<PackageHead> head = read_model_package(SpanSource(package));
  ASSERT_TRUE(head.ok());
  EXPECT_TRUE(read_model_package(FailingSource(package, head->weights_offset)).ok());
}

TEST(ModelPackage, AboveTheBoundIsTooLargeWithoutReadingIt) {
  const Buffer large(kMaxPackageBytes + 1);
  EXPECT_EQ(read_model_package(FailingSource(large, 0)).status(), Status::kTooLarge);
}

TEST(Names, AreLowerCaseLettersDigitsAndHyphens) {
  const auto valid = [](const std::string& name) {
    return is_valid_name(name.data(), name.size());
  };
  EXPECT_TRUE(valid("device-07"));
  EXPECT_TRUE(valid("a"));
  EXPECT_TRUE(valid(std::string(32, 'z')));
  EXPECT_FALSE(valid(""));
  EXPECT_FALSE(valid(std::string(33, 'z')));
  for (int c = 0; c < 256; ++c) {
    const bool allowed = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
    EXPECT_EQ(valid(std::string(1, static_cast<char>(c))), allowed) << c;
  }
}

}  // namespace
}  // namespace skep::wire

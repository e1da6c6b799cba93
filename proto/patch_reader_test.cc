#include "skep/wire/patch_reader.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>

#include "skep/wire/codec.h"
#include "test_messages.h"

namespace skep::wire {
namespace {

using testing_messages::Buffer;
using testing_messages::encoded;

constexpr std::uint32_t kBaseVersion = 19;
constexpr std::uint32_t kWeightsBytes = 300;

struct Taken {
  Status status;
  Buffer package;
  Buffer difference;
  std::uint32_t head_bytes;
};

Taken read(Bytes message, std::size_t piece, std::uint32_t base_version = kBaseVersion) {
  PatchReader reader(base_version, kWeightsBytes);
  Taken taken{Status::kOk, {}, {}, 0};
  while (!message.empty()) {
    Bytes rest = message.first(std::min(piece, message.size()));
    message = message.subspan(rest.size());
    while (!rest.empty()) {
      const Result<PatchReader::Piece> next = reader.next(rest);
      if (!next.ok()) {
        taken.status = next.status();
        return taken;
      }
      Buffer& out = next->is_difference ? taken.difference : taken.package;
      out.insert(out.end(), next->bytes.begin(), next->bytes.end());
      if (next->is_difference) taken.head_bytes = reader.head_bytes();
    }
  }
  taken.status = reader.finish();
  return taken;
}

TEST(PatchReader, GivesThePackageAsFarAsItsWeightsAndTheDifference) {
  const ModelPatch patch = testing_messages::model_patch();
  const Buffer message = encoded(patch);
  EXPECT_EQ(message[0], kModelPatchFirstByte);
  const Buffer weights(kWeightsBytes, 7);
  const Buffer package = encoded(ModelPackage{patch.manifest, patch.signature, weights});
  EXPECT_NE(package[0], kModelPatchFirstByte);
  for (std::size_t piece = 1; piece <= message.size(); ++piece) {
    const Taken taken = read(message, piece);
    ASSERT_EQ(taken.status, Status::kOk) << piece;
    ASSERT_EQ(taken.package, Buffer(package.begin(), package.end() - kWeightsBytes)) << piece;
    ASSERT_TRUE(std::ranges::equal(taken.difference, patch.difference)) << piece;
    ASSERT_EQ(taken.head_bytes, package.size() - kWeightsBytes) << piece;
  }
}

TEST(PatchReader, RefusesAnotherBaseAndAnotherVersion) {
  Buffer message = encoded(testing_messages::model_patch());
  EXPECT_EQ(read(message, 512, kBaseVersion + 1).status, Status::kWrongBase);
  message[1] = 2;
  EXPECT_EQ(read(message, 512).status, Status::kUnsupportedVersion);
}

// It says of any bytes what the decoder of the whole message says.
void expect_agreement(const Buffer& bytes) {
  const Result<ModelPatch> whole = decode_model_patch(bytes);
  const Taken taken = read(bytes, 5);
  if (whole.ok() && whole->base_version != kBaseVersion) {
    ASSERT_EQ(taken.status, Status::kWrongBase);
  } else if (whole.ok()) {
    ASSERT_EQ(taken.status, Status::kOk);
    ASSERT_TRUE(std::ranges::equal(taken.difference, whole->difference));
  } else {
    ASSERT_NE(taken.status, Status::kOk);
  }
}

TEST(PatchReader, AgreesWithTheDecoderOnEveryFlippedBitAndEveryLength) {
  const Buffer good = encoded(testing_messages::model_patch());
  for (std::size_t bit = 0; bit < good.size() * 8; ++bit) {
    Buffer bytes = good;
    bytes[bit / 8] = static_cast<std::uint8_t>(bytes[bit / 8] ^ (1U << (bit % 8)));
    expect_agreement(bytes);
  }
  Buffer bytes = good;
  bytes.push_back(0);
  expect_agreement(bytes);
  for (bytes = good; !bytes.empty(); bytes.pop_back()) expect_agreement(bytes);
}

TEST(PatchReader, RefusesPaddedAndOverlongLengths) {
  const Buffer good = encoded(testing_messages::model_patch());
  for (const Buffer& number :
       {Buffer{0x93, 0x00}, Buffer{0x93, 0x80, 0x80, 0x80, 0x00},
        Buffer{0x93, 0x80, 0x80, 0x80, 0x10}, Buffer{0x93, 0x80, 0x80, 0x80, 0x80, 0x01}}) {
    Buffer bytes = good;
    ASSERT_EQ(bytes[3], kBaseVersion);
    bytes.erase(bytes.begin() + 3);
    bytes.insert(bytes.begin() + 3, number.begin(), number.end());
    EXPECT_EQ(read(bytes, 512).status, Status::kMalformed);
  }
}

RC_GTEST_PROP(PatchReaderProperty, AgreesWithTheDecoderOnAlteredMessages, ()) {
  Buffer bytes = encoded(testing_messages::model_patch());
  const int changes = *rc::gen::inRange(1, 5);
  for (int i = 0; i < changes; ++i) {
    bytes[*rc::gen::inRange<std::size_t>(0, bytes.size())] = *rc::gen::arbitrary<std::uint8_t>();
  }
  expect_agreement(bytes);
  RC_ASSERT(!::testing::Test::HasFatalFailure());
}

}  // namespace
}  // namespace skep::wire

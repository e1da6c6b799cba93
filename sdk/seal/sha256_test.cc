#include "skep/seal/sha256.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "seal_testing.h"

namespace skep::seal {
namespace {

using testing::Buffer;
using testing::bytes_of;
using testing::take;
using testing::to_hex;

TEST(Sha256, KnownAnswersOfFips180) {
  EXPECT_EQ(to_hex(take(sha256(Bytes()))),
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(to_hex(take(sha256(bytes_of("abc")))),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(to_hex(take(sha256(Buffer(1'000'000, 'a')))),
            "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

RC_GTEST_PROP(Sha256Property, PiecesAndSourcesGiveTheSame, ()) {
  const auto size = *rc::gen::inRange<std::size_t>(0, 2000);
  const auto message = *rc::gen::container<Buffer>(size, rc::gen::arbitrary<std::uint8_t>());
  const Sha256Digest whole = take(sha256(Bytes(message)));

  Sha256 hash;
  Bytes rest(message);
  while (!rest.empty()) {
    // At least 1: RapidCheck begins with the smallest values, and 0 would never end.
    const auto length = *rc::gen::inRange<std::size_t>(1, rest.size() + 1);
    RC_ASSERT(hash.update(rest.first(length)) == Status::kOk);
    rest = rest.subspan(length);
  }
  RC_ASSERT(take(hash.finish()) == whole);
  RC_ASSERT(take(sha256(SpanSource(message))) == whole);
}

TEST(Sha256, EndsOnce) {
  Sha256 hash;
  ASSERT_EQ(hash.update(bytes_of("abc")), Status::kOk);
  ASSERT_TRUE(hash.finish().ok());
  EXPECT_EQ(hash.update(bytes_of("abc")), Status::kInvalidArgument);
  EXPECT_EQ(hash.finish().status(), Status::kInvalidArgument);
}

/// Fails when it is read at `bad_offset` or beyond.
class FailingSource final : public ByteSource {
 public:
  explicit FailingSource(std::uint32_t bad_offset) : bad_offset_(bad_offset) {}
  [[nodiscard]] std::uint32_t size_bytes() const override { return 1000; }
  Status read(std::uint32_t offset, MutableBytes out) const override {
    return offset + out.size() > bad_offset_ ? Status::kStorageFailed : Status::kOk;
  }

 private:
  std::uint32_t bad_offset_;
};

TEST(Sha256, PassesOnWhatTheSourceSays) {
  EXPECT_EQ(sha256(FailingSource(0)).status(), Status::kStorageFailed);
  EXPECT_EQ(sha256(FailingSource(999)).status(), Status::kStorageFailed);
}

}  // namespace
}  // namespace skep::seal

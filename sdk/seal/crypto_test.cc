#include "skep/seal/crypto.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <new>

#include "seal_testing.h"

namespace skep::seal {
namespace {

using testing::Buffer;

using Secret = SecretBytes<32>;

TEST(Wipe, ZeroesExactlyWhatItIsGiven) {
  Buffer bytes(10, 0xEE);
  wipe(MutableBytes(bytes).subspan(1, 8));
  EXPECT_EQ(bytes, (Buffer{0xEE, 0, 0, 0, 0, 0, 0, 0, 0, 0xEE}));
  wipe({});
}

TEST(SecretBytes, AreZerosAfterTheirDestruction) {
  alignas(Secret) std::array<std::uint8_t, sizeof(Secret)> memory{};
  auto* secret = new (memory.data()) Secret;
  std::fill(secret->mutable_view().begin(), secret->mutable_view().end(), std::uint8_t{0xEE});
  ASSERT_TRUE(testing::contains(memory, Buffer(32, 0xEE)));
  secret->~Secret();
  EXPECT_FALSE(testing::contains(memory, Buffer(1, 0xEE)));
}

TEST(SecretBytes, LeaveNothingBehindWhenMoved) {
  Secret source;
  std::fill(source.mutable_view().begin(), source.mutable_view().end(), std::uint8_t{0xEE});
  Secret target = std::move(source);
  EXPECT_EQ(testing::to_buffer(target.view()), Buffer(32, 0xEE));
  EXPECT_EQ(testing::to_buffer(source.view()), Buffer(32, 0));  // NOLINT
  source = std::move(target);
  EXPECT_EQ(testing::to_buffer(source.view()), Buffer(32, 0xEE));
  EXPECT_EQ(testing::to_buffer(target.view()), Buffer(32, 0));  // NOLINT
}

}  // namespace
}  // namespace skep::seal

#include "skep/core/prng.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <set>

namespace skep {
namespace {

TEST(Xorshift32, FollowsTheSequenceOfThePaper) {
  // From an independent computation in Python with seed 2463534242, the paper's example.
  Xorshift32 generator(2463534242U);
  EXPECT_EQ(generator.next(), 723471715U);
  EXPECT_EQ(generator.next(), 2497366906U);
  EXPECT_EQ(generator.next(), 2064144800U);
}

TEST(Xorshift32, SeedOneGivesTheKnownValues) {
  Xorshift32 generator(1);
  EXPECT_EQ(generator.next(), 270369U);
  EXPECT_EQ(generator.next(), 67634689U);
  EXPECT_EQ(generator.next(), 2647435461U);
  EXPECT_EQ(generator.next(), 307599695U);
}

TEST(Xorshift32, SeedZeroIsMappedToAFixedSeed) {
  Xorshift32 zero(0);
  Xorshift32 mapped(Xorshift32::kSeedForZero);
  for (int i = 0; i < 100; ++i) {
    const std::uint32_t value = zero.next();
    EXPECT_EQ(value, mapped.next());
    EXPECT_NE(value, 0U);
  }
}

TEST(MixSeed, IsFixedForEver) {
  // Federations are reproducible from their seed: these values may never change.
  EXPECT_EQ(mix_seed(0, 0), 0xAA3E5B61U);
  EXPECT_EQ(mix_seed(1, 2), 0x5FBE746AU);
}

TEST(MixSeed, NeighbouringDevicesAndRoundsGetDistinctSeeds) {
  std::set<std::uint32_t> seeds;
  for (std::uint32_t device = 0; device < 64; ++device) {
    for (std::uint32_t round = 0; round < 64; ++round) seeds.insert(mix_seed(device, round));
  }
  EXPECT_EQ(seeds.size(), 64U * 64U);
}

TEST(MixSeed, EveryInputBitReachesAboutHalfOfTheOutputBits) {
  for (int bit = 0; bit < 32; ++bit) {
    int changed_by_a = 0;
    int changed_by_b = 0;
    for (std::uint32_t i = 0; i < 256; ++i) {
      const std::uint32_t base = mix_seed(i, 7 * i);
      changed_by_a += __builtin_popcount(base ^ mix_seed(i ^ 1U << bit, 7 * i));
      changed_by_b += __builtin_popcount(base ^ mix_seed(i, (7 * i) ^ 1U << bit));
    }
    EXPECT_NEAR(changed_by_a / 256.0, 16.0, 2.0) << "bit " << bit;
    EXPECT_NEAR(changed_by_b / 256.0, 16.0, 2.0) << "bit " << bit;
  }
}

}  // namespace
}  // namespace skep

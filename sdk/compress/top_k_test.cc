#include "top_k.h"

#include <gtest/gtest.h>

namespace skep::compress {
namespace {

TEST(Buckets, AreOrderedAndKnowTheirSmallestMagnitude) {
  for (std::uint32_t magnitude = 0; magnitude <= 32768; ++magnitude) {
    const std::uint32_t bucket = bucket_of(magnitude);
    ASSERT_LT(bucket, kBucketCount);
    ASSERT_LE(smallest_of(bucket), magnitude);
    ASSERT_LT(magnitude, smallest_of(bucket + 1));
  }
}

TEST(Buckets, AreAtMostAnEighthWide) {
  for (std::uint32_t bucket = 16; bucket < kBucketCount; ++bucket) {
    const std::uint32_t width = smallest_of(bucket + 1) - smallest_of(bucket);
    EXPECT_LE(8 * width, smallest_of(bucket));
  }
  for (std::uint32_t bucket = 0; bucket < 16; ++bucket) EXPECT_EQ(smallest_of(bucket), bucket);
}

TEST(MagnitudeOf, TakesTheMostNegativeValue) {
  EXPECT_EQ(magnitude_of(INT16_MIN), 32768U);
  EXPECT_EQ(magnitude_of(-1), 1U);
  EXPECT_EQ(magnitude_of(INT16_MAX), 32767U);
}

}  // namespace
}  // namespace skep::compress

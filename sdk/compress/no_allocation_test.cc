// The whole way from a delta to bytes and back, while every allocation ends the program.
#include <gtest/gtest.h>

#include <array>
#include <cstdint>

#include "skep/allocation_trap/allocation_trap.h"
#include "skep/compress/compressor.h"
#include "skep/compress/decoder.h"
#include "skep/compress/error_feedback.h"
#include "skep/core/norm.h"
#include "skep/flow.h"

namespace skep::compress {
namespace {

constexpr std::size_t kDimension = 2410;
constexpr Options kOptions{241, 10};

std::array<std::int16_t, kDimension> values;
std::array<std::int16_t, kDimension> memory;
std::array<std::uint8_t, max_compressed_bytes(kDimension, kOptions)> out;

/// Two rounds of a device and what the gateway does with them; the number of entries read.
Result<std::uint32_t> run_rounds() {
  constexpr Norm kBound{65536};
  ErrorFeedback feedback(memory);
  std::uint32_t read = 0;
  for (std::uint32_t round = 1; round <= 2; ++round) {
    std::uint32_t state = round;
    for (auto& value : values) {
      state = state * 1664525U + 1013904223U;
      value = static_cast<std::int16_t>(state >> 16);
    }
    Delta delta{values, -14, 1};
    SKEP_TRY(feedback.add_to(delta));
    SKEP_ASSIGN_OR_RETURN(const Clipped clipped, privacy::clip(delta, kBound));
    const Noised update = privacy::without_noise(clipped);
    SKEP_ASSIGN_OR_RETURN(const Compressed sent, compress(update, kOptions, out));
    SKEP_TRY(feedback.retain(update, sent));
    SKEP_ASSIGN_OR_RETURN(const Summary summary, inspect(sent.bytes(), kDimension));
    if (!norm_at_most(summary.sum_of_squares, summary.header.exponent, kBound)) {
      return Status::kNormExceeded;
    }
    read += summary.header.count;
  }
  return read;
}

TEST(NoAllocation, OnTheWayFromADeltaToBytesAndBack) {
  const Result<std::uint32_t> read = [] {
    const allocation_trap::Trap trap(true);
    return run_rounds();
  }();
  ASSERT_TRUE(read.ok());
  EXPECT_EQ(*read, 2 * kOptions.keep_count);
}

}  // namespace
}  // namespace skep::compress

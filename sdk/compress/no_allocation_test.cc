// The whole way from a delta to bytes and back, while every allocation ends the program.
#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <cstdlib>

#include "skep/compress/compressor.h"
#include "skep/compress/decoder.h"
#include "skep/compress/error_feedback.h"
#include "skep/core/norm.h"
#include "skep/flow.h"

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SKEP_SANITIZED 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SKEP_SANITIZED 1
#endif

#ifndef SKEP_SANITIZED  // sanitizers have an allocator of their own
namespace {
bool allocation_is_fatal = false;
}

// operator new comes here as well.
extern "C" void* __libc_malloc(std::size_t size);  // NOLINT(bugprone-reserved-identifier)
extern "C" void* malloc(std::size_t size) {
  if (allocation_is_fatal) std::abort();
  return __libc_malloc(size);
}

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
  allocation_is_fatal = true;
  const Result<std::uint32_t> read = run_rounds();
  allocation_is_fatal = false;
  ASSERT_TRUE(read.ok());
  EXPECT_EQ(*read, 2 * kOptions.keep_count);
}

TEST(NoAllocationDeathTest, TheTrapWorks) {
  EXPECT_DEATH(
      {
        allocation_is_fatal = true;
        int* volatile allocated = new int(1);
        delete allocated;
      },
      "");
}

}  // namespace
}  // namespace skep::compress
#else
TEST(NoAllocation, OnTheWayFromADeltaToBytesAndBack) {
  GTEST_SKIP() << "a sanitizer owns malloc; the plain build checks this";
}
#endif

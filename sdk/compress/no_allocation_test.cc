// The whole way from a delta to bytes and back, while every allocation ends the program.
#include <gtest/gtest.h>

#include <array>
#include <cstdint>

#include "skep/allocation_trap/allocation_trap.h"
#include "skep/compress/compressor.h"
#include "skep/compress/decoder.h"
#include "skep/compress/error_feedback.h"
#include "skep/flow.h"

namespace skep::compress {
namespace {

constexpr std::size_t kDimension = 2410;
constexpr Norm kBound{65536};

constexpr Options options_of(CompressionMode mode) {
  return options_for({mode, static_cast<std::uint16_t>(has_keep_count(mode) ? 100 : 0),
                      static_cast<std::uint8_t>(has_value_bits(mode) ? 10 : 0)},
                     kDimension, 1, kBound);
}

std::array<std::int16_t, kDimension> values;
std::array<std::int16_t, kDimension> memory;
std::array<std::int16_t, padded_dimension(kDimension)> scratch;
std::array<std::uint8_t, kScaledHeaderBytes + kDimension> out;
std::array<std::int32_t, padded_dimension(kDimension)> decoded_values;

/// Two rounds of a device and what the gateway does with them.
Status run_rounds(const Options& options) {
  ErrorFeedback feedback(memory);
  for (std::uint32_t round = 1; round <= 2; ++round) {
    std::uint32_t state = round;
    for (auto& value : values) {
      state = state * 1664525U + 1013904223U;
      value = static_cast<std::int16_t>(state >> 16);
    }
    Delta delta{values, -14, 1};
    if (has_error_feedback(options.mode)) SKEP_TRY(feedback.add_to(delta));
    SKEP_ASSIGN_OR_RETURN(const Clipped clipped, privacy::clip(delta, kBound));
    const Noised update = privacy::without_noise(clipped);
    SKEP_ASSIGN_OR_RETURN(const Compressed sent, compress(update, options, out, scratch));
    if (has_error_feedback(options.mode)) SKEP_TRY(feedback.retain(update, sent, options));
    SKEP_ASSIGN_OR_RETURN(const Decoded decoded,
                          decode(sent.bytes(), kDimension, options, decoded_values));
    if (!norm_at_most(decoded, kBound)) return Status::kNormExceeded;
  }
  return Status::kOk;
}

class NoAllocation : public ::testing::TestWithParam<CompressionMode> {};

TEST_P(NoAllocation, OnTheWayFromADeltaToBytesAndBack) {
  const Status status = [] {
    const allocation_trap::Trap trap(true);
    return run_rounds(options_of(GetParam()));
  }();
  EXPECT_EQ(status, Status::kOk);
}

INSTANTIATE_TEST_SUITE_P(Modes, NoAllocation,
                         ::testing::Values(CompressionMode::kTopK, CompressionMode::kTernary,
                                           CompressionMode::kInt8, CompressionMode::kEden,
                                           CompressionMode::kRandomK));

}  // namespace
}  // namespace skep::compress

#include "quantize.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <cmath>

#include "skep/learn/layers.h"

namespace skep::exchange {
namespace {

std::int64_t read(const std::vector<std::uint8_t>& blob, std::size_t offset, std::size_t bytes) {
  std::uint32_t value = 0;
  for (std::size_t i = 0; i < bytes; ++i) value |= std::uint32_t{blob[offset + i]} << (8 * i);
  return bytes == 2 ? static_cast<std::int16_t>(value) : static_cast<std::int32_t>(value);
}

RC_GTEST_PROP(Quantize, EachValueIsTheNearestAndTheExponentTheSmallest,
              (std::vector<std::int32_t> weights, std::vector<std::int32_t> biases)) {
  const int scale = *rc::gen::inRange(-60, -18);
  RealLayer layer{"layer", {}, {}};
  for (const std::int32_t value : weights) layer.weights.push_back(std::ldexp(value, scale));
  for (const std::int32_t value : biases) layer.biases.push_back(std::ldexp(value, scale));
  std::vector<std::uint8_t> blob{1, 2, 3};  // appended to
  append_quantized(layer, blob);
  RC_ASSERT(blob.size() == 3 + 2 + 2 * weights.size() + 4 * biases.size());
  const auto exponent = static_cast<int>(read(blob, 3, 2));
  double largest = 0;
  for (std::size_t i = 0; i < weights.size(); ++i) {
    const double off = std::ldexp(read(blob, 5 + 2 * i, 2), exponent) - layer.weights[i];
    RC_ASSERT(std::fabs(off) <= std::ldexp(1, exponent - 1));
    largest = std::max(largest, std::fabs(layer.weights[i]));
  }
  for (std::size_t i = 0; i < biases.size(); ++i) {
    const double off =
        std::ldexp(read(blob, 5 + 2 * weights.size() + 4 * i, 4), exponent - 16) - layer.biases[i];
    RC_ASSERT(std::fabs(off) <= std::ldexp(1, exponent - 17));
    largest = std::max(largest, std::fabs(layer.biases[i]));
  }
  RC_ASSERT(largest <= std::ldexp(8191.5, exponent));
  RC_ASSERT(largest == 0 || exponent == learn::kMinWeightExponent ||
            largest >= std::ldexp(8191.5, exponent - 1));
}

TEST(Quantize, TiesGoToEven) {
  std::vector<std::uint8_t> blob;
  append_quantized({"layer", {8191, 0.5, 1.5, 2.5, -0.5, -1.5}, {}}, blob);
  EXPECT_EQ(read(blob, 0, 2), 0);
  const std::vector<int> expected{8191, 0, 2, 2, 0, -2};
  for (std::size_t i = 0; i < expected.size(); ++i)
    EXPECT_EQ(read(blob, 2 + 2 * i, 2), expected[i]);
}

TEST(Quantize, ZerosLeaveRoomToLearn) {
  std::vector<std::uint8_t> blob;
  append_quantized({"layer", {0, 0}, {0}}, blob);
  EXPECT_EQ(read(blob, 0, 2), -13);
}

TEST(Quantize, RefusesWhatIsNoNumberOrTooLarge) {
  const double nan = std::nan("");
  const double infinity = HUGE_VAL;
  const auto status = [](const RealLayer& layer) {
    std::vector<std::uint8_t> blob;
    try {
      append_quantized(layer, blob);
      return Status::kOk;
    } catch (const ExchangeError& error) {
      EXPECT_TRUE(blob.empty());
      EXPECT_EQ(std::string(error.what()).find("layer"), 0U);
      return error.status();
    }
  };
  EXPECT_EQ(status({"layer", {1, nan}, {}}), Status::kInvalidArgument);
  EXPECT_EQ(status({"layer", {}, {-infinity}}), Status::kInvalidArgument);
  EXPECT_EQ(status({"layer", {8191.4}, {}}), Status::kOk);
  EXPECT_EQ(status({"layer", {-8191.6}, {}}), Status::kTooLarge);
  EXPECT_EQ(status({"layer", {}, {1e300}}), Status::kTooLarge);
}

}  // namespace
}  // namespace skep::exchange

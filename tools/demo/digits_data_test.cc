#include "skep/demo/digits_data.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <set>
#include <stdexcept>

namespace skep::demo {
namespace {

using Key = std::pair<std::vector<std::int16_t>, std::uint16_t>;

std::multiset<Key> keys(const std::vector<Sample>& digits) {
  std::multiset<Key> result;
  for (const Sample& digit : digits) result.emplace(digit.features, digit.label);
  return result;
}

TEST(DigitsData, EverySampleGoesToOnePlace) {
  const std::vector<Sample> digits = learn_testing::load_digits();
  const FederatedDigits federated = split(digits, 20, 0.5, 7);
  std::multiset<Key> dealt = keys(federated.held_out);
  EXPECT_EQ(dealt.size(), digits.size() / 5);
  for (const auto& device : federated.devices) {
    EXPECT_GE(device.size(), 10U);
    dealt.merge(keys(device));
  }
  EXPECT_EQ(dealt, keys(digits));
}

TEST(DigitsData, TheSeedDecides) {
  const std::vector<Sample> digits = learn_testing::load_digits();
  const auto sizes = [&](std::uint32_t seed) {
    std::vector<std::size_t> result;
    for (const auto& device : split(digits, 20, 0.5, seed).devices) result.push_back(device.size());
    return result;
  };
  EXPECT_EQ(sizes(1), sizes(1));
  EXPECT_NE(sizes(1), sizes(2));
}

TEST(DigitsData, ASmallAlphaIsLessEven) {
  const std::vector<Sample> digits = learn_testing::load_digits();
  const auto largest_class_share = [&](double alpha) {
    double sum = 0;
    for (const auto& device : split(digits, 10, alpha, 3).devices) {
      std::array<std::size_t, learn_testing::kDigitsClasses> counts{};
      for (const Sample& digit : device) ++counts.at(digit.label);
      sum += double(*std::max_element(counts.begin(), counts.end())) / double(device.size());
    }
    return sum / 10;
  };
  EXPECT_GT(largest_class_share(0.1), largest_class_share(100.0) + 0.2);
}

TEST(DigitsData, RefusesMoreDevicesThanSamplesAllow) {
  EXPECT_THROW((void)split(learn_testing::load_digits(), 200, 0.5, 1), std::invalid_argument);
}

TEST(DigitsData, FlippingTwiceIsNothing) {
  const std::vector<Sample> digits = learn_testing::load_digits();
  EXPECT_EQ(keys(flip_labels(flip_labels(digits))), keys(digits));
  EXPECT_NE(keys(flip_labels(digits)), keys(digits));
}

}  // namespace
}  // namespace skep::demo

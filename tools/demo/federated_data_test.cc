#include "skep/demo/federated_data.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <set>
#include <stdexcept>
#include <utility>
#include <vector>

namespace skep::demo {
namespace {

using Key = std::pair<std::vector<std::int16_t>, std::uint16_t>;

std::multiset<Key> keys(const std::vector<Sample>& digits) {
  std::multiset<Key> result;
  for (const Sample& digit : digits) result.emplace(digit.features, digit.label);
  return result;
}

TEST(FederatedData, EverySampleGoesToOnePlace) {
  const std::vector<Sample> digits = learn_testing::load_digits();
  const FederatedData federated = split(digits, 20, 0.5, 7);
  std::multiset<Key> dealt = keys(federated.held_out);
  EXPECT_EQ(dealt.size(), digits.size() / 5);
  for (const auto& device : federated.devices) {
    EXPECT_GE(device.size(), 10U);
    dealt.merge(keys(device));
  }
  EXPECT_EQ(dealt, keys(digits));
}

TEST(FederatedData, TheSeedDecides) {
  const std::vector<Sample> digits = learn_testing::load_digits();
  const auto sizes = [&](std::uint32_t seed) {
    std::vector<std::size_t> result;
    for (const auto& device : split(digits, 20, 0.5, seed).devices) result.push_back(device.size());
    return result;
  };
  EXPECT_EQ(sizes(1), sizes(1));
  EXPECT_NE(sizes(1), sizes(2));
}

TEST(FederatedData, ASmallAlphaIsLessEven) {
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

TEST(FederatedData, RefusesMoreDevicesThanSamplesAllow) {
  EXPECT_THROW((void)split(learn_testing::load_digits(), 200, 0.5, 1), std::invalid_argument);
}

TEST(FederatedData, FlippingTwiceIsNothing) {
  const std::vector<Sample> digits = learn_testing::load_digits();
  EXPECT_EQ(keys(flip_labels(flip_labels(digits, 10), 10)), keys(digits));
  EXPECT_NE(keys(flip_labels(digits, 10)), keys(digits));
}

TEST(FederatedData, NoiseHasTheSamplesShapeAndNothingElseOfThem) {
  const std::vector<Sample> samples(100, {{1, 2, 3}, 0});
  const std::vector<Sample> noise = replace_by_noise(samples, 7);
  ASSERT_EQ(noise.size(), samples.size());
  for (const Sample& sample : noise) EXPECT_EQ(sample.features.size(), 3U);
  const std::multiset<Key> all = keys(noise);
  EXPECT_EQ(std::set<Key>(all.begin(), all.end()).size(), samples.size());
  EXPECT_EQ(keys(replace_by_noise(samples, 7)), keys(noise));
  EXPECT_NE(keys(replace_by_noise(samples, 8)), keys(noise));
}

}  // namespace
}  // namespace skep::demo

#include "skep/demo/digits_data.h"

#include <algorithm>
#include <fstream>
#include <iterator>
#include <numeric>
#include <random>
#include <stdexcept>

namespace skep::demo {
namespace {

constexpr std::uint32_t kHeldOutPercent = 20;
constexpr std::size_t kMinSamples = 10;

std::vector<double> draw_dirichlet(std::size_t count, double alpha, std::mt19937& random) {
  std::gamma_distribution<double> gamma(alpha, 1.0);
  std::vector<double> shares(count);
  std::generate(shares.begin(), shares.end(), [&] { return gamma(random); });
  const double sum = std::accumulate(shares.begin(), shares.end(), 0.0);
  for (double& share : shares) share /= sum;
  return shares;
}

// Device i gets the samples between the cumulated shares of i − 1 and i.
void deal(const std::vector<Sample>& samples, const std::vector<double>& shares,
          std::vector<std::vector<Sample>>& devices) {
  double cumulated = 0;
  std::size_t begin = 0;
  for (std::size_t i = 0; i < devices.size(); ++i) {
    cumulated += shares[i];
    const auto end = i + 1 == devices.size()
                         ? samples.size()
                         : std::min(samples.size(),
                                    static_cast<std::size_t>(cumulated * double(samples.size())));
    for (; begin < end; ++begin) devices[i].push_back(samples[begin]);
  }
}

// A device that the draw left with (almost) nothing takes samples from the richest.
void feed_the_poor(std::vector<std::vector<Sample>>& devices) {
  for (std::vector<Sample>& poor : devices) {
    while (poor.size() < kMinSamples) {
      auto& rich = *std::max_element(
          devices.begin(), devices.end(),
          [](const auto& left, const auto& right) { return left.size() < right.size(); });
      poor.push_back(rich.back());
      rich.pop_back();
    }
  }
}

}  // namespace

FederatedDigits split(const std::vector<Sample>& digits, std::size_t device_count, double alpha,
                      std::uint32_t seed) {
  learn_testing::Split halves = learn_testing::split_samples(digits, seed, kHeldOutPercent);
  if (device_count == 0 || halves.training.size() < device_count * kMinSamples) {
    throw std::invalid_argument("the digits suffice for 1 to " +
                                std::to_string(halves.training.size() / kMinSamples) + " devices");
  }
  FederatedDigits federated;
  federated.held_out = std::move(halves.test);
  federated.devices.resize(device_count);
  std::mt19937 random(seed);
  for (std::size_t label = 0; label < learn_testing::kDigitsClasses; ++label) {
    std::vector<Sample> of_class;
    std::copy_if(halves.training.begin(), halves.training.end(), std::back_inserter(of_class),
                 [label](const Sample& digit) { return digit.label == label; });
    deal(of_class, draw_dirichlet(device_count, alpha, random), federated.devices);
  }
  feed_the_poor(federated.devices);
  return federated;
}

void write_csv(const std::filesystem::path& path, const std::vector<Sample>& digits) {
  std::ofstream file(path);
  for (const Sample& digit : digits) {
    for (const std::int16_t pixel : digit.features) file << pixel << ',';
    file << digit.label << '\n';
  }
  if (!file.flush()) throw std::runtime_error("cannot write " + path.string());
}

std::vector<Sample> flip_labels(std::vector<Sample> digits) {
  for (Sample& digit : digits) {
    digit.label = static_cast<std::uint16_t>(learn_testing::kDigitsClasses - 1 - digit.label);
  }
  return digits;
}

}  // namespace skep::demo

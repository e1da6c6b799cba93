#include "skep/demo/federated_data.h"

#include <algorithm>
#include <fstream>
#include <iterator>
#include <numeric>
#include <random>
#include <stdexcept>

#include "skep/core/prng.h"

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
void deal_class(const std::vector<Sample>& samples, const std::vector<double>& shares,
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

std::vector<std::vector<Sample>> deal(const std::vector<Sample>& samples, std::size_t device_count,
                                      double alpha, std::uint32_t seed) {
  if (device_count == 0 || samples.size() < device_count * kMinSamples) {
    throw std::invalid_argument("the samples suffice for 1 to " +
                                std::to_string(samples.size() / kMinSamples) + " devices");
  }
  std::vector<std::vector<Sample>> devices(device_count);
  std::mt19937 random(seed);
  std::uint16_t last_label = 0;
  for (const Sample& sample : samples) last_label = std::max(last_label, sample.label);
  for (std::size_t label = 0; label <= last_label; ++label) {
    std::vector<Sample> of_class;
    std::copy_if(samples.begin(), samples.end(), std::back_inserter(of_class),
                 [label](const Sample& sample) { return sample.label == label; });
    deal_class(of_class, draw_dirichlet(device_count, alpha, random), devices);
  }
  feed_the_poor(devices);
  return devices;
}

FederatedData split(const std::vector<Sample>& samples, std::size_t device_count, double alpha,
                    std::uint32_t seed) {
  learn_testing::Split halves = learn_testing::split_samples(samples, seed, kHeldOutPercent);
  return {deal(halves.training, device_count, alpha, seed), std::move(halves.test)};
}

void write_csv(const std::filesystem::path& path, const std::vector<Sample>& samples) {
  std::ofstream file(path);
  for (const Sample& sample : samples) {
    for (const std::int16_t feature : sample.features) file << feature << ',';
    file << sample.label << '\n';
  }
  if (!file.flush()) throw std::runtime_error("cannot write " + path.string());
}

std::vector<Sample> flip_labels(std::vector<Sample> samples, std::uint32_t class_count) {
  for (Sample& sample : samples) {
    sample.label = static_cast<std::uint16_t>(class_count - 1 - sample.label);
  }
  return samples;
}

std::vector<Sample> replace_by_noise(std::vector<Sample> samples, std::uint32_t seed) {
  Xorshift32 random(seed);
  for (Sample& sample : samples) {
    for (std::int16_t& feature : sample.features) {
      feature = static_cast<std::int16_t>(random.next() >> 16U);
    }
  }
  return samples;
}

}  // namespace skep::demo

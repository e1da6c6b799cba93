// Samples as a federation sees them: a hold-out set at the gateway, the rest spread unevenly.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "skep/learn_testing/data_set.h"
#include "skep/learn_testing/digits.h"

namespace skep::demo {

using learn_testing::Sample;

struct FederatedData {
  std::vector<std::vector<Sample>> devices;  ///< Each device's own samples; none is empty.
  std::vector<Sample> held_out;              ///< Seen by no device.
};

/// Deals samples out to `device_count` devices class by class in proportions drawn from a symmetric
/// Dirichlet(`alpha`) distribution (Hsu, Qi and Brown, "Measuring the Effects of Non-Identical Data
/// Distribution", 2019): the smaller alpha, the fewer classes a device knows. A device's samples of
/// a class follow each other in `samples`, so of a time series it gets a stretch. Deterministic in
/// `seed`.
///
/// Throws std::invalid_argument if there are not at least 10 samples a device.
std::vector<std::vector<Sample>> deal(const std::vector<Sample>& samples, std::size_t device_count,
                                      double alpha, std::uint32_t seed);

/// One sample in five is held out, the others are dealt out. Throws as deal().
FederatedData split(const std::vector<Sample>& samples, std::size_t device_count, double alpha,
                    std::uint32_t seed);

/// Rows of features and the label, as skep-device and the gateway's hold-out set want them.
/// Throws std::runtime_error if the file cannot be written.
void write_csv(const std::filesystem::path& path, const std::vector<Sample>& samples);

/// What a poisoner makes of its samples: every label is replaced by its opposite,
/// class_count − 1 − label.
std::vector<Sample> flip_labels(std::vector<Sample> samples, std::uint32_t class_count);

/// What a poisoner makes of samples without classes: noise, each feature uniform over all of int16.
/// Deterministic in `seed`.
std::vector<Sample> replace_by_noise(std::vector<Sample> samples, std::uint32_t seed);

}  // namespace skep::demo

// The digits as a federation sees them: a hold-out set at the gateway, the rest spread unevenly.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "skep/learn_testing/digits.h"

namespace skep::demo {

using learn_testing::Sample;

struct FederatedDigits {
  std::vector<std::vector<Sample>> devices;  ///< Each device's own samples; none is empty.
  std::vector<Sample> held_out;              ///< Seen by no device.
};

/// Splits the digits: one in five is held out, the others go to `device_count` devices class by
/// class in proportions drawn from a symmetric Dirichlet(`alpha`) distribution (Hsu, Qi and Brown,
/// "Measuring the Effects of Non-Identical Data Distribution", 2019): the smaller alpha, the fewer
/// classes a device knows. Deterministic in `seed`.
///
/// Throws std::invalid_argument if there are not at least 10 samples a device.
FederatedDigits split(const std::vector<Sample>& digits, std::size_t device_count, double alpha,
                      std::uint32_t seed);

/// Rows of 64 pixels and the label, as skep-device and the gateway's hold-out set want them.
/// Throws std::runtime_error if the file cannot be written.
void write_csv(const std::filesystem::path& path, const std::vector<Sample>& digits);

/// What a poisoner makes of its samples: every label is replaced by its opposite, 9 − label.
std::vector<Sample> flip_labels(std::vector<Sample> digits);

}  // namespace skep::demo

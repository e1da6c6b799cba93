// A reference network as a value that owns its memory, for the host.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <span>
#include <vector>

#include "skep/learn_testing/reference_network.h"

namespace skep::learn_testing {

/// Copies are independent of each other.
template <typename Scalar>
class OwnedReferenceNetwork {
 public:
  explicit OwnedReferenceNetwork(const ModelSpec& spec,
                                 const ReferenceOptimizer<Scalar>& optimizer = {})
      : optimizer_(optimizer),
        memory_(ReferenceNetwork<Scalar>::memory_size(spec, optimizer)),
        network_(spec, memory_, optimizer_) {}

  /// With the parameters of a canonical blob.
  OwnedReferenceNetwork(const ModelSpec& spec, Bytes blob,
                        const ReferenceOptimizer<Scalar>& optimizer = {})
      : OwnedReferenceNetwork(spec, optimizer) {
    network_.load(blob);
  }

  OwnedReferenceNetwork(const OwnedReferenceNetwork& other)
      : OwnedReferenceNetwork(other.network_.spec(), other.optimizer_) {
    std::copy(other.memory_.begin(), other.memory_.end(), memory_.begin());
  }
  OwnedReferenceNetwork& operator=(const OwnedReferenceNetwork&) = delete;
  ~OwnedReferenceNetwork() = default;

  ReferenceNetwork<Scalar>* operator->() { return &network_; }
  const ReferenceNetwork<Scalar>* operator->() const { return &network_; }
  ReferenceNetwork<Scalar>& operator*() { return network_; }

 private:
  ReferenceOptimizer<Scalar> optimizer_;
  std::vector<Scalar> memory_;
  ReferenceNetwork<Scalar> network_;
};

/// A sample's features as the numbers that they stand for.
template <typename Scalar>
std::vector<Scalar> values_of(const ModelSpec& spec, std::span<const std::int16_t> features) {
  std::vector<Scalar> values;
  values.reserve(features.size());
  for (const std::int16_t feature : features) {
    values.push_back(static_cast<Scalar>(std::ldexp(feature, spec.input_exponent)));
  }
  return values;
}

}  // namespace skep::learn_testing

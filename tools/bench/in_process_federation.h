// A federation without processes and network, for benchmarks: the device's LocalRound and the
// gateway's validation, sum and average, called one after the other.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "skep/compression.h"
#include "skep/demo/federated_data.h"
#include "skep/demo/federation.h"
#include "skep/intake/validate.h"
#include "skep/release/hold_out.h"
#include "skep/round/local_round.h"
#include "skep/seal/signature.h"

namespace skep::bench {

/// What one round did.
struct RoundFigures {
  double accuracy = 0;      ///< Of the new model on the held-out digits, 0 … 1.
  double delta_bytes = 0;   ///< Mean Update.delta.
  double sealed_bytes = 0;  ///< Mean SealedUpdate.
};

/// The digits model, split and recipe of the demo. Errors are exceptions.
class InProcessFederation {
 public:
  /// `recipe`: the learning rate, epochs and clip norm are used. `seed` gives the first model, as
  /// `skepctl init --seed`, and the devices' training.
  InProcessFederation(const demo::FederatedData& digits, const demo::RoundRecipe& recipe,
                      const Compression& compression, std::uint32_t seed);
  ~InProcessFederation();
  InProcessFederation(const InProcessFederation&) = delete;
  InProcessFederation& operator=(const InProcessFederation&) = delete;

  RoundFigures run_round();

 private:
  struct Device;
  class EnrolledDevices;

  [[nodiscard]] wire::RoundPlan next_plan();

  const demo::RoundRecipe recipe_;
  const Compression compression_;
  const ModelSpec spec_;
  std::uint32_t parameter_count_ = 0;
  std::vector<std::uint8_t> weights_;
  seal::AggregationKey aggregation_key_;
  release::HoldOut held_out_;
  std::unique_ptr<EnrolledDevices> enrolled_;
  std::vector<std::unique_ptr<Device>> devices_;
  std::uint32_t round_ = 0;
};

}  // namespace skep::bench

// The peer: federated averaging in float32 (McMahan et al. 2017, algorithm 1), nothing clipped,
// nothing compressed.
#pragma once

#include <cstdint>
#include <vector>

#include "skep/demo/federated_data.h"
#include "skep/demo/federation.h"

namespace skep::bench {

/// Accuracies on the held-out digits, 0 … 1, after round 1, 2 … From the first model of
/// `skepctl init --seed`, each device with the samples in the order and at the rate of its round.
std::vector<double> float_fedavg_curve(const demo::FederatedData& digits,
                                       const demo::RoundRecipe& recipe, std::uint32_t seed);

}  // namespace skep::bench

// Federated averaging (McMahan et al. 2017, algorithm 1): where Accumulated becomes Candidate.
#pragma once

#include "skep/bytes.h"
#include "skep/model_spec.h"
#include "skep/server_flow/flow.h"
#include "skep/status.h"

namespace skep::aggregate {

/// The base weights plus the mean of the deltas weighted by samples, each new weight rounded once,
/// to nearest with ties to even.
///
/// Each layer gets the finest exponent that leaves its largest weight or bias two bits of
/// headroom, as learn::Engine::initialize does, within kMinWeightExponent … kMaxWeightExponent; a
/// layer of zeros keeps its own. Frozen layers keep the base's bytes. Integer only: the same bytes
/// on every machine.
///
/// Errors: kInvalidArgument if the spec cannot run, `sum` has another dimension or no
/// contributor; kMalformed if `base_weights` is not the spec's blob; kTooLarge if a weight exceeds
/// what the largest exponent holds.
Result<server::Candidate> average(const server::Accumulated& sum, const ModelSpec& spec,
                                  Bytes base_weights);

}  // namespace skep::aggregate

// The noise mechanisms of a round.
#pragma once

#include "skep/flow.h"

namespace skep::privacy {

/// The mechanism of rounds whose plan has a noise multiplier of 0: says in the type that no
/// noise was asked for. Elements, exponent and sample count are those of `clipped`.
[[nodiscard]] Noised without_noise(Clipped clipped);

}  // namespace skep::privacy

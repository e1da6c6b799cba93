// The body of an error response: which Status, and a sentence for whoever reads the log.
#pragma once

#include "skep/status.h"
#include "skep/wire/codec.h"

namespace skep::wire {

/// `detail` may be null; it is cut to what a Problem holds (96 characters), and a character
/// outside of printable ASCII becomes '?'. A `status` of kOk, which is no problem, becomes
/// kInternal. The result always encodes.
[[nodiscard]] Problem make_problem(Status status, const char* detail);

/// The Status that a Problem carries; kRejected for a code that this build does not know.
[[nodiscard]] Status status_of(const Problem& problem);

}  // namespace skep::wire

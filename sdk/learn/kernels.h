// The engine's inner loops, as chosen for the target. A kernel for a processor (say, with the
// Cortex-M4's dual multiplications) implements the functions of kernels_portable.h under its own
// namespace with bit-identical results, and is selected here.
#pragma once

#include "kernels_portable.h"

namespace skep::learn {

namespace kernels = kernels_portable;

}  // namespace skep::learn

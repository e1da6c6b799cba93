// The engine's inner loops, as chosen for the target. A kernel for a processor implements the
// functions of kernels_portable.h under its own namespace with bit-identical results, and is
// selected here.
#pragma once

#if defined(__ARM_FEATURE_DSP) && !defined(__ARM_BIG_ENDIAN)
#include "kernels_dsp.h"
#elif defined(__x86_64__)
#include "kernels_x86.h"
#else
#include "kernels_portable.h"
#endif

namespace skep::learn {

#if defined(__ARM_FEATURE_DSP) && !defined(__ARM_BIG_ENDIAN)
namespace kernels = kernels_dsp;
#elif defined(__x86_64__)
namespace kernels = kernels_x86;
#else
namespace kernels = kernels_portable;
#endif

}  // namespace skep::learn

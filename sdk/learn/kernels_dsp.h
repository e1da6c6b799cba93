// The inner loops with the dual 16-bit multiplications of Cortex-M4, M7 and M33 (the DSP
// extension, ACLE section 9.4): bit-identical to kernels_portable.h, whose contracts hold here.
#pragma once

#include <cstdint>

#include "kernel_types.h"

namespace skep::learn::kernels_dsp {

void multiply_rows(const std::int16_t* rows, std::uint32_t stride, std::uint32_t row_count,
                   const std::int16_t* x, std::uint32_t n, std::int64_t* sums);

void multiply_channels(const std::int16_t* a, const std::int16_t* b, const Positions& positions,
                       std::uint32_t channels, std::int64_t* sums);

bool update(std::int16_t* w, const std::int16_t* x, std::uint32_t n, std::int32_t step,
            std::uint32_t& random);

bool update_with_gradient(std::int16_t* w, const std::int16_t* x, std::int64_t* gradient,
                          std::uint32_t n, std::int32_t step, std::int16_t delta,
                          std::uint32_t& random);

}  // namespace skep::learn::kernels_dsp

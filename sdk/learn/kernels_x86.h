// The inner loops with the vectors of x86-64, for gateways and simulators: bit-identical to
// kernels_portable.h, whose contracts hold here. Thread-safe.
#pragma once

#include <cstdint>

#include "kernel_types.h"

namespace skep::learn::kernels_x86 {

/// With SSE2, which every x86-64 has.
namespace sse2 {

void multiply_rows(const std::int16_t* rows, std::uint32_t stride, std::uint32_t row_count,
                   const std::int16_t* x, std::uint32_t n, std::int64_t* sums);

void multiply_channels(const std::int16_t* a, const std::int16_t* b, const Positions& positions,
                       std::uint32_t channels, std::int64_t* sums);

}  // namespace sse2

/// For processors with AVX2 only.
namespace avx2 {

bool is_supported();

void multiply_rows(const std::int16_t* rows, std::uint32_t stride, std::uint32_t row_count,
                   const std::int16_t* x, std::uint32_t n, std::int64_t* sums);

void multiply_channels(const std::int16_t* a, const std::int16_t* b, const Positions& positions,
                       std::uint32_t channels, std::int64_t* sums);

}  // namespace avx2

/// With the widest vectors that this processor has.
void multiply_rows(const std::int16_t* rows, std::uint32_t stride, std::uint32_t row_count,
                   const std::int16_t* x, std::uint32_t n, std::int64_t* sums);

void multiply_channels(const std::int16_t* a, const std::int16_t* b, const Positions& positions,
                       std::uint32_t channels, std::int64_t* sums);

// Wider vectors would not help the next two: they wait for the generator, whose numbers come one
// after the other (docs/benchmarks.md, section "Learning: layers").

bool update(std::int16_t* w, const std::int16_t* x, std::uint32_t n, std::int32_t step,
            std::uint32_t& random);

bool update_with_gradient(std::int16_t* w, const std::int16_t* x, std::int64_t* gradient,
                          std::uint32_t n, std::int32_t step, std::int16_t delta,
                          std::uint32_t& random);

}  // namespace skep::learn::kernels_x86

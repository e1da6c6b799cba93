#include "kernels_portable.h"

#include "fixed_point.h"

namespace skep::learn::kernels_portable {
namespace {

// A local copy of the generator's state stays in a register; Xorshift32 in core is the same.
inline std::uint32_t draw(std::uint32_t state) {
  state ^= state << 13;
  state ^= state >> 17;
  state ^= state << 5;
  return state;
}

// t + r of the definition; |t| ≤ 2^30, so the sum fits. Cores without a shifter for 64 bits have
// the upper half of a product for nothing: hence x * 2^16.
inline std::int32_t descend(std::int32_t step, std::int16_t x, std::uint32_t random) {
  const auto t = static_cast<std::int32_t>((std::int64_t{step} * (std::int32_t{x} * 65536)) >> 32);
  return t + static_cast<std::int32_t>(random);
}

inline std::int32_t moved(std::int16_t w, std::int16_t x, std::int32_t step, std::uint32_t random) {
  return saturate16(w - (descend(step, x, random) >> 16));
}

// Collects bit 15 if |w| reached 2^14: the two highest bits of an int16 then differ.
inline std::uint32_t headroom_bits(std::int32_t w) {
  const auto bits = static_cast<std::uint32_t>(w);
  return bits ^ (bits << 1);
}

inline bool left_headroom(std::uint32_t bits) { return (bits & 0x8000U) != 0; }

inline std::int64_t dot(const std::int16_t* a, const std::int16_t* b, std::uint32_t n) {
  std::int64_t sum = 0;
  const auto add = [&](std::uint32_t i) { sum += std::int32_t{a[i]} * b[i]; };
  std::uint32_t i = 0;
  for (; n - i >= 4; i += 4) {
    add(i);
    add(i + 1);
    add(i + 2);
    add(i + 3);
  }
  for (; i < n; ++i) add(i);
  return sum;
}

// The sums are read and written once for all of kCount positions.
template <int kCount>
void multiply_positions(const std::int16_t* a, const std::int16_t* b, const Positions& positions,
                        std::uint32_t channels, std::int64_t* sums) {
  const std::int16_t* const end = a + channels;
  const std::int32_t stride_a = positions.stride_a;
  const std::int32_t stride_b = positions.stride_b;
  for (; a != end; ++a, ++b, ++sums) {
    std::int64_t sum = *sums;
    for (std::int32_t i = 0; i < kCount; ++i) {
      sum += std::int32_t{a[i * stride_a]} * b[i * stride_b];
    }
    *sums = sum;
  }
}

}  // namespace

void multiply_rows(const std::int16_t* rows, std::uint32_t stride, std::uint32_t row_count,
                   const std::int16_t* x, std::uint32_t n, std::int64_t* sums) {
  for (std::uint32_t r = 0; r < row_count; ++r, rows += stride) sums[r] = dot(rows, x, n);
}

void multiply_channels(const std::int16_t* a, const std::int16_t* b, const Positions& positions,
                       std::uint32_t channels, std::int64_t* sums) {
  std::int32_t i = 0;
  for (; positions.count - i >= 3; i += 3) {
    multiply_positions<3>(a + i * positions.stride_a, b + i * positions.stride_b, positions,
                          channels, sums);
  }
  for (; i < positions.count; ++i) {
    multiply_positions<1>(a + i * positions.stride_a, b + i * positions.stride_b, positions,
                          channels, sums);
  }
}

bool update(std::int16_t* w, const std::int16_t* x, std::uint32_t n, std::int32_t step,
            std::uint32_t& random) {
  std::uint32_t state = random;
  std::uint32_t seen = 0;
  const auto move = [&](std::uint32_t i, std::uint32_t r) {
    const std::int32_t result = moved(w[i], x[i], step, r);
    seen |= headroom_bits(result);
    w[i] = static_cast<std::int16_t>(result);
  };
  const auto move_pair = [&](std::uint32_t i) {
    state = draw(state);
    move(i, state & 0xFFFFU);
    move(i + 1, state >> 16);
  };
  std::uint32_t i = 0;
  for (; n - i >= 4; i += 4) {
    move_pair(i);
    move_pair(i + 2);
  }
  for (; n - i >= 2; i += 2) move_pair(i);
  if (i < n) {
    state = draw(state);
    move(i, state & 0xFFFFU);
  }
  random = state;
  return left_headroom(seen);
}

bool update_with_gradient(std::int16_t* w, const std::int16_t* x, std::int64_t* gradient,
                          std::uint32_t n, std::int32_t step, std::int16_t delta,
                          std::uint32_t& random) {
  std::uint32_t state = random;
  std::uint32_t seen = 0;
  const auto move = [&](std::uint32_t i, std::uint32_t r) {
    const std::int16_t before = w[i];
    gradient[i] += std::int32_t{before} * delta;
    const std::int32_t result = moved(before, x[i], step, r);
    seen |= headroom_bits(result);
    w[i] = static_cast<std::int16_t>(result);
  };
  std::uint32_t i = 0;
  for (; i + 1 < n; i += 2) {
    state = draw(state);
    move(i, state & 0xFFFFU);
    move(i + 1, state >> 16);
  }
  if (i < n) {
    state = draw(state);
    move(i, state & 0xFFFFU);
  }
  random = state;
  return left_headroom(seen);
}

}  // namespace skep::learn::kernels_portable

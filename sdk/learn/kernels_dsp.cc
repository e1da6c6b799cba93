#include "kernels_dsp.h"

#if defined(__ARM_FEATURE_DSP) && !defined(__ARM_BIG_ENDIAN)

#include <arm_acle.h>

#include <cstring>

namespace skep::learn::kernels_dsp {
namespace {

// Two neighbours in one register, the first in its low half. These cores load words from any
// address, so this is one instruction even where a row begins between two words.
inline std::uint32_t load_pair(const std::int16_t* from) {
  std::uint32_t pair = 0;
  std::memcpy(&pair, from, sizeof pair);
  return pair;
}

inline void store_pair(std::int16_t* to, std::uint32_t pair) {
  std::memcpy(to, &pair, sizeof pair);
}

inline std::int16_t low(std::uint32_t pair) { return static_cast<std::int16_t>(pair); }
inline std::int16_t high(std::uint32_t pair) { return static_cast<std::int16_t>(pair >> 16); }

// The high halves of both as a pair. One instruction, which gcc 12 does not find by itself.
inline std::uint32_t high_halves(std::int32_t first, std::int32_t second) {
  std::uint32_t pair = 0;
  __asm("pkhtb %0, %1, %2, asr #16" : "=r"(pair) : "r"(second), "r"(first));
  return pair;
}

// Moves rows of weights by the same step, and keeps what that needs in registers.
class Mover {
 public:
  Mover(std::int32_t step, std::uint32_t random) : step_(step), state_(random) {}

  // SMLAW is t + r of the definition at once, floor included; its high half is the change.
  std::uint32_t move(std::uint32_t w, std::uint32_t x) {
    draw();
    const auto bits = static_cast<std::int32_t>(x);
    const std::int32_t first = __smlawb(step_, bits, static_cast<std::int32_t>(state_ & 0xFFFFU));
    const std::int32_t second = __smlawt(step_, bits, static_cast<std::int32_t>(state_ >> 16));
    const std::uint32_t changes = high_halves(first, second);
    const auto result = static_cast<std::uint32_t>(
        __qsub16(static_cast<int16x2_t>(w), static_cast<int16x2_t>(changes)));
    seen_ |= result ^ (result << 1);
    return result;
  }

  void move_at(std::int16_t* w, const std::int16_t* x) {
    store_pair(w, move(load_pair(w), load_pair(x)));
  }

  // A lone last weight is the low half of a pair whose high half is 0 and stays so.
  std::int16_t move_last(std::int16_t w, std::int16_t x) {
    return low(move(static_cast<std::uint16_t>(w), static_cast<std::uint16_t>(x)));
  }

  [[nodiscard]] std::uint32_t state() const { return state_; }
  [[nodiscard]] bool left_headroom() const { return (seen_ & 0x80008000U) != 0; }

 private:
  void draw() {
    state_ ^= state_ << 13;
    state_ ^= state_ >> 17;
    state_ ^= state_ << 5;
  }

  std::int32_t step_;
  std::uint32_t state_;
  std::uint32_t seen_ = 0;  // bits 15 and 31: a weight reached 2^14
};

// sum += a[0] b[0] + a[1] b[1]
inline std::int64_t add_pair(const std::int16_t* a, const std::int16_t* b, std::int64_t sum) {
  return __smlald(static_cast<int16x2_t>(load_pair(a)), static_cast<int16x2_t>(load_pair(b)), sum);
}

inline bool is_at_word(const std::int16_t* at) {
  return reinterpret_cast<std::uintptr_t>(at) % 4 == 0;
}

// The next two steps are written down because gcc 12 runs out of registers over them. Both advance
// their pointers.

// Four elements of two rows that begin at a word.
inline void add_four(const std::int16_t*& x, const std::int16_t*& row0, const std::int16_t*& row1,
                     std::int64_t& sum0, std::int64_t& sum1) {
  std::uint32_t x0 = 0;
  std::uint32_t x1 = 0;
  std::uint32_t w0 = 0;
  std::uint32_t w1 = 0;
  __asm(
      "ldrd %[x0], %[x1], [%[x]], #8\n\t"
      "ldrd %[w0], %[w1], [%[row0]], #8\n\t"
      "smlald %Q[sum0], %R[sum0], %[w0], %[x0]\n\t"
      "smlald %Q[sum0], %R[sum0], %[w1], %[x1]\n\t"
      "ldrd %[w0], %[w1], [%[row1]], #8\n\t"
      "smlald %Q[sum1], %R[sum1], %[w0], %[x0]\n\t"
      "smlald %Q[sum1], %R[sum1], %[w1], %[x1]"
      : [x] "+r"(x), [row0] "+r"(row0), [row1] "+r"(row1), [sum0] "+r"(sum0), [sum1] "+r"(sum1),
        [x0] "=&r"(x0), [x1] "=&r"(x1), [w0] "=&r"(w0), [w1] "=&r"(w1)
      :
      : "memory");
}

// Two elements of three rows that begin anywhere.
inline void add_two(const std::int16_t*& x, const std::int16_t*& row0, const std::int16_t*& row1,
                    const std::int16_t*& row2, std::int64_t& sum0, std::int64_t& sum1,
                    std::int64_t& sum2) {
  std::uint32_t pair = 0;
  std::uint32_t w = 0;
  __asm(
      "ldr %[pair], [%[x]], #4\n\t"
      "ldr %[w], [%[row0]], #4\n\t"
      "smlald %Q[sum0], %R[sum0], %[w], %[pair]\n\t"
      "ldr %[w], [%[row1]], #4\n\t"
      "smlald %Q[sum1], %R[sum1], %[w], %[pair]\n\t"
      "ldr %[w], [%[row2]], #4\n\t"
      "smlald %Q[sum2], %R[sum2], %[w], %[pair]"
      : [x] "+r"(x), [row0] "+r"(row0), [row1] "+r"(row1), [row2] "+r"(row2), [sum0] "+r"(sum0),
        [sum1] "+r"(sum1), [sum2] "+r"(sum2), [pair] "=&r"(pair), [w] "=&r"(w)
      :
      : "memory");
}

// Two rows at once: each word of x is loaded for both. All rows begin at a word; `n` and
// `row_count` are even. Apart from its caller for the sake of registers, as are those below.
[[gnu::noinline]] void multiply_aligned_rows(const std::int16_t* row0, std::uint32_t stride,
                                             std::uint32_t row_count, const std::int16_t* x,
                                             std::uint32_t n, std::int64_t* sums) {
  const std::int64_t* const end_of_sums = sums + row_count;
  const std::int16_t* const end = x + n;
  const std::int16_t* const end_of_blocks = end - n % 16;
  while (sums != end_of_sums) {
    const std::int16_t* row1 = row0 + stride;
    const std::int16_t* const next = row1 + stride;
    std::int64_t sum0 = 0;
    std::int64_t sum1 = 0;
    while (x != end_of_blocks) {
      add_four(x, row0, row1, sum0, sum1);
      add_four(x, row0, row1, sum0, sum1);
      add_four(x, row0, row1, sum0, sum1);
      add_four(x, row0, row1, sum0, sum1);
    }
    if (end_of_blocks != end) {
      while (end - x >= 4) add_four(x, row0, row1, sum0, sum1);
      if (x != end) {
        sum0 = add_pair(row0, x, sum0);
        sum1 = add_pair(row1, x, sum1);
      }
    }
    *sums++ = sum0;
    *sums++ = sum1;
    x = end - n;
    row0 = next;
  }
}

// Three rows at once. A fourth would find no registers.
[[gnu::noinline]] void multiply_three_rows(const std::int16_t* row0, std::uint32_t stride,
                                           const std::int16_t* x, std::uint32_t n,
                                           std::int64_t* sums) {
  const std::int16_t* row1 = row0 + stride;
  const std::int16_t* row2 = row1 + stride;
  const std::int16_t* const end = x + n;
  std::int64_t sum0 = 0;
  std::int64_t sum1 = 0;
  std::int64_t sum2 = 0;
  while (end - x >= 8) {
    add_two(x, row0, row1, row2, sum0, sum1, sum2);
    add_two(x, row0, row1, row2, sum0, sum1, sum2);
    add_two(x, row0, row1, row2, sum0, sum1, sum2);
    add_two(x, row0, row1, row2, sum0, sum1, sum2);
  }
  while (end - x >= 2) add_two(x, row0, row1, row2, sum0, sum1, sum2);
  if (x != end) {
    sum0 += std::int32_t{*row0} * *x;
    sum1 += std::int32_t{*row1} * *x;
    sum2 += std::int32_t{*row2} * *x;
  }
  sums[0] = sum0;
  sums[1] = sum1;
  sums[2] = sum2;
}

[[gnu::noinline]] std::int64_t dot(const std::int16_t* row, const std::int16_t* x,
                                   std::uint32_t n) {
  std::int64_t sum = 0;
  const std::int16_t* const end = x + n;
  for (; end - x >= 8; x += 8, row += 8) {
    sum = add_pair(row, x, sum);
    sum = add_pair(row + 2, x + 2, sum);
    sum = add_pair(row + 4, x + 4, sum);
    sum = add_pair(row + 6, x + 6, sum);
  }
  for (; end - x >= 2; x += 2, row += 2) sum = add_pair(row, x, sum);
  if (x != end) sum += std::int32_t{*row} * *x;
  return sum;
}

// sum += the product of the low halves. gcc 12 does not find the next one by itself.
inline void add_low(std::uint32_t a, std::uint32_t b, std::int64_t& sum) {
  __asm("smlalbb %Q0, %R0, %1, %2" : "+r"(sum) : "r"(a), "r"(b));
}
inline void add_high(std::uint32_t a, std::uint32_t b, std::int64_t& sum) {
  __asm("smlaltt %Q0, %R0, %1, %2" : "+r"(sum) : "r"(a), "r"(b));
}

// Two channels of three positions: their sums are read and written once for all of them. Written
// down for the sake of registers, as above; advances its pointers.
inline void add_three_positions(const std::int16_t*& a, const std::int16_t*& b,
                                std::int32_t stride_a, std::int32_t stride_b, std::int64_t*& sums) {
  std::int64_t sum0 = 0;
  std::int64_t sum1 = 0;
  std::uint32_t pair_a = 0;
  std::uint32_t pair_b = 0;
  __asm(
      "ldrd %Q[sum0], %R[sum0], [%[sums]]\n\t"
      "ldrd %Q[sum1], %R[sum1], [%[sums], #8]\n\t"
      "ldr %[pair_a], [%[a], %[stride_a], lsl #2]\n\t"
      "ldr %[pair_b], [%[b], %[stride_b], lsl #2]\n\t"
      "smlalbb %Q[sum0], %R[sum0], %[pair_a], %[pair_b]\n\t"
      "smlaltt %Q[sum1], %R[sum1], %[pair_a], %[pair_b]\n\t"
      "ldr %[pair_a], [%[a], %[stride_a], lsl #1]\n\t"
      "ldr %[pair_b], [%[b], %[stride_b], lsl #1]\n\t"
      "smlalbb %Q[sum0], %R[sum0], %[pair_a], %[pair_b]\n\t"
      "smlaltt %Q[sum1], %R[sum1], %[pair_a], %[pair_b]\n\t"
      "ldr %[pair_a], [%[a]], #4\n\t"
      "ldr %[pair_b], [%[b]], #4\n\t"
      "smlalbb %Q[sum0], %R[sum0], %[pair_a], %[pair_b]\n\t"
      "smlaltt %Q[sum1], %R[sum1], %[pair_a], %[pair_b]\n\t"
      "strd %Q[sum1], %R[sum1], [%[sums], #8]\n\t"
      "strd %Q[sum0], %R[sum0], [%[sums]], #16"
      : [a] "+r"(a), [b] "+r"(b), [sums] "+r"(sums), [sum0] "=&r"(sum0), [sum1] "=&r"(sum1),
        [pair_a] "=&r"(pair_a), [pair_b] "=&r"(pair_b)
      : [stride_a] "r"(stride_a), [stride_b] "r"(stride_b)
      : "memory");
}

[[gnu::noinline]] void multiply_three_positions(const std::int16_t* a, const std::int16_t* b,
                                                std::int32_t stride_a, std::int32_t stride_b,
                                                std::uint32_t channels, std::int64_t* sums) {
  const std::int64_t* const end = sums + (channels & ~1U);
  while (sums != end) add_three_positions(a, b, stride_a, stride_b, sums);
  if (channels % 2 == 0) return;
  for (std::int32_t i = 0; i < 3; ++i) *sums += std::int32_t{a[i * stride_a]} * b[i * stride_b];
}

void multiply_position(const std::int16_t* a, const std::int16_t* b, std::uint32_t channels,
                       std::int64_t* sums) {
  const std::int16_t* const end = a + channels;
  for (; end - a >= 2; a += 2, b += 2, sums += 2) {
    const std::uint32_t first = load_pair(a);
    const std::uint32_t second = load_pair(b);
    add_low(first, second, sums[0]);
    add_high(first, second, sums[1]);
  }
  if (a != end) *sums += std::int32_t{*a} * *b;
}

}  // namespace

void multiply_rows(const std::int16_t* rows, std::uint32_t stride, std::uint32_t row_count,
                   const std::int16_t* x, std::uint32_t n, std::int64_t* sums) {
  std::uint32_t r = 0;
  if (is_at_word(rows) && is_at_word(x) && stride % 2 == 0 && n % 2 == 0) {
    r = row_count & ~1U;
    multiply_aligned_rows(rows, stride, r, x, n, sums);
    rows += r * stride;
  }
  for (; row_count - r >= 3; r += 3, rows += 3 * stride) {
    multiply_three_rows(rows, stride, x, n, sums + r);
  }
  for (; r < row_count; ++r, rows += stride) sums[r] = dot(rows, x, n);
}

void multiply_channels(const std::int16_t* a, const std::int16_t* b, const Positions& positions,
                       std::uint32_t channels, std::int64_t* sums) {
  std::int32_t i = 0;
  for (; positions.count - i >= 3; i += 3) {
    multiply_three_positions(a + i * positions.stride_a, b + i * positions.stride_b,
                             positions.stride_a, positions.stride_b, channels, sums);
  }
  for (; i < positions.count; ++i) {
    multiply_position(a + i * positions.stride_a, b + i * positions.stride_b, channels, sums);
  }
}

bool update(std::int16_t* w, const std::int16_t* x, std::uint32_t n, std::int32_t step,
            std::uint32_t& random) {
  Mover mover(step, random);
  const std::int16_t* const end = w + n;
  for (; end - w >= 8; w += 8, x += 8) {
    mover.move_at(w, x);
    mover.move_at(w + 2, x + 2);
    mover.move_at(w + 4, x + 4);
    mover.move_at(w + 6, x + 6);
  }
  for (; end - w >= 2; w += 2, x += 2) mover.move_at(w, x);
  if (w != end) *w = mover.move_last(*w, *x);
  random = mover.state();
  return mover.left_headroom();
}

bool update_with_gradient(std::int16_t* w, const std::int16_t* x, std::int64_t* gradient,
                          std::uint32_t n, std::int32_t step, std::int16_t delta,
                          std::uint32_t& random) {
  Mover mover(step, random);
  const std::int16_t* const end = w + n;
  for (; end - w >= 2; w += 2, x += 2, gradient += 2) {
    const std::uint32_t before = load_pair(w);
    gradient[0] += std::int32_t{low(before)} * delta;
    gradient[1] += std::int32_t{high(before)} * delta;
    store_pair(w, mover.move(before, load_pair(x)));
  }
  if (w != end) {
    *gradient += std::int32_t{*w} * delta;
    *w = mover.move_last(*w, *x);
  }
  random = mover.state();
  return mover.left_headroom();
}

}  // namespace skep::learn::kernels_dsp

#endif

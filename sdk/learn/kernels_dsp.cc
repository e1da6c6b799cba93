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

inline std::int64_t dot_pair(const std::int16_t* a, const std::int16_t* b, std::int64_t sum) {
  return __smlald(static_cast<int16x2_t>(load_pair(a)), static_cast<int16x2_t>(load_pair(b)), sum);
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

}  // namespace

std::int64_t dot(const std::int16_t* a, const std::int16_t* b, std::uint32_t n) {
  std::int64_t sum = 0;
  const std::int16_t* const end = a + n;
  for (; end - a >= 16; a += 16, b += 16) {
    sum = dot_pair(a, b, sum);
    sum = dot_pair(a + 2, b + 2, sum);
    sum = dot_pair(a + 4, b + 4, sum);
    sum = dot_pair(a + 6, b + 6, sum);
    sum = dot_pair(a + 8, b + 8, sum);
    sum = dot_pair(a + 10, b + 10, sum);
    sum = dot_pair(a + 12, b + 12, sum);
    sum = dot_pair(a + 14, b + 14, sum);
  }
  for (; end - a >= 2; a += 2, b += 2) sum = dot_pair(a, b, sum);
  if (a != end) sum += std::int32_t{*a} * *b;
  return sum;
}

namespace {

// Two rows at once: each pair of x is loaded for both.
void multiply_two_rows(const std::int16_t* rows, const std::int16_t* x, std::uint32_t n,
                       std::int64_t* sums) {
  const std::int16_t* second = rows + n;
  const std::int16_t* const end = x + n;
  std::int64_t sum0 = 0;
  std::int64_t sum1 = 0;
  const auto add_pair = [&](std::uint32_t at) {
    const auto pair = static_cast<int16x2_t>(load_pair(x + at));
    sum0 = __smlald(static_cast<int16x2_t>(load_pair(rows + at)), pair, sum0);
    sum1 = __smlald(static_cast<int16x2_t>(load_pair(second + at)), pair, sum1);
  };
  for (; end - x >= 8; x += 8, rows += 8, second += 8) {
    add_pair(0);
    add_pair(2);
    add_pair(4);
    add_pair(6);
  }
  for (; end - x >= 2; x += 2, rows += 2, second += 2) add_pair(0);
  if (x != end) {
    sum0 += std::int32_t{*rows} * *x;
    sum1 += std::int32_t{*second} * *x;
  }
  sums[0] = sum0;
  sums[1] = sum1;
}

}  // namespace

void multiply_rows(const std::int16_t* rows, std::uint32_t row_count, const std::int16_t* x,
                   std::uint32_t n, std::int64_t* sums) {
  std::uint32_t r = 0;
  for (; r + 1 < row_count; r += 2, rows += 2 * std::size_t{n}) {
    multiply_two_rows(rows, x, n, sums + r);
  }
  if (r < row_count) sums[r] = dot(rows, x, n);
}

void multiply_add(const std::int16_t* a, const std::int16_t* b, std::int64_t* sums,
                  std::uint32_t n) {
  const std::int16_t* const end = a + n;
  for (; end - a >= 2; a += 2, b += 2, sums += 2) {
    const std::uint32_t first = load_pair(a);
    const std::uint32_t second = load_pair(b);
    sums[0] += std::int32_t{low(first)} * low(second);
    sums[1] += std::int32_t{high(first)} * high(second);
  }
  if (a != end) *sums += std::int32_t{*a} * *b;
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

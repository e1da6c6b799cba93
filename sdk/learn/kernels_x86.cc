#include "kernels_x86.h"

#if defined(__x86_64__)

#include <immintrin.h>

#include "kernels_portable.h"

namespace skep::learn::kernels_x86 {
namespace {

// PMADDWD adds two products in 32 bits: from −2^31 + 2^16 to 2^31, which alone wraps, to −2^31.
// With kLift on top each sum is a different unsigned number, so it extends to 64 bits by zeros;
// the lifts are taken off in the end.
constexpr std::int64_t kLift = INT32_MAX;

inline __m128i load(const std::int16_t* from) {
  return _mm_loadu_si128(reinterpret_cast<const __m128i*>(from));
}

inline void add_to(std::int64_t* sums, __m128i values) {
  auto* const at = reinterpret_cast<__m128i*>(sums);
  _mm_storeu_si128(at, _mm_add_epi64(_mm_loadu_si128(at), values));
}

inline std::int64_t total_of(__m128i sums) {
  return _mm_cvtsi128_si64(sums) + _mm_cvtsi128_si64(_mm_unpackhi_epi64(sums, sums));
}

// The products of `a` and `b` from `begin` on, which the vectors left over.
inline std::int64_t dot_of_rest(const std::int16_t* a, const std::int16_t* b, std::uint32_t begin,
                                std::uint32_t n) {
  std::int64_t sum = 0;
  for (std::uint32_t i = begin; i < n; ++i) sum += std::int32_t{a[i]} * b[i];
  return sum;
}

// … and those of the channels from `begin` on.
inline void multiply_rest(const std::int16_t* a, const std::int16_t* b, const Positions& positions,
                          std::uint32_t begin, std::uint32_t channels, std::int64_t* sums) {
  if (begin == channels) return;
  kernels_portable::multiply_channels(a + begin, b + begin, positions, channels - begin,
                                      sums + begin);
}

}  // namespace

namespace sse2 {
namespace {

std::int64_t dot(const std::int16_t* a, const std::int16_t* b, std::uint32_t n) {
  const __m128i lift = _mm_set1_epi32(static_cast<int>(kLift));
  const __m128i low_words = _mm_set1_epi64x(0xFFFFFFFF);
  __m128i even = _mm_setzero_si128();
  __m128i odd = even;
  std::uint32_t i = 0;
  for (; n - i >= 8; i += 8) {
    const __m128i pairs = _mm_add_epi32(_mm_madd_epi16(load(a + i), load(b + i)), lift);
    even = _mm_add_epi64(even, _mm_and_si128(pairs, low_words));
    odd = _mm_add_epi64(odd, _mm_srli_epi64(pairs, 32));
  }
  return total_of(_mm_add_epi64(even, odd)) - kLift * (i / 2) + dot_of_rest(a, b, i, n);
}

// Four channels of two positions each, in the order of the channels.
struct FourSums {
  __m128i first = _mm_setzero_si128();
  __m128i second = _mm_setzero_si128();

  void add(__m128i a, __m128i b) {
    const __m128i pairs =
        _mm_add_epi32(_mm_madd_epi16(a, b), _mm_set1_epi32(static_cast<int>(kLift)));
    first = _mm_add_epi64(first, _mm_unpacklo_epi32(pairs, _mm_setzero_si128()));
    second = _mm_add_epi64(second, _mm_unpackhi_epi32(pairs, _mm_setzero_si128()));
  }
  void add_to(std::int64_t* sums, __m128i lifts) const {
    kernels_x86::add_to(sums, _mm_sub_epi64(first, lifts));
    kernels_x86::add_to(sums + 2, _mm_sub_epi64(second, lifts));
  }
};

void multiply_eight_channels(const std::int16_t* a, const std::int16_t* b,
                             const Positions& positions, std::int64_t* sums) {
  FourSums low;
  FourSums high;
  std::int32_t i = 0;
  for (; i < positions.count; i += 2) {
    const bool alone = i + 1 == positions.count;
    const __m128i zero = _mm_setzero_si128();
    const __m128i a0 = load(a + i * positions.stride_a);
    const __m128i b0 = load(b + i * positions.stride_b);
    const __m128i a1 = alone ? zero : load(a + (i + 1) * positions.stride_a);
    const __m128i b1 = alone ? zero : load(b + (i + 1) * positions.stride_b);
    low.add(_mm_unpacklo_epi16(a0, a1), _mm_unpacklo_epi16(b0, b1));
    high.add(_mm_unpackhi_epi16(a0, a1), _mm_unpackhi_epi16(b0, b1));
  }
  const __m128i lifts = _mm_set1_epi64x(kLift * (i / 2));
  low.add_to(sums, lifts);
  high.add_to(sums + 4, lifts);
}

}  // namespace

void multiply_rows(const std::int16_t* rows, std::uint32_t stride, std::uint32_t row_count,
                   const std::int16_t* x, std::uint32_t n, std::int64_t* sums) {
  for (std::uint32_t r = 0; r < row_count; ++r, rows += stride) sums[r] = dot(rows, x, n);
}

void multiply_channels(const std::int16_t* a, const std::int16_t* b, const Positions& positions,
                       std::uint32_t channels, std::int64_t* sums) {
  std::uint32_t c = 0;
  for (; channels - c >= 8; c += 8) multiply_eight_channels(a + c, b + c, positions, sums + c);
  multiply_rest(a, b, positions, c, channels, sums);
}

}  // namespace sse2

namespace avx2 {
namespace {

// One function's target is not that of a lambda in it: hence helpers with the same target.
#define SKEP_AVX2 [[gnu::target("avx2")]]

SKEP_AVX2 std::int64_t dot(const std::int16_t* a, const std::int16_t* b, std::uint32_t n) {
  const __m256i lift = _mm256_set1_epi32(static_cast<int>(kLift));
  const __m256i low_words = _mm256_set1_epi64x(0xFFFFFFFF);
  __m256i even = _mm256_setzero_si256();
  __m256i odd = even;
  std::uint32_t i = 0;
  for (; n - i >= 16; i += 16) {
    const __m256i products =
        _mm256_madd_epi16(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(a + i)),
                          _mm256_loadu_si256(reinterpret_cast<const __m256i*>(b + i)));
    const __m256i pairs = _mm256_add_epi32(products, lift);
    even = _mm256_add_epi64(even, _mm256_and_si256(pairs, low_words));
    odd = _mm256_add_epi64(odd, _mm256_srli_epi64(pairs, 32));
  }
  const __m256i both = _mm256_add_epi64(even, odd);
  const __m128i sums =
      _mm_add_epi64(_mm256_castsi256_si128(both), _mm256_extracti128_si256(both, 1));
  return total_of(sums) - kLift * (i / 2) + sse2::dot(a + i, b + i, n - i);
}

// Eight channels of a position and of the next one, side by side.
SKEP_AVX2 __m256i interleave(__m128i first, __m128i second) {
  return _mm256_set_m128i(_mm_unpackhi_epi16(first, second), _mm_unpacklo_epi16(first, second));
}

SKEP_AVX2 void add_to(std::int64_t* sums, __m256i values) {
  auto* const at = reinterpret_cast<__m256i*>(sums);
  _mm256_storeu_si256(at, _mm256_add_epi64(_mm256_loadu_si256(at), values));
}

SKEP_AVX2 void multiply_eight_channels(const std::int16_t* a, const std::int16_t* b,
                                       const Positions& positions, std::int64_t* sums) {
  const __m256i lift = _mm256_set1_epi32(static_cast<int>(kLift));
  __m256i low = _mm256_setzero_si256();
  __m256i high = low;
  std::int32_t i = 0;
  for (; i < positions.count; i += 2) {
    const bool alone = i + 1 == positions.count;
    const __m128i zero = _mm_setzero_si128();
    const __m128i a0 = load(a + i * positions.stride_a);
    const __m128i b0 = load(b + i * positions.stride_b);
    const __m128i a1 = alone ? zero : load(a + (i + 1) * positions.stride_a);
    const __m128i b1 = alone ? zero : load(b + (i + 1) * positions.stride_b);
    const __m256i pairs =
        _mm256_add_epi32(_mm256_madd_epi16(interleave(a0, a1), interleave(b0, b1)), lift);
    low = _mm256_add_epi64(low, _mm256_cvtepu32_epi64(_mm256_castsi256_si128(pairs)));
    high = _mm256_add_epi64(high, _mm256_cvtepu32_epi64(_mm256_extracti128_si256(pairs, 1)));
  }
  const __m256i lifts = _mm256_set1_epi64x(kLift * (i / 2));
  add_to(sums, _mm256_sub_epi64(low, lifts));
  add_to(sums + 4, _mm256_sub_epi64(high, lifts));
}

}  // namespace

bool is_supported() { return __builtin_cpu_supports("avx2") != 0; }

SKEP_AVX2 void multiply_rows(const std::int16_t* rows, std::uint32_t stride,
                             std::uint32_t row_count, const std::int16_t* x, std::uint32_t n,
                             std::int64_t* sums) {
  for (std::uint32_t r = 0; r < row_count; ++r, rows += stride) sums[r] = dot(rows, x, n);
}

SKEP_AVX2 void multiply_channels(const std::int16_t* a, const std::int16_t* b,
                                 const Positions& positions, std::uint32_t channels,
                                 std::int64_t* sums) {
  std::uint32_t c = 0;
  for (; channels - c >= 8; c += 8) multiply_eight_channels(a + c, b + c, positions, sums + c);
  multiply_rest(a, b, positions, c, channels, sums);
}

#undef SKEP_AVX2

}  // namespace avx2

// What __builtin_cpu_supports() reads was written once, before any constructor of this program.

void multiply_rows(const std::int16_t* rows, std::uint32_t stride, std::uint32_t row_count,
                   const std::int16_t* x, std::uint32_t n, std::int64_t* sums) {
  const auto chosen = avx2::is_supported() ? avx2::multiply_rows : sse2::multiply_rows;
  chosen(rows, stride, row_count, x, n, sums);
}

void multiply_channels(const std::int16_t* a, const std::int16_t* b, const Positions& positions,
                       std::uint32_t channels, std::int64_t* sums) {
  const auto chosen = avx2::is_supported() ? avx2::multiply_channels : sse2::multiply_channels;
  chosen(a, b, positions, channels, sums);
}

namespace {

// Eight int32 products of int16, in order.
struct Products {
  __m128i low;
  __m128i high;
};

inline Products multiply(__m128i a, __m128i b) {
  const __m128i low_halves = _mm_mullo_epi16(a, b);
  const __m128i high_halves = _mm_mulhi_epi16(a, b);
  return {_mm_unpacklo_epi16(low_halves, high_halves), _mm_unpackhi_epi16(low_halves, high_halves)};
}

// Moves eight weights at a time by the same step, four draws for each.
class Mover {
 public:
  Mover(std::int32_t step, std::uint32_t random)
      : step_high_(_mm_set1_epi16(static_cast<std::int16_t>(step >> 16))),
        step_low_(_mm_set1_epi16(static_cast<std::int16_t>(step))),
        state_(random) {}

  // t = high * x + floor(low * x / 2^16) where step = high * 2^16 + low, low unsigned.
  void move(std::int16_t* w, __m128i before, __m128i x) {
    const __m128i zero = _mm_setzero_si128();
    const __m128i random = draw_eight();
    const Products by_high = multiply(step_high_, x);
    const __m128i if_negative = _mm_and_si128(_mm_srai_epi16(x, 15), step_low_);
    const __m128i by_low = _mm_sub_epi16(_mm_mulhi_epu16(step_low_, x), if_negative);
    const __m128i low = _mm_add_epi32(
        _mm_add_epi32(by_high.low, _mm_srai_epi32(_mm_unpacklo_epi16(zero, by_low), 16)),
        _mm_unpacklo_epi16(random, zero));
    const __m128i high = _mm_add_epi32(
        _mm_add_epi32(by_high.high, _mm_srai_epi32(_mm_unpackhi_epi16(zero, by_low), 16)),
        _mm_unpackhi_epi16(random, zero));
    const __m128i change = _mm_packs_epi32(_mm_srai_epi32(low, 16), _mm_srai_epi32(high, 16));
    const __m128i after = _mm_subs_epi16(before, change);
    _mm_storeu_si128(reinterpret_cast<__m128i*>(w), after);
    seen_ = _mm_or_si128(seen_, _mm_xor_si128(after, _mm_slli_epi16(after, 1)));
  }

  [[nodiscard]] std::uint32_t state() const { return state_; }
  [[nodiscard]] bool left_headroom() const { return (_mm_movemask_epi8(seen_) & 0xAAAA) != 0; }

 private:
  int draw() {
    state_ ^= state_ << 13;
    state_ ^= state_ >> 17;
    state_ ^= state_ << 5;
    return static_cast<int>(state_);
  }

  __m128i draw_eight() {
    const int first = draw();
    const int second = draw();
    const int third = draw();
    return _mm_setr_epi32(first, second, third, draw());
  }

  __m128i step_high_;
  __m128i step_low_;
  std::uint32_t state_;
  __m128i seen_ = _mm_setzero_si128();  // bit 15 of each: a weight reached 2^14
};

// sums[0 … 3] += values, int32.
inline void add_four(std::int64_t* sums, __m128i values) {
  const __m128i signs = _mm_srai_epi32(values, 31);
  add_to(sums, _mm_unpacklo_epi32(values, signs));
  add_to(sums + 2, _mm_unpackhi_epi32(values, signs));
}

}  // namespace

bool update(std::int16_t* w, const std::int16_t* x, std::uint32_t n, std::int32_t step,
            std::uint32_t& random) {
  Mover mover(step, random);
  std::uint32_t i = 0;
  for (; n - i >= 8; i += 8) mover.move(w + i, load(w + i), load(x + i));
  random = mover.state();
  const bool rest = kernels_portable::update(w + i, x + i, n - i, step, random);
  return mover.left_headroom() || rest;
}

bool update_with_gradient(std::int16_t* w, const std::int16_t* x, std::int64_t* gradient,
                          std::uint32_t n, std::int32_t step, std::int16_t delta,
                          std::uint32_t& random) {
  Mover mover(step, random);
  const __m128i deltas = _mm_set1_epi16(delta);
  std::uint32_t i = 0;
  for (; n - i >= 8; i += 8) {
    const __m128i before = load(w + i);
    const Products products = multiply(before, deltas);
    add_four(gradient + i, products.low);
    add_four(gradient + i + 4, products.high);
    mover.move(w + i, before, load(x + i));
  }
  random = mover.state();
  const bool rest = kernels_portable::update_with_gradient(w + i, x + i, gradient + i, n - i, step,
                                                           delta, random);
  return mover.left_headroom() || rest;
}

}  // namespace skep::learn::kernels_x86

#endif

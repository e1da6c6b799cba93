// Weights in and out of an engine: initial values, the canonical blob, the difference of two.
#include <algorithm>
#include <array>

#include "blob_reader.h"
#include "bound_layer.h"
#include "engine_internal.h"
#include "fixed_point.h"
#include "skep/core/prng.h"
#include "skep/learn/engine.h"

namespace skep::learn {

using internal::BoundLayer;

namespace {

// The unit in which weights and biases of any two models can be subtracted exactly: a weight has
// at most 15 + kMaxWeightExponent − kGridExponent = 61 bits in it, a bias as many.
constexpr int kGridExponent = kMinWeightExponent - kBiasFractionBits;

std::uint64_t integer_square_root(std::uint64_t value) {
  std::uint64_t root = 0;
  for (std::uint64_t bit = std::uint64_t{1} << 31; bit != 0; bit >>= 1) {
    if ((root | bit) * (root | bit) <= value) root |= bit;
  }
  return root;
}

struct HeLimit {
  std::int32_t mantissa;  // [2^12, 2^13): two bits of headroom
  int exponent;
};

// sqrt(6 / fan_in), the bound of a uniform distribution of variance 2 / fan_in.
HeLimit he_limit(std::uint32_t fan_in) {
  for (int fraction_bits = 0;; ++fraction_bits) {
    const std::uint64_t square = (std::uint64_t{6} << (2 * fraction_bits)) / fan_in;
    const std::uint64_t root = integer_square_root(square);
    if (root >= 1U << 12) return {static_cast<std::int32_t>(root), -fraction_bits};
  }
}

void put_i16(std::uint8_t*& out, std::int16_t value) {
  const auto bits = static_cast<std::uint16_t>(value);
  *out++ = static_cast<std::uint8_t>(bits);
  *out++ = static_cast<std::uint8_t>(bits >> 8);
}

void put_i32(std::uint8_t*& out, std::int32_t value) {
  const auto bits = static_cast<std::uint32_t>(value);
  put_i16(out, static_cast<std::int16_t>(bits));
  put_i16(out, static_cast<std::int16_t>(bits >> 16));
}

bool is_weight_exponent(int exponent) {
  return exponent >= kMinWeightExponent && exponent <= kMaxWeightExponent;
}

// Value in the grid's unit; |result| < 2^61.
std::int64_t on_grid(std::int32_t value, int exponent) {
  return value * (std::int64_t{1} << (exponent - kGridExponent));
}

// value / 2^shift to nearest, ties away from zero, so that swapping the models swaps the sign.
std::int64_t round_symmetric(std::int64_t value, int shift) {
  const std::int64_t half = std::int64_t{1} << (shift - 1);
  return value < 0 ? -((-value + half) >> shift) : (value + half) >> shift;
}

// The finest exponent at which a difference of up to `largest` (in the grid's unit) fits int16.
int finest_exponent(std::int64_t largest) {
  int exponent = kMinDeltaExponent;
  while (exponent < kMaxDeltaExponent &&
         round_symmetric(largest, exponent - kGridExponent) > INT16_MAX) {
    ++exponent;
  }
  return exponent;
}
static_assert(kMinDeltaExponent > kGridExponent, "round_symmetric() shifts by at least one");

}  // namespace

/// Calls visit(parameter index, difference in the grid's unit) for each trainable parameter in
/// order.
template <typename Visitor>
Status Engine::for_each_difference(const ByteSource& base_blob, Visitor visit) const {
  BlobReader base(base_blob);
  std::uint32_t parameter = 0;
  for (const FusedLayer& plan : ParameterLayers(spec_)) {
    if (!plan.trainable) continue;
    const BoundLayer layer = bind(plan);
    base.skip_to(plan.exponent_offset);
    const int own = *layer.weight_exponent;
    const int other = base.next_i16();
    if (base.status() != Status::kOk) return base.status();
    // check_blob() saw a valid one, but a medium may give other bytes the second time.
    if (!is_weight_exponent(other)) return Status::kStorageFailed;
    for (std::uint32_t i = 0; i < plan.weight_count; ++i) {
      visit(parameter++, on_grid(layer.weights[i], own) - on_grid(base.next_i16(), other));
    }
    for (std::uint32_t j = 0; j < plan.bias_count; ++j) {
      visit(parameter++, on_grid(layer.biases[j], own - kBiasFractionBits) -
                             on_grid(base.next_i32(), other - kBiasFractionBits));
    }
  }
  return base.status();
}

Status Engine::initialize(std::uint32_t seed) {
  Xorshift32 generator(seed);
  for (const FusedLayer& plan : ParameterLayers(spec_)) {
    const BoundLayer layer = bind(plan);
    const HeLimit limit = he_limit(plan.fan_in);
    *layer.weight_exponent = static_cast<std::int16_t>(limit.exponent);
    for (std::uint32_t i = 0; i < plan.weight_count; ++i) {
      // Odd numbers of 17 bits are symmetric around 0, which the int16 range is not.
      const auto uniform = static_cast<std::int16_t>(generator.next() >> 16);
      const std::int64_t scaled = (2 * std::int64_t{uniform} + 1) * limit.mantissa;
      layer.weights[i] = static_cast<std::int16_t>(scale(scaled, -16));
    }
    std::fill_n(layer.biases, plan.bias_count, 0);
  }
  start_optimizer();
  return Status::kOk;
}

void Engine::start_optimizer() {
  state().has_output = 0;
  for (const FusedLayer& plan : ParameterLayers(spec_)) {
    const BoundLayer layer = bind(plan);
    if (layer.velocities != nullptr) {
      std::fill_n(layer.velocities, plan.weight_count, std::int16_t{0});
      std::fill_n(layer.bias_velocities, plan.bias_count, 0);
    }
    if (layer.anchors != nullptr) {
      std::copy_n(layer.weights, plan.weight_count, layer.anchors);
      std::copy_n(layer.biases, plan.bias_count, layer.bias_anchors);
    }
  }
}

Status Engine::check_blob(const ByteSource& blob) const {
  if (blob.size_bytes() != internal::count(spec_).blob_bytes) return Status::kMalformed;
  for (const FusedLayer& plan : ParameterLayers(spec_)) {
    std::array<std::uint8_t, 2> bytes{};
    SKEP_TRY(blob.read(plan.exponent_offset, bytes));
    const auto exponent = static_cast<std::int16_t>(bytes[0] | bytes[1] << 8);
    if (!is_weight_exponent(exponent)) return Status::kMalformed;
  }
  return Status::kOk;
}

Status Engine::load(const ByteSource& blob) {
  SKEP_TRY(check_blob(blob));
  state().has_output = 0;
  BlobReader reader(blob);
  for (const FusedLayer& plan : ParameterLayers(spec_)) {
    const BoundLayer layer = bind(plan);
    const std::int16_t exponent = reader.next_i16();
    if (reader.status() != Status::kOk) return reader.status();
    // The medium may give other bytes the second time.
    if (!is_weight_exponent(exponent)) return Status::kStorageFailed;
    *layer.weight_exponent = exponent;
    std::generate_n(layer.weights, plan.weight_count, [&] { return reader.next_i16(); });
    std::generate_n(layer.biases, plan.bias_count, [&] { return reader.next_i32(); });
  }
  start_optimizer();
  return reader.status();
}

Status Engine::store(MutableBytes out) const {
  if (out.size() != internal::count(spec_).blob_bytes) return Status::kInvalidArgument;
  std::uint8_t* cursor = out.data();
  for (const FusedLayer& plan : ParameterLayers(spec_)) {
    const BoundLayer layer = bind(plan);
    put_i16(cursor, *layer.weight_exponent);
    for (std::uint32_t i = 0; i < plan.weight_count; ++i) put_i16(cursor, layer.weights[i]);
    for (std::uint32_t j = 0; j < plan.bias_count; ++j) put_i32(cursor, layer.biases[j]);
  }
  return Status::kOk;
}

Result<Delta> Engine::difference_from(const ByteSource& base_blob, std::span<std::int16_t> out,
                                      std::uint32_t sample_count) const {
  const internal::Totals totals = internal::count(spec_);
  if (out.size() != totals.trainable_weight_count + totals.trainable_bias_count ||
      sample_count == 0) {
    return Status::kInvalidArgument;
  }
  SKEP_TRY(check_blob(base_blob));
  std::int64_t largest = 0;
  SKEP_TRY(for_each_difference(base_blob, [&](std::uint32_t, std::int64_t difference) {
    largest = std::max(largest, difference < 0 ? -difference : difference);
  }));
  const int exponent = finest_exponent(largest);
  SKEP_TRY(for_each_difference(base_blob, [&](std::uint32_t parameter, std::int64_t difference) {
    out[parameter] = saturate<std::int16_t>(round_symmetric(difference, exponent - kGridExponent));
  }));
  return Delta{out, exponent, sample_count};
}

}  // namespace skep::learn

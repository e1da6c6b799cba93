#include "skep/aggregate/average.h"

#include <algorithm>
#include <cstdint>
#include <span>
#include <vector>

#include "skep/flow.h"
#include "skep/learn/layers.h"
#include "skep/learn/memory_plan.h"

namespace skep::aggregate {
namespace {

using server::Int128;

// The unit of which every weight, bias and delta is a multiple.
constexpr int kGridExponent = learn::kMinWeightExponent - learn::kBiasFractionBits;
static_assert(kMinDeltaExponent >= kGridExponent);

constexpr std::int64_t kLargestWithHeadroom = (1 << 13) - 1;  // Two bits below int16's range.

std::int32_t read_little_endian(Bytes bytes) {
  std::uint32_t value = 0;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    value |= std::uint32_t{bytes[i]} << (8 * i);
  }
  return static_cast<std::int32_t>(value);
}

void write_little_endian(std::int32_t value, MutableBytes out) {
  for (std::size_t i = 0; i < out.size(); ++i) {
    out[i] = static_cast<std::uint8_t>(static_cast<std::uint32_t>(value) >> (8 * i));
  }
}

std::int16_t read_i16(Bytes blob, std::uint32_t offset) {
  return static_cast<std::int16_t>(read_little_endian(blob.subspan(offset, 2)));
}

// numerator / denominator to nearest, ties to even. denominator > 0.
Int128 divide_half_even(Int128 numerator, Int128 denominator) {
  Int128 quotient = numerator / denominator;
  Int128 remainder = numerator % denominator;
  if (remainder < 0) {  // To the floor, so that one comparison serves both signs.
    remainder += denominator;
    --quotient;
  }
  const Int128 twice = 2 * remainder;
  if (twice > denominator || (twice == denominator && quotient % 2 != 0)) ++quotient;
  return quotient;
}

/// One trainable layer's new parameters as exact fractions: numerators over `samples`, in units of
/// 2^kGridExponent. Below 2^120: 2^61 from the base and 2^62 from the delta (whose norm is below
/// 2^16), 2^56 from the samples.
class Layer {
 public:
  Layer(const learn::FusedLayer& layout, std::uint64_t samples)
      : layout_(layout), samples_(samples) {}

  Status read_base(Bytes blob) {
    base_exponent_ = read_i16(blob, layout_.exponent_offset);
    if (base_exponent_ < learn::kMinWeightExponent || base_exponent_ > learn::kMaxWeightExponent) {
      return Status::kMalformed;
    }
    const Int128 unit = Int128{samples_} << (base_exponent_ - kGridExponent);
    for (std::uint32_t i = 0; i < layout_.weight_count; ++i) {
      numerators_.push_back(unit * read_i16(blob, layout_.weights_offset + 2 * i));
    }
    for (std::uint32_t i = 0; i < layout_.bias_count; ++i) {
      const std::int32_t bias = read_little_endian(blob.subspan(layout_.biases_offset + 4 * i, 4));
      numerators_.push_back((unit >> learn::kBiasFractionBits) * bias);
    }
    return Status::kOk;
  }

  void add(std::span<const Int128> sums) {
    constexpr int kShift = kMinDeltaExponent - kGridExponent;
    for (std::size_t i = 0; i < numerators_.size(); ++i) {
      numerators_[i] += sums[layout_.first_parameter() + i] * (Int128{1} << kShift);
    }
  }

  Status write(std::span<std::uint8_t> blob) const {
    const int exponent = choose_exponent();
    write_little_endian(exponent, blob.subspan(layout_.exponent_offset, 2));
    for (std::uint32_t i = 0; i < layout_.weight_count; ++i) {
      const Int128 weight = round_to(numerators_[i], exponent);
      if (weight < INT16_MIN || weight > INT16_MAX) return Status::kTooLarge;
      write_little_endian(static_cast<std::int32_t>(weight),
                          blob.subspan(layout_.weights_offset + 2 * i, 2));
    }
    for (std::uint32_t i = 0; i < layout_.bias_count; ++i) {
      const Int128 bias =
          round_to(numerators_[layout_.weight_count + i], exponent - learn::kBiasFractionBits);
      if (bias < INT32_MIN || bias > INT32_MAX) return Status::kTooLarge;
      write_little_endian(static_cast<std::int32_t>(bias),
                          blob.subspan(layout_.biases_offset + 4 * i, 4));
    }
    return Status::kOk;
  }

 private:
  [[nodiscard]] Int128 round_to(Int128 numerator, int exponent) const {
    return divide_half_even(numerator, Int128{samples_} << (exponent - kGridExponent));
  }

  [[nodiscard]] int choose_exponent() const {
    Int128 largest = 0;
    for (const Int128 numerator : numerators_) {
      largest = std::max(largest, numerator < 0 ? -numerator : numerator);
    }
    if (largest == 0) return base_exponent_;
    int exponent = learn::kMinWeightExponent;
    while (exponent < learn::kMaxWeightExponent &&
           round_to(largest, exponent) > kLargestWithHeadroom) {
      ++exponent;
    }
    return exponent;
  }

  learn::FusedLayer layout_;
  std::uint64_t samples_;
  int base_exponent_ = 0;
  std::vector<Int128> numerators_;
};

}  // namespace

/// The one maker of candidates from updates.
class Averager {
 public:
  static Result<server::Candidate> average(const server::Accumulated& sum, const ModelSpec& spec,
                                           Bytes base_weights) {
    const auto plan = learn::plan_memory(spec);
    if (!plan.ok() || plan->trainable_count != sum.sums().size() || sum.contributor_count() == 0 ||
        sum.sample_count() == 0) {
      return Status::kInvalidArgument;
    }
    if (base_weights.size() != plan->weights_blob_bytes) return Status::kMalformed;

    server::Candidate candidate;
    candidate.spec_ = spec;
    candidate.contributor_count_ = sum.contributor_count();
    // What is frozen stays as it is, byte for byte.
    candidate.weights_.assign(base_weights.begin(), base_weights.end());
    for (const learn::FusedLayer& layout : learn::ParameterLayers(spec)) {
      Layer layer(layout, sum.sample_count());
      SKEP_TRY(layer.read_base(base_weights));
      if (!layout.trainable) continue;
      layer.add(sum.sums());
      SKEP_TRY(layer.write(candidate.weights_));
    }
    return candidate;
  }
};

Result<server::Candidate> average(const server::Accumulated& sum, const ModelSpec& spec,
                                  Bytes base_weights) {
  return Averager::average(sum, spec, base_weights);
}

}  // namespace skep::aggregate

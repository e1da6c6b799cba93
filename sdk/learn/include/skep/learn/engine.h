// Training and inference in int16 block floating point, integer only, on a caller's memory.
//
// Formats (algorithms.md, section 1): weights int16 with one power-of-two exponent a layer and
// one to two bits of headroom; activations and deltas int16 with an exponent chosen from the
// largest accumulator; accumulators int64; biases int32. Results are the same bytes on every
// compiler and processor.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "skep/bytes.h"
#include "skep/flow.h"
#include "skep/learn/memory_plan.h"
#include "skep/learn/weights.h"
#include "skep/model_spec.h"
#include "skep/status.h"

namespace skep::learn {

/// mantissa * 2^-shift. Range: mantissa 1 … 32767, shift 0 … 30.
struct LearningRate {
  std::uint16_t mantissa = 1;
  std::uint8_t shift = 0;
};

/// The last layer's outputs: logits[i] * 2^exponent. A view into the engine's memory.
struct Output {
  std::span<const std::int16_t> logits;
  int exponent = 0;
};

/// One model in the memory handed to create(): weights, activations and the rounding stream.
///
/// An Engine is a handle: all that changes lies in that memory, so a copy or a moved-to Engine
/// works on the same model, and the memory must outlive them all. Not thread-safe. No heap;
/// less than 1 KiB of stack (measured 0.6 KiB on x86-64, -Os).
class Engine {
 public:
  /// An engine with all weights zero on `memory`, of which it uses the first
  /// MemoryPlan::inference_bytes or training_bytes.
  ///
  /// Errors: those of plan_memory(); kInvalidArgument if `memory` is not aligned to 8 bytes;
  /// kNoMemory if it is smaller than the plan. On error `memory` is unchanged.
  static Result<Engine> create(const ModelSpec& spec, Purpose purpose, std::span<std::byte> memory);

  /// Draws weights uniformly from ±sqrt(6 / inputs) of their layer, variance 2 / inputs
  /// (He et al., "Delving Deep into Rectifiers", 2015, section 2.2), and zeroes biases.
  /// Always kOk.
  Status initialize(std::uint32_t seed);

  /// Takes the weights from a canonical blob.
  ///
  /// Errors: kMalformed if it has not the plan's size, or a layer's exponent is outside of
  /// kMinWeightExponent … kMaxWeightExponent: the weights are then unchanged. kStorageFailed if
  /// the medium failed: the weights are then unspecified but valid.
  Status load(const ByteSource& blob);

  /// Writes the canonical blob. Errors: kInvalidArgument if `out` has not exactly
  /// MemoryPlan::weights_blob_bytes; it is then unchanged.
  Status store(MutableBytes out) const;

  /// Starts the stream of stochastic rounding. Without a call it starts as if with 0.
  void seed_rounding(std::uint32_t seed);

  /// Runs the model on one sample: shape [inputs], int16 * 2^input_exponent, any values.
  /// The output is valid until the next call of a non-const member function.
  ///
  /// Errors: kInvalidArgument if `features` has not the spec's width.
  Result<Output> forward(std::span<const std::int16_t> features);

  /// Softmax cross-entropy of the last forward in nats, Q16.16, saturating at 2^16 − 2^-16.
  ///
  /// Absolute error below 4e-4 + |loss| * 1e-4 for the logits as they are.
  /// Errors: kInvalidArgument if `label` is not a class, or there was no forward since the
  /// weights were last replaced.
  [[nodiscard]] Result<std::uint32_t> loss_q16(std::uint16_t label) const;

  /// Index of the largest logit of the last forward, the lowest one of equals.
  /// Errors: kInvalidArgument if there was no forward since the weights were last replaced.
  [[nodiscard]] Result<std::uint16_t> predicted_class() const;

  /// One step of SGD on one sample; returns its loss before the step, as loss_q16() would.
  ///
  /// A single step moves a weight by at most a quarter of its layer's range: larger ones are
  /// clipped. Errors: kInvalidArgument if `features` has not the spec's width, `label` is not a
  /// class or the rate is outside of its range; kUnsupported if the engine is for inference.
  /// On error nothing changes.
  Result<std::uint32_t> train_step(std::span<const std::int16_t> features, std::uint16_t label,
                                   LearningRate rate);

  /// The weights minus those of `base_blob`, in the one exponent that suits the largest
  /// difference, rounded to nearest (ties away from zero). The same for the same weights.
  ///
  /// `out` has MemoryPlan::parameter_count elements and becomes Delta::values; `sample_count`
  /// ≥ 1 becomes Delta::sample_count. The base is read twice, 64 bytes at a time. Elements that
  /// do not fit at kMaxDeltaExponent saturate.
  ///
  /// Errors: kInvalidArgument for a wrong `out` size or sample_count 0; kMalformed as in
  /// load(); kStorageFailed. On kInvalidArgument and kMalformed `out` is unchanged.
  Result<Delta> difference_from(const ByteSource& base_blob, std::span<std::int16_t> out,
                                std::uint32_t sample_count) const;

  [[nodiscard]] const ModelSpec& spec() const { return spec_; }

 private:
  struct State;
  struct Layer;
  struct Vector;

  Engine(const ModelSpec& spec, Purpose purpose, std::byte* memory);

  [[nodiscard]] State& state() const;
  [[nodiscard]] std::int64_t* accumulators() const;
  [[nodiscard]] Layer layer(std::uint32_t dense_index) const;
  [[nodiscard]] Layer bind(const LayerWeightsLayout& layout, std::uint32_t dense_index) const;
  [[nodiscard]] std::span<const std::int16_t> logits() const;
  Status check_blob(const ByteSource& blob) const;
  template <typename Visitor>
  Status for_each_difference(const ByteSource& base_blob, Visitor visit) const;

  void run(std::span<const std::int16_t> features);
  int run_layer(const Layer& layer, const Vector& input) const;
  void back_propagate(std::span<const std::int16_t> features, LearningRate rate);
  int update_layer(const Layer& layer, const Vector& input, int delta_exponent, LearningRate rate,
                   const Layer* previous);

  ModelSpec spec_;
  Purpose purpose_;
  std::uint32_t dense_count_;
  std::byte* memory_;
  internal::Workspace at_;
};

}  // namespace skep::learn

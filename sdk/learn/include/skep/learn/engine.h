// Training and inference in int16 block floating point, integer only, on a caller's memory.
//
// Formats (algorithms.md, section 1): weights int16 with one power-of-two exponent a layer and
// one to two bits of headroom; activations and deltas int16 with an exponent chosen from the
// largest sum of their layer; sums int64, kept as int32 between the positions of a convolution or
// pool; biases int32. Results are the same bytes on every compiler and processor.
// docs/reference/learning.md has each layer's arithmetic and the bound of its error.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "skep/bytes.h"
#include "skep/flow.h"
#include "skep/learn/layers.h"
#include "skep/learn/memory_plan.h"
#include "skep/model_spec.h"
#include "skep/status.h"

namespace skep::learn {

namespace internal {
struct BoundLayer;
struct Prediction;

constexpr bool is_label(Loss loss, std::uint16_t outputs, std::uint16_t label) {
  switch (loss) {
    case Loss::kSoftmaxCrossEntropy:
      return label < outputs;
    case Loss::kBinaryCrossEntropy:
      return label >> outputs == 0;
    case Loss::kMeanSquaredError:
      return true;
  }
  return false;
}
}  // namespace internal

/// mantissa * 2^-shift. Range: mantissa 1 … 32767, shift 0 … 30.
struct LearningRate {
  std::uint16_t mantissa = 1;
  std::uint8_t shift = 0;
};

/// The last layer's outputs: values[i] * 2^exponent; for the classifying losses they are logits.
/// A view into the engine's memory.
struct Output {
  std::span<const std::int16_t> values;
  int exponent = 0;
};

/// Whether `label` is one that the spec's loss can be computed for (skep::Loss says what it means).
[[nodiscard]] constexpr bool is_label(const ModelSpec& spec, std::uint16_t label) {
  return internal::is_label(spec.loss, spec.outputs(), label);
}

/// One model in the memory handed to create(): weights, activations and the rounding stream.
///
/// An Engine is a handle: all that changes lies in that memory, so a copy or a moved-to Engine
/// works on the same model, and the memory must outlive them all. Not thread-safe. No heap;
/// less than 1 KiB of stack.
class Engine {
 public:
  /// An engine with all weights zero on `memory`, of which it uses the first
  /// MemoryPlan::inference_bytes or training_bytes of plan_memory(spec, optimizer).
  ///
  /// Errors: those of plan_memory(); kInvalidArgument if `memory` is not aligned to 8 bytes;
  /// kNoMemory if it is smaller than the plan. On error `memory` is unchanged.
  static Result<Engine> create(const ModelSpec& spec, Purpose purpose, std::span<std::byte> memory,
                               const Optimizer& optimizer = {});

  /// Draws weights uniformly from ±sqrt(6 / fan-in) of their layer, variance 2 / fan-in
  /// (He et al., "Delving Deep into Rectifiers", 2015, section 2.2), and zeroes biases.
  /// Starts the optimizer as load() does. Always kOk.
  Status initialize(std::uint32_t seed);

  /// Takes the weights from a canonical blob. Velocities become 0, and the blob's weights what
  /// FedProx holds the model to.
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

  /// Runs the model on one sample: [height][width][channels], int16 * 2^input_exponent, any values.
  /// The output is valid until the next call of a non-const member function.
  ///
  /// Errors: kInvalidArgument if `features` has not ModelSpec::inputs elements.
  Result<Output> forward(std::span<const std::int16_t> features);

  /// forward(), and the loss in Q16.16, saturating at 2^16 − 2^-16; cross-entropies in nats, the
  /// mean squared error in the square of the feature's unit.
  ///
  /// Error for the outputs as they are: cross-entropies below 4e-4 + |loss| * 1e-4 absolute, mean
  /// squared error below |loss| * 2e-4 + 2^-16.
  /// Errors: as forward(); kInvalidArgument if not is_label(spec, label).
  Result<std::uint32_t> evaluate(std::span<const std::int16_t> features, std::uint16_t label);

  /// What the last forward() says of the sample: index of the largest logit, the lowest one of
  /// equals; for binary cross-entropy bit i is set if logit i is above 0.
  /// Errors: kUnsupported for kMeanSquaredError; kInvalidArgument if there was no forward() since
  /// the weights were last replaced.
  [[nodiscard]] Result<std::uint16_t> predicted_class() const;

  /// One step of the optimizer on one sample; returns its loss before the step, as evaluate()
  /// would. Frozen layers stay as they are.
  ///
  /// A single step moves a weight by at most a quarter of its layer's range: larger ones are
  /// clipped. Errors: kInvalidArgument if `features` has not the spec's width, not
  /// is_label(spec, label), or the rate is outside of its range; kUnsupported if the engine is for
  /// inference. On error nothing changes.
  Result<std::uint32_t> train_step(std::span<const std::int16_t> features, std::uint16_t label,
                                   LearningRate rate);

  /// The trainable weights minus those of `base_blob`, in the one exponent that suits the largest
  /// difference, rounded to nearest (ties away from zero). The same for the same weights.
  ///
  /// `out` has MemoryPlan::trainable_count elements and becomes Delta::values; `sample_count`
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

  Engine(const ModelSpec& spec, Purpose purpose, std::byte* memory, const Optimizer& optimizer);

  [[nodiscard]] State& state() const;
  [[nodiscard]] internal::BoundLayer bind(const FusedLayer& layer) const;
  [[nodiscard]] internal::BoundLayer layer(std::uint32_t fused_index) const;
  [[nodiscard]] Output output() const {
    return {{output_values_, output_count_}, output_exponent()};
  }
  [[nodiscard]] int output_exponent() const;
  Status check_blob(const ByteSource& blob) const;
  void start_optimizer();
  template <typename Visitor>
  Status for_each_difference(const ByteSource& base_blob, Visitor visit) const;

  void run(std::span<const std::int16_t> features);
  std::uint32_t back_propagate(const internal::Prediction& prediction, LearningRate rate);

  ModelSpec spec_;
  Purpose purpose_;
  Optimizer optimizer_;
  std::uint16_t output_count_;
  std::uint16_t layer_count_;    // fused
  std::uint16_t first_trained_;  // fused index of the first trainable layer
  std::byte* memory_;
  const std::int16_t* output_values_;
  internal::Workspace at_;
};

}  // namespace skep::learn

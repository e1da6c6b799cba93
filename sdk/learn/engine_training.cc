// The backward pass at batch 1, layer by layer from the last to the first trainable one: each
// weight moves as soon as the gradient by its layer's inputs is known, and no gradient of a
// model's weights is ever stored.
#include <algorithm>

#include "activation.h"
#include "bound_layer.h"
#include "convolution.h"
#include "dense.h"
#include "engine_internal.h"
#include "fixed_point.h"
#include "loss.h"
#include "normalize.h"
#include "pooling.h"
#include "skep/learn/engine.h"

namespace skep::learn {

using internal::BoundLayer;
using internal::Deltas;
using internal::Descent;
using internal::Vector;

namespace {

// A copy with 15 significant bits: the precision of a weight's step depends on them.
int normalize_features(std::span<const std::int16_t> features, int exponent, std::int16_t* out) {
  const int lift = headroom(features.data(), static_cast<std::uint32_t>(features.size()));
  const std::int32_t factor = std::int32_t{1} << lift;
  for (std::size_t i = 0; i < features.size(); ++i) {
    out[i] = static_cast<std::int16_t>(features[i] * factor);
  }
  return exponent - lift;
}

bool is_valid(LearningRate rate) {
  return rate.mantissa >= 1 && rate.mantissa <= 32767 && rate.shift <= 30;
}

// Trains a layer; nobody wants the gradient by its inputs.
void train_first(const BoundLayer& layer, const Vector& input, const Deltas& deltas,
                 const Descent& descent) {
  if (!kHasConvolutions || layer.plan.kind == LayerKind::kDense) {
    train_dense(layer, input, deltas, descent, nullptr);
  } else {
    train_convolution(layer, input, deltas, descent, false);
  }
}

// From a layer's gradient by its inputs to the deltas of the layer before.
template <typename Wide>
int hand_on(Wide* gradient, int exponent, const BoundLayer& layer, const BoundLayer& previous,
            std::int16_t* deltas) {
  const std::uint32_t inputs = layer.input_count();
  scale_by_derivative(gradient, previous.output, inputs, previous.plan.activation,
                      previous.plan.negative_slope_q15);
  return normalize(gradient, inputs, exponent, kNoMinExponent, deltas);
}

// Trains a layer that may have parameters. `deltas` become those of the layer before; returns
// their exponent.
int train_and_propagate(const BoundLayer& layer, int delta_exponent, const BoundLayer& previous,
                        const Descent& descent, std::int16_t* deltas) {
  const Vector input{previous.output, *layer.input_exponent};
  const Deltas own{deltas, delta_exponent};
  if (!kHasConvolutions || layer.plan.kind == LayerKind::kDense) {
    auto* const gradient = layer.scratch_at<std::int64_t>(0);
    const int exponent = *layer.weight_exponent + delta_exponent;
    train_dense(layer, input, own, descent, gradient);
    return hand_on(gradient, exponent, layer, previous, deltas);
  }
  if (internal::is_convolution(layer.plan.kind)) {
    const internal::ConvScratch at = internal::lay_out_conv(layer.plan, true);
    auto* const gradient = layer.scratch_at<std::int32_t>(at.staged);
    const int exponent = propagate_convolution(layer, own, gradient);
    train_convolution(layer, input, own, descent, true);
    return hand_on(gradient, exponent, layer, previous, deltas);
  }
  auto* const gradient = layer.scratch_at<std::int32_t>(0);
  const int exponent = propagate_pool(layer, input, own, gradient);
  return hand_on(gradient, exponent, layer, previous, deltas);
}

}  // namespace

std::uint32_t Engine::back_propagate(const internal::Prediction& prediction, LearningRate rate) {
  auto* const deltas = array_at<std::int16_t>(memory_, at_.deltas);
  const Descent descent{optimizer_, rate, state().random};
  BoundLayer current = layer(layer_count_ - 1U);
  const internal::LossAndGradient loss = loss_and_gradient(prediction, current, deltas);
  int delta_exponent = loss.exponent;
  while (current.plan.fused_index > first_trained_) {
    const BoundLayer previous = layer(current.plan.fused_index - 1);
    delta_exponent = train_and_propagate(current, delta_exponent, previous, descent, deltas);
    current = previous;
  }
  if (current.plan.fused_index > 0) {
    const Vector input{layer(current.plan.fused_index - 1).output, *current.input_exponent};
    train_first(current, input, {deltas, delta_exponent}, descent);
  } else {
    auto* const sample = array_at<std::int16_t>(memory_, at_.features);
    const int exponent = normalize_features({prediction.sample.values, spec_.inputs},
                                            prediction.sample.exponent, sample);
    train_first(current, {sample, exponent}, {deltas, delta_exponent}, descent);
  }
  return loss.loss_q16;
}

Result<std::uint32_t> Engine::train_step(std::span<const std::int16_t> features,
                                         std::uint16_t label, LearningRate rate) {
  if (purpose_ != Purpose::kTraining) return Status::kUnsupported;
  if (features.size() != spec_.inputs || !internal::is_label(spec_.loss, output_count_, label) ||
      !is_valid(rate)) {
    return Status::kInvalidArgument;
  }
  run(features);
  const internal::Prediction prediction{
      spec_, output(), {features.data(), spec_.input_exponent}, label};
  return back_propagate(prediction, rate);
}

}  // namespace skep::learn

// A multi-layer perceptron in plain floating point, trained by SGD at batch 1: what the integer
// engine is measured against. Dense layers with ReLU between them, softmax and cross-entropy.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace skep::learn_testing {

/// Scalar is float for comparisons of accuracy, double for checks of the gradient.
template <typename Scalar>
class Mlp {
 public:
  struct Layer {
    std::size_t inputs = 0;
    std::size_t outputs = 0;
    bool rectified = false;       // a ReLU follows
    std::vector<Scalar> weights;  // [outputs][inputs]
    std::vector<Scalar> biases;   // [outputs]
  };

  /// Widths from input to output, e.g. {64, 32, 10}; all weights 0; a ReLU after every layer
  /// but the last.
  explicit Mlp(std::span<const std::size_t> widths) {
    for (std::size_t i = 0; i + 1 < widths.size(); ++i) {
      add_layer(widths[i], widths[i + 1], i + 2 < widths.size());
    }
  }
  Mlp() = default;

  Layer& add_layer(std::size_t inputs, std::size_t outputs, bool rectified) {
    return layers_.emplace_back(Layer{inputs, outputs, rectified,
                                      std::vector<Scalar>(inputs * outputs),
                                      std::vector<Scalar>(outputs)});
  }

  [[nodiscard]] std::vector<Layer>& layers() { return layers_; }
  [[nodiscard]] const std::vector<Layer>& layers() const { return layers_; }

  /// The logits; all activations are kept for train_step().
  const std::vector<Scalar>& forward(std::span<const Scalar> features) {
    activations_.assign(1, {features.begin(), features.end()});
    for (const Layer& layer : layers_) activations_.push_back(output_of(layer));
    return activations_.back();
  }

  /// Cross-entropy of the last forward, in nats.
  [[nodiscard]] Scalar loss(std::size_t label) const {
    const std::vector<Scalar>& logits = activations_.back();
    const Scalar top = *std::max_element(logits.begin(), logits.end());
    Scalar sum = 0;
    for (const Scalar logit : logits) sum += std::exp(logit - top);
    return std::log(sum) + top - logits[label];
  }

  [[nodiscard]] std::size_t predicted_class() const {
    const std::vector<Scalar>& logits = activations_.back();
    return static_cast<std::size_t>(std::max_element(logits.begin(), logits.end()) -
                                    logits.begin());
  }

  /// One step of SGD; returns the loss before it.
  Scalar train_step(std::span<const Scalar> features, std::size_t label, Scalar learning_rate) {
    forward(features);
    const Scalar before = loss(label);
    std::vector<Scalar> delta = probabilities();
    delta[label] -= 1;
    for (std::size_t i = layers_.size(); i-- > 0;) {
      delta = update(layers_[i], activations_[i], delta, learning_rate);
      if (i > 0 && layers_[i - 1].rectified) mask(delta, activations_[i]);
    }
    return before;
  }

 private:
  std::vector<Scalar> output_of(const Layer& layer) const {
    const std::vector<Scalar>& input = activations_.back();
    std::vector<Scalar> output(layer.biases);
    for (std::size_t j = 0; j < layer.outputs; ++j) {
      for (std::size_t i = 0; i < layer.inputs; ++i) {
        output[j] += layer.weights[j * layer.inputs + i] * input[i];
      }
      if (layer.rectified) output[j] = std::max(output[j], Scalar{0});
    }
    return output;
  }

  [[nodiscard]] std::vector<Scalar> probabilities() const {
    std::vector<Scalar> p = activations_.back();
    const Scalar top = *std::max_element(p.begin(), p.end());
    Scalar sum = 0;
    for (Scalar& value : p) sum += value = std::exp(value - top);
    for (Scalar& value : p) value /= sum;
    return p;
  }

  // Returns the gradient with respect to the layer's input, at the weights before the update.
  static std::vector<Scalar> update(Layer& layer, const std::vector<Scalar>& input,
                                    const std::vector<Scalar>& delta, Scalar learning_rate) {
    std::vector<Scalar> gradient(layer.inputs);
    for (std::size_t j = 0; j < layer.outputs; ++j) {
      for (std::size_t i = 0; i < layer.inputs; ++i) {
        Scalar& weight = layer.weights[j * layer.inputs + i];
        gradient[i] += weight * delta[j];
        weight -= learning_rate * delta[j] * input[i];
      }
      layer.biases[j] -= learning_rate * delta[j];
    }
    return gradient;
  }

  static void mask(std::vector<Scalar>& delta, const std::vector<Scalar>& activation) {
    for (std::size_t i = 0; i < delta.size(); ++i) {
      if (activation[i] <= 0) delta[i] = 0;
    }
  }

  std::vector<Layer> layers_;
  std::vector<std::vector<Scalar>> activations_;  // [0] is the input
};

using FloatMlp = Mlp<float>;

/// Sets the values of a canonical weights blob (docs/reference/weights.md) in a network of the same
/// shape. Throws std::out_of_range if the blob is too short.
template <typename Scalar>
void load_weights_blob(Mlp<Scalar>& mlp, const std::vector<std::uint8_t>& blob) {
  std::size_t at = 0;
  const auto read = [&](int bytes) {
    std::uint32_t value = 0;
    for (int i = 0; i < bytes; ++i) value |= std::uint32_t{blob.at(at++)} << (8 * i);
    return value;
  };
  for (auto& layer : mlp.layers()) {
    const int exponent = static_cast<std::int16_t>(read(2));
    for (Scalar& weight : layer.weights) {
      weight = static_cast<Scalar>(std::ldexp(static_cast<std::int16_t>(read(2)), exponent));
    }
    for (Scalar& bias : layer.biases) {
      bias = static_cast<Scalar>(std::ldexp(static_cast<std::int32_t>(read(4)), exponent - 16));
    }
  }
}

}  // namespace skep::learn_testing

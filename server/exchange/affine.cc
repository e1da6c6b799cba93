#include "affine.h"

#include <algorithm>

namespace skep::exchange {
namespace {

/// Which output a weight works for: [outputs][fan_in], of a depthwise layer [taps][channels].
std::size_t output_of(std::size_t weight, LayerKind kind, const RealLayer& layer) {
  const std::size_t outputs = layer.biases.size();
  return kind == LayerKind::kDepthwiseConv ? weight % outputs
                                           : weight / (layer.weights.size() / outputs);
}

}  // namespace

bool Affine::changes_nothing() const {
  return std::all_of(factors.begin(), factors.end(), [](double f) { return f == 1; }) &&
         std::all_of(summands.begin(), summands.end(), [](double s) { return s == 0; });
}

Affine composed(const Affine& first, const Affine& second) {
  const std::size_t count = std::max(first.factors.size(), second.factors.size());
  Affine result{std::vector<double>(count), std::vector<double>(count)};
  for (std::size_t i = 0; i < count; ++i) {
    result.factors[i] = first.factor(i) * second.factor(i);
    result.summands[i] = first.summand(i) * second.factor(i) + second.summand(i);
  }
  return result;
}

void fold_behind(const Affine& affine, LayerKind kind, RealLayer& layer) {
  for (std::size_t i = 0; i < layer.weights.size(); ++i) {
    layer.weights[i] *= affine.factor(output_of(i, kind, layer));
  }
  for (std::size_t o = 0; o < layer.biases.size(); ++o) {
    layer.biases[o] = layer.biases[o] * affine.factor(o) + affine.summand(o);
  }
}

void fold_before(const Affine& affine, LayerKind kind, RealLayer& layer) {
  // The inputs of every output, and the channels of every tap, begin at a multiple of their number.
  for (std::size_t i = 0; i < layer.weights.size(); ++i) {
    layer.biases[output_of(i, kind, layer)] += layer.weights[i] * affine.summand(i);
    layer.weights[i] *= affine.factor(i);
  }
}

}  // namespace skep::exchange

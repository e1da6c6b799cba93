// A factor and a summand a channel, and how a layer beside them takes them into its parameters.
//
// Batch normalisation at inference is no more than that, whether a file has it as one operator or
// as a Mul and an Add; so are a scaled sample and a bias that is added on its own.
#pragma once

#include <vector>

#include "quantize.h"
#include "skep/model_spec.h"

namespace skep::exchange {

/// value[i] * factors[i % n] + summands[i % n], both of n numbers: one for all values, one a
/// channel, or one a value, in our order, in which the channels of a position are together.
struct Affine {
  std::vector<double> factors{1};
  std::vector<double> summands{0};

  [[nodiscard]] bool changes_nothing() const;
  [[nodiscard]] double factor(std::size_t i) const { return factors[i % factors.size()]; }
  [[nodiscard]] double summand(std::size_t i) const { return summands[i % summands.size()]; }
};

/// `first`, then `second`. The numbers of one are a multiple of the other's.
[[nodiscard]] Affine composed(const Affine& first, const Affine& second);

/// Puts into a Dense's, Conv's or DepthwiseConv's parameters what comes behind it, or before it.
/// Before a convolution with padding only if all summands are 0: the zeros around come later.
void fold_behind(const Affine& affine, LayerKind kind, RealLayer& layer);
void fold_before(const Affine& affine, LayerKind kind, RealLayer& layer);

}  // namespace skep::exchange

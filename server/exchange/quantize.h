// Real weights to the canonical blob of docs/reference/weights.md.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "skep/exchange/error.h"

namespace skep::exchange {

/// One layer's parameters in the blob's order.
struct RealLayer {
  std::string where;  ///< For messages.
  std::vector<double> weights;
  std::vector<double> biases;
};

/// Appends exponent, int16 weights and int32 biases: the smallest exponent that leaves the largest
/// weight and bias two bits of headroom, all values to nearest with ties to even. So a weight is
/// off by at most half a unit of the last place, 2^(e − 1), and a bias by 2^(e − 17). A layer of
/// zeros gets the exponent that holds weights up to 1 with that headroom.
///
/// Errors: ExchangeError of kInvalidArgument for NaN and infinity, of kTooLarge for values that
/// the largest exponent does not hold; nothing is appended.
void append_quantized(const RealLayer& layer, std::vector<std::uint8_t>& blob);

}  // namespace skep::exchange

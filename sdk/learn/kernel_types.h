// What the kernels of all processors take alike.
#pragma once

#include <cstdint>

namespace skep::learn {

/// Positions of two arrays that meet one by one: so many elements lie from each to the next in
/// `a` and in `b`, forwards or backwards.
struct Positions {
  std::int32_t count;
  std::int32_t stride_a;
  std::int32_t stride_b;
};

}  // namespace skep::learn

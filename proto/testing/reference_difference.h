// A second decoder of ModelPatch.difference, for tests: straight from the description, all in
// memory, and lenient. What it accepts is valid exactly if encoding it again gives the same bytes.
#pragma once

#include <bit>
#include <cstdint>
#include <optional>
#include <vector>

#include "skep/core/bit_io.h"
#include "skep/wire/weights_difference.h"

namespace skep::wire::testing {

struct ReferenceDifference {
  std::vector<LayerCounts> layers;
  std::vector<std::uint8_t> target;
};

class ReferenceDecoder {
 public:
  ReferenceDecoder(Bytes coded, Bytes base) : bits_(coded), base_(base) {}

  /// None if the bits do not describe a target of the base's size.
  std::optional<ReferenceDifference> decode() {
    if (bits(8) != 1) return std::nullopt;
    while (is_good_ && result_.target.size() < base_.size()) read_layer();
    if (!is_good_ || result_.target.size() != base_.size()) return std::nullopt;
    return result_;
  }

 private:
  std::uint64_t bits(std::uint32_t count) {
    std::uint64_t value = 0;
    for (std::uint32_t i = 0; i < count; ++i) {
      std::uint32_t bit = 0;
      if (bits_.read(1, bit) != Status::kOk) is_good_ = false;
      value = value * 2 + bit;
    }
    return value;
  }

  std::uint32_t count() { return static_cast<std::uint32_t>(bits(20)); }

  std::int64_t base_value(std::uint32_t bytes) {
    std::uint64_t value = 0;
    const std::size_t at = result_.target.size();
    if (at + bytes > base_.size()) {
      is_good_ = false;
      return 0;
    }
    for (std::uint32_t i = 0; i < bytes; ++i) value |= std::uint64_t{base_[at + i]} << (8 * i);
    const std::uint64_t sign = std::uint64_t{1} << (8 * bytes - 1);
    return static_cast<std::int64_t>(value ^ sign) - static_cast<std::int64_t>(sign);
  }

  void append(std::int64_t value, std::uint32_t bytes) {
    for (std::uint32_t i = 0; i < bytes; ++i) {
      result_.target.push_back(
          static_cast<std::uint8_t>(static_cast<std::uint64_t>(value) >> (8 * i)));
    }
  }

  void read_layer() {
    const auto raw = static_cast<std::int64_t>(bits(6));
    const std::int64_t change = raw < 32 ? raw : raw - 64;
    if (change < -30 || change > 30) is_good_ = false;
    const std::int64_t exponent = base_value(2) + change;
    const LayerCounts layer{.weights = 0, .biases = 0};
    result_.layers.push_back(layer);
    result_.layers.back().weights = count();
    result_.layers.back().biases = count();
    const LayerCounts counts = result_.layers.back();
    const std::uint64_t size = 2 + 2ULL * counts.weights + 4ULL * counts.biases;
    if (!is_good_ || size > base_.size() - result_.target.size()) {
      is_good_ = false;
      return;
    }
    append(exponent, 2);
    read_tensor(counts.weights, 2, change);
    read_tensor(counts.biases, 4, change);
  }

  void read_tensor(std::uint32_t values, std::uint32_t bytes, std::int64_t change) {
    if (values == 0) return;
    const auto shift = static_cast<std::uint32_t>(bits(5));
    if (shift >= 8 * bytes) is_good_ = false;
    for (std::uint32_t left = values; is_good_ && left != 0;) {
      const std::uint32_t block = left < 64 ? left : 64;
      read_block(block, bytes, change, shift);
      left -= block;
    }
  }

  void read_block(std::uint32_t values, std::uint32_t bytes, std::int64_t change,
                  std::uint32_t shift) {
    const std::uint32_t width = 8 * bytes - shift;
    const auto head =
        static_cast<std::uint32_t>(bits(static_cast<std::uint32_t>(std::bit_width(width))));
    if (head > width) is_good_ = false;
    for (std::uint32_t i = 0; is_good_ && i < values; ++i) {
      std::uint64_t code = 0;
      if (head == width) {
        code = bits(width);
      } else if (head != 0) {
        std::uint64_t quotient = 0;
        while (is_good_ && bits(1) == 1) ++quotient;
        code = quotient << (head - 1) | bits(head - 1);
      }
      if (code >> width != 0) is_good_ = false;
      const auto half = static_cast<std::int64_t>(code / 2);
      const std::int64_t residual = (code % 2 == 0 ? half : -half - 1) * (std::int64_t{1} << shift);
      append(predict(base_value(bytes), change) + residual, bytes);
    }
  }

  // Rounded to nearest, halves up.
  static std::int64_t predict(std::int64_t base, std::int64_t change) {
    if (change <= 0) return base * (std::int64_t{1} << -change);
    const std::int64_t divisor = std::int64_t{1} << change;
    const std::int64_t shifted = base + divisor / 2;
    return shifted >= 0 ? shifted / divisor : -((-shifted + divisor - 1) / divisor);
  }

  BitReader bits_;
  Bytes base_;
  bool is_good_ = true;
  ReferenceDifference result_;
};

/// Whether `coded` is the one encoding of a difference from `base`; the target if so.
inline std::optional<ReferenceDifference> decode_strictly(Bytes coded, Bytes base) {
  std::optional<ReferenceDifference> lenient = ReferenceDecoder(coded, base).decode();
  if (!lenient) return std::nullopt;
  std::vector<std::uint8_t> again(coded.size());
  const Result<std::size_t> size = encode_difference(lenient->layers, base, lenient->target, again);
  if (!size.ok() || *size != coded.size()) return std::nullopt;
  for (std::size_t i = 0; i < again.size(); ++i) {
    if (again[i] != coded[i]) return std::nullopt;
  }
  return lenient;
}

}  // namespace skep::wire::testing

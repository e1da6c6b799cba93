#include <algorithm>
#include <array>
#include <bit>

#include "skep/core/bit_io.h"
#include "skep/core/little_endian.h"
#include "skep/wire/weights_difference.h"
#include "weights_difference_format.h"

namespace skep::wire {
namespace {

/// Weights or biases of one layer, in the base and in the target.
struct Tensor {
  Bytes base;
  Bytes target;
  std::uint32_t value_bytes;  // 2 or 4
  int exponent_change;

  [[nodiscard]] std::uint32_t count() const {
    return static_cast<std::uint32_t>(base.size() / value_bytes);
  }
  [[nodiscard]] std::uint32_t value_bits() const { return 8 * value_bytes; }

  /// Target minus prediction, modulo 2^value_bits(), as a signed number.
  [[nodiscard]] std::int32_t residual(std::uint32_t index) const {
    const std::int32_t predicted = rescale(value(base, index), exponent_change);
    const std::uint32_t difference =
        static_cast<std::uint32_t>(value(target, index)) - static_cast<std::uint32_t>(predicted);
    return value_bytes == 2 ? static_cast<std::int16_t>(difference)
                            : static_cast<std::int32_t>(difference);
  }

 private:
  [[nodiscard]] std::int32_t value(Bytes bytes, std::uint32_t index) const {
    const std::uint8_t* at = bytes.data() + index * value_bytes;
    return value_bytes == 2 ? static_cast<std::int16_t>(load_u16(at))
                            : static_cast<std::int32_t>(load_u32(at));
  }
};

class Encoder {
 public:
  explicit Encoder(MutableBytes out) : bits_(out) {}

  Status write_format() { return bits_.write(kDifferenceFormat, kFormatBits); }

  Status write_layer(const LayerCounts& layer, Bytes base, Bytes target) {
    const int change = exponent(target) - exponent(base);
    if (change < -kMaxExponentChange || change > kMaxExponentChange) {
      return Status::kInvalidArgument;
    }
    SKEP_TRY(bits_.write(static_cast<std::uint32_t>(change), kExponentBits));
    static_assert(kMaxLayerValues >> kCountBits == 0);
    SKEP_TRY(bits_.write(layer.weights, kCountBits));
    SKEP_TRY(bits_.write(layer.biases, kCountBits));
    const std::size_t weights_bytes = 2 * layer.weights;
    SKEP_TRY(write_tensor(
        {base.subspan(2, weights_bytes), target.subspan(2, weights_bytes), 2, change}));
    return write_tensor(
        {base.subspan(2 + weights_bytes), target.subspan(2 + weights_bytes), 4, change});
  }

  [[nodiscard]] Result<std::size_t> finish() { return bits_.finish(); }

 private:
  [[nodiscard]] static int exponent(Bytes layer) {
    return static_cast<std::int16_t>(load_u16(layer.data()));
  }

  Status write_tensor(const Tensor& tensor) {
    if (tensor.count() == 0) return Status::kOk;
    std::uint32_t all = 0;
    for (std::uint32_t i = 0; i < tensor.count(); ++i) {
      all |= static_cast<std::uint32_t>(tensor.residual(i));
    }
    const std::uint32_t shift = all == 0 ? 0 : static_cast<std::uint32_t>(std::countr_zero(all));
    SKEP_TRY(bits_.write(shift, kShiftBits));
    for (std::uint32_t first = 0; first < tensor.count(); first += kBlockValues) {
      SKEP_TRY(write_block(tensor, first, shift));
    }
    return Status::kOk;
  }

  Status write_block(const Tensor& tensor, std::uint32_t first, std::uint32_t shift) {
    std::array<std::uint32_t, kBlockValues> memory;
    const std::uint32_t count = std::min(kBlockValues, tensor.count() - first);
    const auto codes = std::span(memory).first(count);
    for (std::uint32_t i = 0; i < count; ++i)
      codes[i] = zigzag(tensor.residual(first + i) >> shift);

    const std::uint32_t residual_bits = tensor.value_bits() - shift;
    const std::uint32_t head_bits = block_head_bits(residual_bits);
    if (std::ranges::all_of(codes, [](std::uint32_t code) { return code == 0; })) {
      return bits_.write(0, head_bits);
    }
    const std::uint32_t parameter = best_parameter(codes, residual_bits);
    SKEP_TRY(bits_.write(parameter + 1, head_bits));
    for (const std::uint32_t code : codes) {
      if (is_raw(parameter, residual_bits)) {
        SKEP_TRY(write_wide(code, residual_bits));
      } else {
        SKEP_TRY(bits_.write_unary(code >> parameter));
        SKEP_TRY(write_wide(code, parameter));
      }
    }
    return Status::kOk;
  }

  // The parameter with the fewest bits; of several the smallest.
  [[nodiscard]] static std::uint32_t best_parameter(std::span<const std::uint32_t> codes,
                                                    std::uint32_t residual_bits) {
    std::uint32_t best = 0;
    std::uint64_t best_bits = UINT64_MAX;
    for (std::uint32_t parameter = 0; parameter < residual_bits; ++parameter) {
      std::uint64_t bits = codes.size() * std::uint64_t{parameter + 1};
      for (const std::uint32_t code : codes) bits += code >> parameter;
      if (bits < best_bits) {
        best = parameter;
        best_bits = bits;
      }
    }
    return best;
  }

  // BitWriter takes 24 bits at a time.
  Status write_wide(std::uint32_t value, std::uint32_t count) {
    constexpr std::uint32_t kHalf = 16;
    if (count <= kHalf) return bits_.write(value, count);
    SKEP_TRY(bits_.write(value >> kHalf, count - kHalf));
    return bits_.write(value, kHalf);
  }

  BitWriter bits_;
};

}  // namespace

Result<std::size_t> encode_difference(std::span<const LayerCounts> layers, Bytes base, Bytes target,
                                      MutableBytes out) {
  if (base.empty() || base.size() != target.size()) return Status::kInvalidArgument;
  Encoder encoder(out);
  SKEP_TRY(encoder.write_format());
  for (const LayerCounts& layer : layers) {
    if (layer.weights > kMaxLayerValues || layer.biases > kMaxLayerValues) {
      return Status::kInvalidArgument;
    }
    const std::size_t size = 2 + 2 * std::size_t{layer.weights} + 4 * std::size_t{layer.biases};
    if (size > base.size()) return Status::kInvalidArgument;
    SKEP_TRY(encoder.write_layer(layer, base.first(size), target.first(size)));
    base = base.subspan(size);
    target = target.subspan(size);
  }
  if (!base.empty()) return Status::kInvalidArgument;
  return encoder.finish();
}

}  // namespace skep::wire

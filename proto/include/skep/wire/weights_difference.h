// What makes one weights blob of another (docs/reference/model-patch.md): ModelPatch.difference.
//
// Each new value is predicted from the base's, rescaled if the layer's exponent changed; what is
// left is coded losslessly in blocks of 64 values with the Golomb-Rice parameter (Rice and Plaunt
// 1971) that takes the fewest bits. One pair of blobs of the same layers has exactly one encoding,
// and the decoder refuses all others.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "skep/bytes.h"
#include "skep/status.h"

namespace skep::wire {

/// A layer of a weights blob (docs/reference/weights.md): its exponent, then its weights, then its
/// biases. Either count may be 0.
struct LayerCounts {
  std::uint32_t weights = 0;
  std::uint32_t biases = 0;
};

/// Largest of either count; more than any blob holds.
inline constexpr std::uint32_t kMaxLayerValues = (1U << 20U) - 1;

/// Largest change of a layer's exponent, up or down: exponents are −30 … 0.
inline constexpr int kMaxExponentChange = 30;

/// `value` in units that are 2^exponent_change times as large: rounded to nearest, halves up, if
/// they are larger; modulo 2^32 if they are smaller. |exponent_change| ≤ kMaxExponentChange.
///
/// What a decoder predicts, so that it is part of the format.
[[nodiscard]] constexpr std::int32_t rescale(std::int32_t value, int exponent_change) {
  if (exponent_change > 0) {
    return (value >> exponent_change) + ((value >> (exponent_change - 1)) & 1);
  }
  return static_cast<std::int32_t>(static_cast<std::uint32_t>(value) << -exponent_change);
}

/// Writes what makes `target` of `base`. Both consist of `layers`, whose sizes add up to theirs.
/// O(n), 450 B of stack, no heap. Returns the number of bytes.
///
/// Errors: kInvalidArgument if the blobs are empty or of other lengths, if a layer is larger than
/// kMaxLayerValues or an exponent changes by more than kMaxExponentChange; kNoMemory if `out` is
/// too small: whoever only wants a difference that is shorter than the target gives it no more.
[[nodiscard]] Result<std::size_t> encode_difference(std::span<const LayerCounts> layers, Bytes base,
                                                    Bytes target, MutableBytes out);

/// Applies a difference that arrives in pieces to a base that is read in pieces.
///
/// Work is bounded by the input and by the size of the weights, whatever the bytes. Integer only:
/// the same result everywhere. No heap; 48 B, stack < 100 B. Not thread-safe.
class DifferenceDecoder {
 public:
  /// For blobs of `weights_bytes`.
  explicit DifferenceDecoder(std::uint32_t weights_bytes) : size_(weights_bytes) {}

  /// Bytes of the target that are done.
  [[nodiscard]] std::uint32_t position() const { return position_; }

  /// Turns base into target, in place: `weights` holds the base's bytes from position() on, at
  /// least four or all that are left. Takes bytes from the front of `coded` until they are used
  /// up, or less than one value's room is left in `weights`, or the target is complete. Returns how
  /// many bytes of `weights` are now the target's.
  ///
  /// Errors: kUnsupportedVersion for another format; kMalformed for what is not the one encoding
  /// of a difference between blobs of this size. After an error the decoder is of no more use.
  [[nodiscard]] Result<std::uint32_t> decode(Bytes& coded, MutableBytes weights);

  /// No more input follows. Errors: kMalformed if the target is not complete, or if it was before
  /// the input ended.
  [[nodiscard]] Status finish() const;

 private:
  // What comes next in the input.
  enum class Phase : std::uint8_t {
    kFormat,
    kExponent,
    kWeightCount,
    kBiasCount,
    kShift,
    kBlock,
    kQuotient,  // one bit of it
    kRemainder,
    kEnd,
  };

  [[nodiscard]] std::uint32_t bits_wanted() const;
  [[nodiscard]] std::uint32_t room_wanted() const;
  [[nodiscard]] bool take(Bytes& coded, std::uint32_t count);
  Status act(std::uint32_t bits, std::uint8_t* weights);

  Status begin_layer(std::uint32_t bits, std::uint8_t* weights);
  Status begin_tensors();
  void begin_tensor();
  Status begin_block(std::uint32_t head);
  Status extend_quotient(std::uint32_t bit);
  Status write_value(std::uint32_t remainder, std::uint8_t* weights);
  Status account(std::uint32_t residual);
  Status end_block();
  Status end_tensor();

  [[nodiscard]] bool is_in_weights() const { return weights_left_ != 0; }
  [[nodiscard]] std::uint32_t value_bytes() const { return is_in_weights() ? 2 : 4; }
  [[nodiscard]] std::uint32_t residual_bits() const { return 8 * value_bytes() - shift_; }
  [[nodiscard]] Phase first_phase_of_value() const {
    return is_zero_block_ || is_raw_block_ ? Phase::kRemainder : Phase::kQuotient;
  }

  std::uint32_t size_;
  std::uint32_t position_ = 0;
  std::uint32_t weights_left_ = 0;  // of the layer
  std::uint32_t biases_left_ = 0;
  std::uint32_t taken_ = 0;         // the bits that were taken of those that are wanted
  std::uint32_t quotient_ = 0;      // of the value that is being read
  std::uint32_t saved_beyond_ = 0;  // Σ of the block: what parameter + 1 would save
  std::uint32_t saved_here_ = 0;  // Σ of the block: what the parameter saves over parameter − 1
  std::uint8_t taken_bits_ = 0;
  std::uint8_t byte_ = 0;         // of the input, the rest of it at the top
  std::uint8_t byte_bits_ = 0;    // its length
  std::uint8_t block_count_ = 0;  // values of the block
  std::uint8_t block_left_ = 0;   // of these, still to come
  std::uint8_t parameter_ = 0;
  std::uint8_t shift_ = 0;  // low bits of the tensor's residuals that are zero
  std::int8_t exponent_change_ = 0;
  Phase phase_ = Phase::kFormat;
  bool is_zero_block_ = false;
  bool is_raw_block_ = false;
  bool has_odd_ = false;  // the tensor has an odd residual, a residual
  bool has_residual_ = false;
};

}  // namespace skep::wire

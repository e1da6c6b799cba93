// Top-K and ternary differ in what an entry says besides its index: a value, or only its sign.
#include <algorithm>
#include <cstdint>
#include <span>

#include "encoders.h"
#include "skep/compress/rice.h"
#include "skep/core/bit_io.h"
#include "top_k.h"

namespace skep::compress {
namespace {

/// Top-K: value / 2^shift toward zero, saturating at max_value(bits). Ternary, of one bit: whether
/// the value is negative; a magnitude of 0 has no signs.
struct Quantiser {
  std::uint32_t bits;
  std::uint32_t shift;
  bool is_zero;

  [[nodiscard]] std::uint32_t operator()(std::int16_t value) const {
    if (bits == 1) return value < 0 && !is_zero ? 1 : 0;
    const std::uint32_t limit = static_cast<std::uint32_t>(max_value(bits));
    const std::uint32_t magnitude = std::min(magnitude_of(value) >> shift, limit);
    return value < 0 ? 0U - magnitude : magnitude;  // two's complement
  }
};

/// The fewest halvings that bring `magnitude` to at most `limit`, or the exponent to its end.
std::uint32_t shift_for(std::uint32_t magnitude, std::uint32_t limit, int exponent) {
  const auto most = static_cast<std::uint32_t>(kMaxDeltaExponent - exponent);
  std::uint32_t shift = 0;
  while (shift < most && magnitude >> shift > limit) ++shift;
  return shift;
}

/// What the first walk over the kept elements finds out for the second.
struct Survey {
  RiceCost cost;
  std::uint32_t largest = 0;
  std::uint64_t sum = 0;  // of magnitudes
};

Survey survey(std::span<const std::int16_t> values, const Selection& selection) {
  Survey result;
  std::uint32_t next_index = 0;
  for_each_kept(values, selection, [&](std::uint32_t index, std::int16_t value) {
    result.cost.add(index - next_index);
    next_index = index + 1;
    result.largest = std::max(result.largest, magnitude_of(value));
    result.sum += magnitude_of(value);
  });
  return result;
}

void write_top_k_header(MutableBytes out, std::uint32_t count, int exponent, std::uint32_t bits,
                        std::uint32_t rice_parameter) {
  out[0] = format_byte(CompressionMode::kTopK, bits - 1);
  out[1] = static_cast<std::uint8_t>(-exponent);
  out[2] = static_cast<std::uint8_t>(rice_parameter);
  std::size_t position = 3;
  for (; count >= 128; count >>= 7) {
    out[position++] = static_cast<std::uint8_t>(count | 0x80U);
  }
  out[position] = static_cast<std::uint8_t>(count);
}

// The mean of magnitudes is at most their root mean square (Cauchy and Schwarz), and it is rounded
// down: K times it squared is never above the sum of squares.
void write_ternary_header(MutableBytes out, std::uint32_t mean, int exponent,
                          std::uint32_t rice_parameter) {
  const std::uint32_t shift = shift_for(mean, UINT8_MAX, exponent);
  out[0] = format_byte(CompressionMode::kTernary, rice_parameter);
  out[1] = static_cast<std::uint8_t>(-(exponent + static_cast<int>(shift)));
  out[2] = static_cast<std::uint8_t>(std::min<std::uint32_t>(mean >> shift, UINT8_MAX));
}

Status write_entries(std::span<const std::int16_t> values, const Selection& selection,
                     const Quantiser& quantise, std::uint32_t rice_parameter, BitWriter writer) {
  Status status = Status::kOk;
  std::uint32_t next_index = 0;
  for_each_kept(values, selection, [&](std::uint32_t index, std::int16_t value) {
    const std::uint32_t gap = index - next_index;
    next_index = index + 1;
    if (status == Status::kOk) status = writer.write_unary(gap >> rice_parameter);
    if (status == Status::kOk) status = writer.write(gap, rice_parameter);
    if (status == Status::kOk) status = writer.write(quantise(value), quantise.bits);
  });
  SKEP_TRY(status);
  return writer.finish().status();
}

}  // namespace

Result<std::size_t> encode_sparse(const Delta& delta, const Options& options, MutableBytes out) {
  const std::span<const std::int16_t> values = delta.values;
  const bool is_ternary = options.mode == CompressionMode::kTernary;
  const std::uint32_t count = options.keep_count;
  const Selection selection = select_top_k(values, count);
  const auto [cost, largest, sum] = survey(values, selection);
  const std::uint32_t rice_parameter =
      cost.best_parameter(is_ternary ? kMaxTernaryRiceParameter : kMaxRiceParameter);

  Quantiser quantise{is_ternary ? 1U : options.value_bits, 0, false};
  const std::uint32_t entry_bits = count * quantise.bits + cost.bits(rice_parameter);
  const std::size_t front_bytes = is_ternary ? kTernaryHeaderBytes : header_bytes(count);
  const std::size_t size_bytes = front_bytes + (entry_bits + 7) / 8;
  if (size_bytes > out.size()) return Status::kNoMemory;

  if (is_ternary) {
    const auto mean = static_cast<std::uint32_t>(sum / count);
    quantise.is_zero = mean == 0;
    write_ternary_header(out, mean, delta.exponent, rice_parameter);
  } else {
    quantise.shift =
        shift_for(largest, static_cast<std::uint32_t>(max_value(quantise.bits)), delta.exponent);
    write_top_k_header(out, count, delta.exponent + static_cast<int>(quantise.shift), quantise.bits,
                       rice_parameter);
  }
  const MutableBytes entries = out.subspan(front_bytes, size_bytes - front_bytes);
  SKEP_TRY(write_entries(values, selection, quantise, rice_parameter, BitWriter(entries)));
  return size_bytes;
}

}  // namespace skep::compress

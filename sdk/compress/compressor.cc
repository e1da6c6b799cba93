#include "skep/compress/compressor.h"

#include <algorithm>
#include <cstdint>
#include <span>

#include "skep/compress/rice.h"
#include "skep/core/bit_io.h"
#include "top_k.h"

namespace skep::compress {
namespace {

/// Value / 2^shift toward zero, saturating at max_value(bits).
struct Quantiser {
  std::uint32_t bits;
  std::uint32_t shift;

  [[nodiscard]] std::uint32_t operator()(std::int16_t value) const {
    const std::uint32_t limit = static_cast<std::uint32_t>(max_value(bits));
    const std::uint32_t magnitude = std::min(magnitude_of(value) >> shift, limit);
    return value < 0 ? 0U - magnitude : magnitude;  // two's complement
  }
};

Quantiser quantiser_for(std::uint32_t largest, int exponent, std::uint32_t bits) {
  const auto limit = static_cast<std::uint32_t>(max_value(bits));
  const auto most = static_cast<std::uint32_t>(kMaxDeltaExponent - exponent);
  std::uint32_t shift = 0;
  while (shift < most && largest >> shift > limit) ++shift;
  return {bits, shift};
}

/// What the first walk over the kept elements finds out for the second.
struct Survey {
  RiceCost cost;
  std::uint32_t largest = 0;
};

Survey survey(std::span<const std::int16_t> values, const Selection& selection) {
  Survey result;
  std::uint32_t next_index = 0;
  for_each_kept(values, selection, [&](std::uint32_t index, std::int16_t value) {
    result.cost.add(index - next_index);
    next_index = index + 1;
    result.largest = std::max(result.largest, magnitude_of(value));
  });
  return result;
}

void write_header(MutableBytes out, std::uint32_t count, int exponent, std::uint32_t bits,
                  std::uint32_t rice_parameter) {
  out[0] = static_cast<std::uint8_t>(kFormatVersion << 4 | (bits - 1));
  out[1] = static_cast<std::uint8_t>(-exponent);
  out[2] = static_cast<std::uint8_t>(rice_parameter);
  std::size_t position = 3;
  for (; count >= 128; count >>= 7) {
    out[position++] = static_cast<std::uint8_t>(count | 0x80U);
  }
  out[position] = static_cast<std::uint8_t>(count);
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

Result<Compressed> compress(const Noised& update, const Options& options, MutableBytes out) {
  const Delta& delta = update.delta();
  const std::span<const std::int16_t> values = delta.values;
  if (values.size() > kMaxParameters ||
      !is_valid(static_cast<std::uint32_t>(values.size()), options)) {
    return Status::kInvalidArgument;
  }
  const Selection selection = select_top_k(values, options.keep_count);
  const auto [cost, largest] = survey(values, selection);
  const std::uint32_t rice_parameter = cost.best_parameter();
  const std::uint32_t entry_bits =
      options.keep_count * options.value_bits + cost.bits(rice_parameter);
  const std::size_t front_bytes = header_bytes(options.keep_count);
  const std::size_t size_bytes = front_bytes + (entry_bits + 7) / 8;
  if (size_bytes > out.size()) return Status::kNoMemory;

  const Quantiser quantise = quantiser_for(largest, delta.exponent, options.value_bits);
  write_header(out, options.keep_count, delta.exponent + static_cast<int>(quantise.shift),
               options.value_bits, rice_parameter);
  const MutableBytes entries = out.subspan(front_bytes, size_bytes - front_bytes);
  SKEP_TRY(write_entries(values, selection, quantise, rice_parameter, BitWriter(entries)));
  return Compressed(out.first(size_bytes), delta.sample_count);
}

}  // namespace skep::compress

#include "skep/compress/decoder.h"

#include <algorithm>

#include "hadamard.h"
#include "mask.h"
#include "scale.h"
#include "skep/core/bit_io.h"
#include "skep/core/little_endian.h"
#include "sparse_decoder.h"

namespace skep::compress {
namespace {

std::uint64_t sum_of_squares(std::span<const std::int32_t> values) {
  std::uint64_t sum = 0;
  for (const std::int64_t value : values) sum += static_cast<std::uint64_t>(value * value);
  return sum;
}

Result<Decoded> decode_sparse(Bytes bytes, const Options& options, std::span<std::int32_t> values) {
  SKEP_ASSIGN_OR_RETURN(
      SparseDecoder decoder,
      SparseDecoder::open(bytes, static_cast<std::uint32_t>(values.size()), options));
  std::ranges::fill(values, 0);
  std::uint32_t index = 0;
  std::int32_t value = 0;
  for (;;) {
    SKEP_ASSIGN_OR_RETURN(const bool more, decoder.next(index, value));
    if (!more) break;
    values[index] = value;
  }
  return Decoded{decoder.header().exponent, decoder.header().scale, sum_of_squares(values)};
}

/// The header of int8, EDEN and random-K, whose lengths are known beforehand.
Result<Decoded> read_scaled_header(Bytes bytes, std::uint32_t dimension, const Options& options) {
  SKEP_TRY(check_format(bytes, options.mode));
  if (bytes.size() != max_compressed_bytes(dimension, options)) return Status::kMalformed;
  const Decoded header{kMaxDeltaExponent - bytes[1], load_u16(bytes.data() + 2), 0};
  if ((bytes[0] & 0x0FU) != 0 || header.exponent < kMinDeltaExponent) return Status::kMalformed;
  const auto is_set = [](std::uint8_t byte) { return byte != 0; };
  if (header.scale == 0 && std::ranges::any_of(bytes.subspan(kScaledHeaderBytes), is_set)) {
    return Status::kMalformed;
  }
  return header;
}

Status read_int8(Bytes codes, std::span<std::int32_t> values) {
  for (std::size_t i = 0; i < values.size(); ++i) {
    SKEP_ASSIGN_OR_RETURN(values[i], to_value(codes[i], 8));
  }
  return Status::kOk;
}

Status read_random_k(Bytes codes, const Options& options, std::span<std::int32_t> values) {
  Mask mask(static_cast<std::uint32_t>(values.size()), options.keep_count, options.seed);
  BitReader reader(codes);
  std::ranges::fill(values, 0);
  for (std::uint32_t i = 0; i < options.keep_count; ++i) {
    std::uint32_t code = 0;
    SKEP_TRY(reader.read(options.value_bits, code));
    SKEP_ASSIGN_OR_RETURN(values[mask.next()], to_value(code, options.value_bits));
  }
  return reader.check_end();
}

/// `padded`: as long as the transform.
void read_eden(Bytes signs, const Options& options, std::span<std::int32_t> padded) {
  for (std::size_t i = 0; i < padded.size(); ++i) {
    padded[i] = (signs[i / 8] >> (7 - i % 8) & 1U) != 0 ? -1 : 1;
  }
  transform_exactly(padded);
  for (std::uint32_t i = 0; i < padded.size(); ++i) {
    if ((random_signs(options.seed, i / 32) >> (i % 32) & 1U) != 0) padded[i] = -padded[i];
  }
}

Result<Decoded> decode_scaled(Bytes bytes, std::uint32_t dimension, const Options& options,
                              std::span<std::int32_t> values) {
  SKEP_ASSIGN_OR_RETURN(Decoded decoded, read_scaled_header(bytes, dimension, options));
  const Bytes content = bytes.subspan(kScaledHeaderBytes);
  const std::span<std::int32_t> elements = values.first(dimension);
  if (options.mode == CompressionMode::kInt8) {
    SKEP_TRY(read_int8(content, elements));
  } else if (options.mode == CompressionMode::kRandomK) {
    SKEP_TRY(read_random_k(content, options, elements));
  } else {
    read_eden(content, options, values.first(padded_dimension(dimension)));
  }
  decoded.sum_of_squares = sum_of_squares(elements);
  return decoded;
}

}  // namespace

Result<Decoded> decode(Bytes bytes, std::uint32_t dimension, const Options& options,
                       std::span<std::int32_t> values) {
  if (!is_valid(dimension, options) || values.size() < decoded_elements(dimension, options.mode)) {
    return Status::kInvalidArgument;
  }
  return has_error_feedback(options.mode) ? decode_sparse(bytes, options, values.first(dimension))
                                          : decode_scaled(bytes, dimension, options, values);
}

bool norm_at_most(const Decoded& delta, Norm bound) {
  return norm_at_most(delta.sum_of_squares, Scale{delta.scale, delta.exponent}, bound);
}

}  // namespace skep::compress

#include "skep/compress/compressor.h"

#include <algorithm>

#include "encoders.h"
#include "skep/core/little_endian.h"
#include "skep/core/prng.h"

namespace skep::compress {
namespace {

Result<std::size_t> encode(const Delta& delta, const Options& options, MutableBytes out,
                           std::span<std::int16_t> scratch) {
  switch (options.mode) {
    case CompressionMode::kTopK:
    case CompressionMode::kTernary:
      return encode_sparse(delta, options, out);
    case CompressionMode::kInt8:
      return encode_int8(delta, options, out);
    case CompressionMode::kEden:
      return encode_eden(delta, options, out, scratch);
    case CompressionMode::kRandomK:
      return encode_random_k(delta, options, out);
  }
  return Status::kInvalidArgument;
}

}  // namespace

std::uint32_t public_seed(std::uint32_t round, Bytes base_digest, const char* device) {
  std::uint32_t seed = round;
  for (const std::uint8_t byte : base_digest) seed = mix_seed(seed, byte);
  for (; *device != '\0'; ++device) seed = mix_seed(seed, static_cast<std::uint8_t>(*device));
  return seed;
}

void write_scaled_header(MutableBytes encoded, const Options& options, const Scale& scale,
                         std::uint64_t sum_of_squares) {
  const Scale fitting = bounded(scale, sum_of_squares, options.max_norm);
  if (fitting.mantissa == 0) std::ranges::fill(encoded, std::uint8_t{0});
  encoded[0] = format_byte(options.mode, 0);
  encoded[1] = static_cast<std::uint8_t>(-fitting.exponent);
  store_u16(encoded.data() + 2, static_cast<std::uint16_t>(fitting.mantissa));
}

Result<Compressed> compress(const Noised& update, const Options& options, MutableBytes out,
                            std::span<std::int16_t> scratch) {
  const Delta& delta = update.delta();
  if (delta.values.size() > kMaxParameters ||
      !is_valid(static_cast<std::uint32_t>(delta.values.size()), options)) {
    return Status::kInvalidArgument;
  }
  SKEP_ASSIGN_OR_RETURN(const std::size_t size_bytes, encode(delta, options, out, scratch));
  return Compressed(out.first(size_bytes), delta.sample_count);
}

}  // namespace skep::compress

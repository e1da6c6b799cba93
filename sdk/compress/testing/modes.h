// Every mode there is, and the whole way of a delta through one of them.
#pragma once

#include <cmath>
#include <cstdint>
#include <span>
#include <vector>

#include "deltas.h"
#include "skep/compress/compressor.h"
#include "skep/compress/decoder.h"

namespace skep::compress::testing {

inline constexpr CompressionMode kModes[] = {CompressionMode::kTopK, CompressionMode::kTernary,
                                             CompressionMode::kInt8, CompressionMode::kEden,
                                             CompressionMode::kRandomK};

/// Valid for the dimension; a third of the elements and 10 bits where the mode has them.
inline Options options_of(CompressionMode mode, std::uint32_t dimension, std::uint32_t seed = 1,
                          Norm max_norm = Norm{UINT32_MAX}) {
  const Compression plan{mode, static_cast<std::uint16_t>(has_keep_count(mode) ? 334 : 0),
                         static_cast<std::uint8_t>(has_value_bits(mode) ? 10 : 0)};
  return options_for(plan, dimension, seed, max_norm);
}

inline rc::Gen<Options> any_options_of_any_mode(std::size_t dimension) {
  return rc::gen::exec([dimension] {
    Options options = *any_options(dimension);
    options.mode =
        *rc::gen::elementOf(std::vector<CompressionMode>(std::begin(kModes), std::end(kModes)));
    if (!has_keep_count(options.mode)) options.keep_count = 0;
    if (!has_value_bits(options.mode)) options.value_bits = 0;
    options.seed = *rc::gen::arbitrary<std::uint32_t>();
    options.max_norm = {(*rc::gen::resize(rc::kNominalSize, rc::gen::arbitrary<std::uint32_t>()) >>
                         *in_range(0, 32)) |
                        1U};
    return options;
  });
}

/// Empty if compress() refuses.
inline std::vector<std::uint8_t> encoded(const Noised& update, const Options& options) {
  const auto dimension = static_cast<std::uint32_t>(update.delta().values.size());
  std::vector<std::uint8_t> out(max_compressed_bytes(dimension, options));
  std::vector<std::int16_t> scratch(scratch_elements(dimension, options.mode));
  const Result<Compressed> sent = compress(update, options, out, scratch);
  out.resize(sent.ok() ? sent->bytes().size() : 0);
  return out;
}

struct Dense {
  Status status;
  Decoded header;
  std::vector<std::int32_t> values;

  [[nodiscard]] double unit() const { return std::ldexp(header.scale, header.exponent); }
  [[nodiscard]] double operator[](std::size_t i) const { return values[i] * unit(); }
};

inline Dense decode_dense(Bytes bytes, std::uint32_t dimension, const Options& options) {
  Dense dense{
      Status::kOk, {}, std::vector<std::int32_t>(decoded_elements(dimension, options.mode))};
  const Result<Decoded> decoded = decode(bytes, dimension, options, dense.values);
  dense.status = decoded.status();
  if (decoded.ok()) dense.header = *decoded;
  dense.values.resize(dimension);
  return dense;
}

}  // namespace skep::compress::testing

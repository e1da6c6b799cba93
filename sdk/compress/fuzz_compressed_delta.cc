// What a device put into Update.delta, decrypted: from anyone who is enrolled.
//
// The first two bytes are the model's dimension (little endian, plus one), the rest the delta. It
// is read as the mode that its first byte names, with what the delta itself says of the options;
// where it says nothing, K is a twentieth, values have 9 bits, and the seed is the dimension.
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "reference_scaled_testing.h"
#include "reference_sparse_testing.h"
#include "skep/compress/decoder.h"

namespace {

using namespace skep;
using namespace skep::compress;

void require(bool condition, const char* what) {
  if (condition) return;
  std::fprintf(stderr, "violated: %s\n", what);
  std::abort();
}

Options options_for_reading(Bytes bytes, std::uint32_t dimension) {
  const std::uint32_t count = dimension / 20 + 1;
  const std::uint32_t format = bytes.empty() ? 1 : bytes[0] >> 4;
  if (format < 3 || format > 5) return compress::testing::options_in(bytes, dimension, count);
  const auto mode = static_cast<CompressionMode>(format);
  return {.keep_count = has_keep_count(mode) ? count : 0,
          .value_bits = static_cast<std::uint8_t>(has_value_bits(mode) ? 9 : 0),
          .mode = mode,
          .seed = dimension,
          .max_norm = Norm{1}};
}

void check_sparse(Bytes bytes, std::uint32_t dimension, const Options& options) {
  const auto decoded = compress::testing::decode(bytes, dimension, options);
  require(decoded.status == Status::kOk, "decode() and SparseDecoder agree");
  require(decoded.content.entries.size() == options.keep_count, "count is the entries'");
  std::uint64_t next_index = 0;
  for (const auto& entry : decoded.content.entries) {
    require(entry.index >= next_index && entry.index < dimension, "indices rise below dimension");
    next_index = entry.index + 1U;
  }
  const std::vector<std::uint8_t> again = compress::testing::encode(decoded.content);
  require(std::equal(again.begin(), again.end(), bytes.begin(), bytes.end()),
          "there is one encoding");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const std::uint32_t dimension = data[0] + 256U * data[1] + 1;
  const Bytes bytes(data + 2, size - 2);
  const Options options = options_for_reading(bytes, dimension);
  std::vector<std::int32_t> values(decoded_elements(dimension, options.mode));
  const Result<Decoded> decoded = decode(bytes, dimension, options, values);
  if (!decoded.ok()) return 0;
  if (has_error_feedback(options.mode)) {
    check_sparse(bytes, dimension, options);
    return 0;
  }
  // The reference's transform takes n² steps.
  if (options.mode == CompressionMode::kEden && dimension > 256) return 0;
  const auto again = compress::testing::encode_scaled(options, *decoded, values);
  require(std::equal(again.begin(), again.end(), bytes.begin(), bytes.end()),
          "there is one encoding");
  return 0;
}

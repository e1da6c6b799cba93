// What a device put into Update.delta, decrypted: from anyone who is enrolled.
//
// The first two bytes are the model's dimension (little endian, plus one), the rest the delta.
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "skep/compress/decoder.h"
#include "testing/reference_codec.h"

namespace {

void require(bool condition, const char* what) {
  if (condition) return;
  std::fprintf(stderr, "violated: %s\n", what);
  std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace skep;
  using namespace skep::compress;
  if (size < 2) return 0;
  const std::uint32_t dimension = data[0] + 256U * data[1] + 1;
  const Bytes bytes(data + 2, size - 2);

  const Result<Summary> summary = inspect(bytes, dimension);
  const compress::testing::Decoded decoded = compress::testing::decode(bytes, dimension);
  require(summary.status() == decoded.status, "inspect() and Decoder agree");
  if (!summary.ok()) return 0;
  require(summary->header.count == decoded.content.entries.size(), "count is the entries'");
  std::uint64_t next_index = 0;
  for (const auto& entry : decoded.content.entries) {
    require(entry.index >= next_index && entry.index < dimension, "indices rise below dimension");
    require(std::abs(entry.value) <= max_value(decoded.content.value_bits), "values in range");
    next_index = entry.index + 1U;
  }
  const std::vector<std::uint8_t> again = compress::testing::encode(decoded.content);
  require(std::equal(again.begin(), again.end(), bytes.begin(), bytes.end()),
          "there is one encoding");
  return 0;
}

// GET skep/v1/model with `from`: what a device does with a patch that arrives in blocks.
//
// The first two bytes are the size of the base's weights (little endian, plus one), which count
// upwards; the rest is the patch, for base version 19.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "skep/wire/codec.h"
#include "skep/wire/patch_reader.h"
#include "skep/wire/weights_difference.h"
#include "testing/reference_difference.h"

namespace skep::wire {
namespace {

using Buffer = std::vector<std::uint8_t>;

constexpr std::uint32_t kBaseVersion = 19;
constexpr std::size_t kBlockBytes = 48;
constexpr std::size_t kWindowBytes = 64;

void require(bool condition, const char* what) {
  if (condition) return;
  std::fprintf(stderr, "violated: %s\n", what);
  std::abort();
}

struct Applied {
  bool is_good = false;
  Buffer target;
};

bool apply(DifferenceDecoder& decoder, Bytes coded, const Buffer& base, Buffer& target) {
  for (;;) {
    const std::size_t at = decoder.position();
    const std::size_t length = std::min(kWindowBytes, base.size() - at);
    Buffer window(base.begin() + static_cast<std::ptrdiff_t>(at),
                  base.begin() + static_cast<std::ptrdiff_t>(at + length));
    const Result<std::uint32_t> done = decoder.decode(coded, window);
    if (!done.ok()) return false;
    target.insert(target.end(), window.begin(), window.begin() + *done);
    if (*done == 0) return coded.empty();
  }
}

Applied apply_in_blocks(Bytes patch, const Buffer& base) {
  PatchReader reader(kBaseVersion, static_cast<std::uint32_t>(base.size()));
  DifferenceDecoder decoder(static_cast<std::uint32_t>(base.size()));
  Applied applied;
  while (!patch.empty()) {
    Bytes rest = patch.first(std::min(kBlockBytes, patch.size()));
    patch = patch.subspan(rest.size());
    while (!rest.empty()) {
      const Result<PatchReader::Piece> piece = reader.next(rest);
      if (!piece.ok()) return applied;
      if (piece->is_difference && !apply(decoder, piece->bytes, base, applied.target)) {
        return applied;
      }
    }
  }
  applied.is_good = reader.finish() == Status::kOk && decoder.finish() == Status::kOk;
  return applied;
}

void check(Bytes patch, const Buffer& base) {
  const Applied applied = apply_in_blocks(patch, base);
  require(applied.target.size() <= base.size(), "a patch never makes more than its base has");
  const Result<ModelPatch> message = decode_model_patch(patch);
  const bool is_message = message.ok() && message->base_version == kBaseVersion;
  const auto expected =
      is_message ? testing::decode_strictly(message->difference, base) : std::nullopt;
  require(applied.is_good == expected.has_value(), "there is one encoding, and it is accepted");
  if (expected) require(applied.target == expected->target, "both decoders make the same weights");
}

}  // namespace
}  // namespace skep::wire

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  std::vector<std::uint8_t> base(data[0] + 256U * data[1] + 1);
  for (std::size_t i = 0; i < base.size(); ++i) base[i] = static_cast<std::uint8_t>(i);
  skep::wire::check({data + 2, size - 2}, base);
  return 0;
}

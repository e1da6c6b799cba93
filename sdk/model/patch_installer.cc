#include "skep/model/patch_installer.h"

#include <algorithm>
#include <array>

namespace skep::model {
namespace {

constexpr std::uint32_t kChunkBytes = 64;

}  // namespace

PatchInstaller::PatchInstaller(ModelSlots& slots)
    : slots_(slots),
      reader_(slots.current()->version, slots.current()->weights.size_bytes()),
      decoder_(slots.current()->weights.size_bytes()) {}

Status PatchInstaller::append(Bytes data) {
  while (!data.empty()) {
    SKEP_ASSIGN_OR_RETURN(const wire::PatchReader::Piece piece, reader_.next(data));
    if (piece.is_difference) {
      SKEP_TRY(apply(piece.bytes));
    } else {
      const auto length = static_cast<std::uint32_t>(piece.bytes.size());
      SKEP_TRY(slots_.append(reader_.head_bytes() - length, piece.bytes));
    }
  }
  return Status::kOk;
}

Status PatchInstaller::apply(Bytes coded) {
  const FlashSource& base = slots_.current()->weights;
  const std::uint32_t head_bytes = reader_.head_bytes();
  SKEP_TRY(slots_.lower_package_bytes(head_bytes + base.size_bytes()));
  std::array<std::uint8_t, kChunkBytes> memory;
  for (;;) {
    const std::uint32_t position = decoder_.position();
    const auto chunk =
        MutableBytes(memory).first(std::min(kChunkBytes, base.size_bytes() - position));
    SKEP_TRY(base.read(position, chunk));
    SKEP_ASSIGN_OR_RETURN(const std::uint32_t done, decoder_.decode(coded, chunk));
    if (done == 0) break;
    SKEP_TRY(slots_.append(head_bytes + position, chunk.first(done)));
  }
  // With room for any value it stops for want of input, or at the end.
  return coded.empty() ? Status::kOk : Status::kMalformed;
}

Status PatchInstaller::finish() const {
  SKEP_TRY(reader_.finish());
  return decoder_.finish();
}

}  // namespace skep::model

#include "emulated_flash.h"

#include <algorithm>
#include <cstring>

#include "skep/core/prng.h"

namespace skep::firmware_test {

void make_blank(FlashCells& cells) {
  cells.bytes.fill(0xFF);
  cells.touched.fill(0);
}

void EmulatedFlash::cut_at(std::uint32_t operation, Tear tear, PowerFails power_fails) {
  operations_ = 0;
  cut_at_ = operation;
  tear_ = tear;
  power_fails_ = power_fails;
}

void EmulatedFlash::fail_from(std::uint32_t operation) {
  operations_ = 0;
  fail_from_ = operation;
}

void EmulatedFlash::make_unreadable(std::uint32_t begin, std::uint32_t end) {
  unreadable_begin_ = begin;
  unreadable_end_ = end;
}

FlashGeometry EmulatedFlash::geometry() const {
  return {kFlashBytes, kEraseUnitBytes, program_unit_bytes_};
}

Status EmulatedFlash::read(std::uint32_t offset, MutableBytes out) {
  if (offset < unreadable_end_ && offset + out.size() > unreadable_begin_) {
    return Status::kStorageFailed;
  }
  if (!out.empty()) std::memcpy(out.data(), &cells_.bytes[offset], out.size());
  return Status::kOk;
}

Status EmulatedFlash::begin_operation() {
  ++operations_;
  const bool fails = fail_from_ != 0 && operations_ >= fail_from_;
  return fails ? Status::kStorageFailed : Status::kOk;
}

Status EmulatedFlash::program(std::uint32_t offset, Bytes data) {
  SKEP_TRY(begin_operation());
  for (std::uint32_t word = offset / 4; word < (offset + data.size()) / 4; ++word) {
    if (cells_.touched[word] != 0) ++violations_;
    cells_.touched[word] = 1;
  }
  change(offset, static_cast<std::uint32_t>(data.size()), data.data());
  return Status::kOk;
}

Status EmulatedFlash::erase_unit(std::uint32_t offset) {
  SKEP_TRY(begin_operation());
  static constexpr auto kErased = [] {
    std::array<std::uint8_t, kEraseUnitBytes> bytes{};
    bytes.fill(0xFF);
    return bytes;
  }();
  std::fill_n(&cells_.touched[offset / 4], kEraseUnitBytes / 4,
              static_cast<std::uint8_t>(is_cut() ? 1 : 0));
  change(offset, kEraseUnitBytes, kErased.data());
  return Status::kOk;
}

// Brings cells to `target`: all of them, or, when the power fails meanwhile, what its tear leaves.
// Programming clears bits only; an erase, whose target is all ones, sets them.
void EmulatedFlash::change(std::uint32_t offset, std::uint32_t length, const std::uint8_t* target) {
  const bool is_erase =
      length == kEraseUnitBytes && target[0] == 0xFF && target[length - 1] == 0xFF;
  Xorshift32 random(operations_ * 8 + static_cast<std::uint32_t>(tear_) + 1);
  const std::uint32_t prefix = random.next() % length;
  for (std::uint32_t i = 0; i < length; ++i) {
    std::uint8_t& cell = cells_.bytes[offset + i];
    const std::uint32_t after = is_erase ? 0xFFU : cell & std::uint32_t{target[i]};
    std::uint32_t done = 0xFF;  // which of the changing bits do change
    if (is_cut()) {
      const std::uint32_t some = random.next() >> 24U;
      if (tear_ == Tear::kNothing) done = 0;
      if (tear_ == Tear::kPrefix) done = i < prefix ? 0xFF : i == prefix ? some : 0;
      if (tear_ == Tear::kRandomBits) done = some;
    }
    cell = static_cast<std::uint8_t>(cell ^ ((cell ^ after) & done));
  }
  if (is_cut()) power_fails_();
}

}  // namespace skep::firmware_test

// Where on the flash the log, the two model slots and the pending update lie.
#pragma once

#include <bit>
#include <cstdint>

#include "skep/core/record_log.h"
#include "skep/platform.h"
#include "skep/status.h"

namespace skep::model {

/// A part of a Storage; both numbers are multiples of the erase unit.
struct FlashRegion {
  std::uint32_t offset;
  std::uint32_t size_bytes;
};

/// Regions in this order from offset 0, without gaps. It is a function of the geometry and the
/// two sizes alone, so a firmware that changes a size finds none of the old content.
struct StorageLayout {
  LogRegion log;
  FlashRegion slot_a;
  FlashRegion slot_b;
  FlashRegion pending_update;
  std::uint32_t used_bytes;  ///< End of the last region, ≤ the geometry's size.
};

/// Smallest bank of the log: holds the SDK's records and some hundred changes between erases.
inline constexpr std::uint32_t kLogBankBytes = 2048;
inline constexpr std::uint32_t kLogBankCount = 2;

/// Lays out storage for packages of at most `package_bytes_max` and sealed updates of at most
/// `update_bytes_max`. A constant expression: a board can static_assert that its flash suffices.
///
/// Errors: kInvalidArgument if a size is 0 or the geometry is not one that FlashGeometry allows;
/// kTooLarge if the storage is too small for them (see layout_bytes()).
[[nodiscard]] constexpr Result<StorageLayout> make_layout(const FlashGeometry& geometry,
                                                          std::uint32_t package_bytes_max,
                                                          std::uint32_t update_bytes_max);

/// Storage in bytes that make_layout() needs, for the second number of an error message.
///
/// Errors: kInvalidArgument as make_layout(); kTooLarge if it is 4 GiB or more.
[[nodiscard]] constexpr Result<std::uint32_t> layout_bytes(const FlashGeometry& geometry,
                                                           std::uint32_t package_bytes_max,
                                                           std::uint32_t update_bytes_max);

// ---- implementation

namespace detail {

constexpr bool is_valid(const FlashGeometry& geometry) {
  return std::has_single_bit(geometry.erase_unit_bytes) &&
         std::has_single_bit(geometry.program_unit_bytes) && geometry.program_unit_bytes <= 32 &&
         geometry.program_unit_bytes <= geometry.erase_unit_bytes && geometry.size_bytes != 0 &&
         geometry.size_bytes % geometry.erase_unit_bytes == 0;
}

constexpr std::uint64_t round_up(std::uint64_t size, std::uint32_t unit) {
  return (size + unit - 1) / unit * unit;
}

}  // namespace detail

constexpr Result<std::uint32_t> layout_bytes(const FlashGeometry& geometry,
                                             std::uint32_t package_bytes_max,
                                             std::uint32_t update_bytes_max) {
  if (!detail::is_valid(geometry) || package_bytes_max == 0 || update_bytes_max == 0) {
    return Status::kInvalidArgument;
  }
  const std::uint32_t unit = geometry.erase_unit_bytes;
  const std::uint64_t total = kLogBankCount * detail::round_up(kLogBankBytes, unit) +
                              2 * detail::round_up(package_bytes_max, unit) +
                              detail::round_up(update_bytes_max, unit);
  if (total > UINT32_MAX) return Status::kTooLarge;
  return static_cast<std::uint32_t>(total);
}

constexpr Result<StorageLayout> make_layout(const FlashGeometry& geometry,
                                            std::uint32_t package_bytes_max,
                                            std::uint32_t update_bytes_max) {
  const auto total = layout_bytes(geometry, package_bytes_max, update_bytes_max);
  if (!total.ok()) return total.status();
  if (*total > geometry.size_bytes) return Status::kTooLarge;

  // Every region fits, so no sum or rounding below leaves 32 bits.
  const std::uint32_t unit = geometry.erase_unit_bytes;
  const auto units = [unit](std::uint32_t size) {
    return static_cast<std::uint32_t>(detail::round_up(size, unit));
  };
  StorageLayout layout{};
  layout.log = {0, units(kLogBankBytes), kLogBankCount};
  layout.slot_a = {layout.log.bank_bytes * layout.log.bank_count, units(package_bytes_max)};
  layout.slot_b = {layout.slot_a.offset + layout.slot_a.size_bytes, layout.slot_a.size_bytes};
  layout.pending_update = {layout.slot_b.offset + layout.slot_b.size_bytes,
                           units(update_bytes_max)};
  layout.used_bytes = *total;
  return layout;
}

}  // namespace skep::model

#include "flash_parts.h"

#include <array>

#include "skep/bytes.h"

namespace skep::port_baremetal {

FlashGeometry FlashPart::geometry() const {
  FlashGeometry geometry = flash_.geometry();
  geometry.size_bytes = size_bytes_;
  return geometry;
}

Status FlashPart::read(std::uint32_t offset, MutableBytes out) {
  return flash_.read(offset_ + offset, out);
}

Status FlashPart::program(std::uint32_t offset, Bytes data) {
  return flash_.program(offset_ + offset, data);
}

Status FlashPart::erase_unit(std::uint32_t offset) { return flash_.erase_unit(offset_ + offset); }

// The flash holds little-endian numbers, and so does every Cortex-M: they are read in place.
Status FlashSamples::read(std::uint32_t index, std::span<std::int16_t> features,
                          std::uint16_t& label) {
  if (index >= provisioning_.sample_count || features.size() != provisioning_.feature_count) {
    return Status::kInvalidArgument;
  }
  const std::uint32_t offset = provisioning_.samples_offset + index * provisioning_.sample_bytes();
  const std::uint32_t feature_bytes = provisioning_.feature_count * 2;
  SKEP_TRY(flash_.read(offset, {reinterpret_cast<std::uint8_t*>(features.data()), feature_bytes}));
  std::array<std::uint8_t, 2> bytes;
  SKEP_TRY(flash_.read(offset + feature_bytes, bytes));
  label = static_cast<std::uint16_t>(bytes[0] | bytes[1] << 8U);
  return Status::kOk;
}

}  // namespace skep::port_baremetal

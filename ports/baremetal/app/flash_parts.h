// The parts of a provisioned flash as the SDK sees them.
#pragma once

#include <cstdint>
#include <span>

#include "skep/platform.h"
#include "skep/port_baremetal/provisioning.h"
#include "skep/port_baremetal/raw_flash.h"

namespace skep::port_baremetal {

/// Erase units in the middle of a flash, as a flash of their own. Offsets are checked by
/// FlashStorage.
class FlashPart final : public RawFlash {
 public:
  /// `flash` outlives the object; the part lies inside of it and begins at an erase unit.
  FlashPart(RawFlash& flash, std::uint32_t offset, std::uint32_t size_bytes)
      : flash_(flash), offset_(offset), size_bytes_(size_bytes) {}

  [[nodiscard]] FlashGeometry geometry() const override;
  Status read(std::uint32_t offset, MutableBytes out) override;
  Status program(std::uint32_t offset, Bytes data) override;
  Status erase_unit(std::uint32_t offset) override;

 private:
  RawFlash& flash_;
  std::uint32_t offset_;
  std::uint32_t size_bytes_;
};

/// The samples of a provisioned flash, read one at a time.
class FlashSamples final : public SampleSource {
 public:
  /// Both outlive the object.
  FlashSamples(RawFlash& flash, const Provisioning& provisioning)
      : flash_(flash), provisioning_(provisioning) {}

  [[nodiscard]] std::uint32_t count() override { return provisioning_.sample_count; }
  Status read(std::uint32_t index, std::span<std::int16_t> features, std::uint16_t& label) override;

 private:
  RawFlash& flash_;
  const Provisioning& provisioning_;
};

}  // namespace skep::port_baremetal

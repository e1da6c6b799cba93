// What is written to a board's flash before its first start: who the device is, its samples, its
// network. tools/firmware/provision.cc writes it on a host, the firmware reads it.
//
//   offset 0            header: the struct below, little endian, with a checksum
//   credentials_offset  an encoded wire::DeviceCredentials, as `skepctl device add` made it
//   samples_offset      samples one after the other: features int16, then the label uint16
//   storage_offset      the rest: the device's own (models, pending update, log, wear counts)
//
// Each part begins at an erase unit, so the device erases none that it did not write.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "skep/bytes.h"
#include "skep/platform.h"
#include "skep/status.h"

namespace skep::port_baremetal {

struct Provisioning {
  std::uint32_t credentials_offset = 0;
  std::uint32_t credentials_bytes = 0;
  std::uint32_t samples_offset = 0;
  std::uint32_t sample_count = 0;
  std::uint32_t feature_count = 0;
  std::uint32_t storage_offset = 0;
  std::uint32_t storage_bytes = 0;

  // IPv4 addresses as their bytes appear on the wire. The gateway's replaces the one in the
  // credentials, which may be that of another network (or a name of the loopback).
  std::array<std::uint8_t, 4> address{};
  std::array<std::uint8_t, 4> netmask{};
  std::array<std::uint8_t, 4> router{};
  std::array<std::uint8_t, 4> gateway{};
  std::uint32_t gateway_port = 0;

  // As in skep::DeviceConfig and transport::CoapTiming.
  std::uint32_t training_seed = 0;
  std::uint32_t refresh_ms = 60'000;
  std::uint32_t answer_timeout_ms = 120'000;
  std::uint32_t backoff_first_ms = 1'000;
  std::uint32_t backoff_longest_ms = 300'000;
  std::uint32_t ack_timeout_ms = 2'000;

  [[nodiscard]] std::uint32_t sample_bytes() const { return (feature_count + 1) * 2; }
};

inline constexpr std::size_t kProvisioningBytes = 96;

/// Writes the header. Errors: kNoMemory if `out` is smaller than kProvisioningBytes.
Status encode(const Provisioning& provisioning, MutableBytes out);

/// Reads a header for a flash of this geometry.
///
/// Errors: kNotFound if there is none (an erased flash); kUnsupportedVersion; kMalformed if the
/// checksum is wrong or a part is not inside of the flash or not at an erase unit.
[[nodiscard]] Result<Provisioning> decode_provisioning(Bytes bytes, const FlashGeometry& flash);

}  // namespace skep::port_baremetal

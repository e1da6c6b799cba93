#include "skep/port_baremetal/provisioning.h"

#include <algorithm>

#include "skep/core/crc32.h"
#include "skep/core/little_endian.h"

namespace skep::port_baremetal {
namespace {

constexpr std::array<std::uint8_t, 8> kMagic = {'S', 'K', 'E', 'P', 'P', 'R', 'O', 'V'};
constexpr std::uint32_t kVersion = 1;
constexpr std::size_t kVersionOffset = kMagic.size();
constexpr std::size_t kFieldsOffset = kVersionOffset + 4;
constexpr std::size_t kChecksumOffset = kProvisioningBytes - 4;

// The fields in the order of the flash. One list for both directions.
template <typename Header, typename Number, typename Address>
void visit(Header& header, Number number, Address address) {
  number(header.credentials_offset);
  number(header.credentials_bytes);
  number(header.samples_offset);
  number(header.sample_count);
  number(header.feature_count);
  number(header.storage_offset);
  number(header.storage_bytes);
  address(header.address);
  address(header.netmask);
  address(header.router);
  address(header.gateway);
  number(header.gateway_port);
  number(header.training_seed);
  number(header.refresh_ms);
  number(header.answer_timeout_ms);
  number(header.backoff_first_ms);
  number(header.backoff_longest_ms);
  number(header.ack_timeout_ms);
}

bool is_part(std::uint64_t offset, std::uint64_t size_bytes, const FlashGeometry& flash) {
  return offset >= kProvisioningBytes && offset % flash.erase_unit_bytes == 0 &&
         offset + size_bytes <= flash.size_bytes;
}

bool is_inside(const Provisioning& header, const FlashGeometry& flash) {
  constexpr std::uint32_t kMostFeatures = UINT16_MAX;
  return header.feature_count >= 1 && header.feature_count <= kMostFeatures &&
         header.gateway_port >= 1 && header.gateway_port <= UINT16_MAX &&
         is_part(header.credentials_offset, header.credentials_bytes, flash) &&
         is_part(header.samples_offset, std::uint64_t{header.sample_count} * header.sample_bytes(),
                 flash) &&
         is_part(header.storage_offset, header.storage_bytes, flash) &&
         header.storage_bytes % flash.erase_unit_bytes == 0;
}

}  // namespace

Status encode(const Provisioning& provisioning, MutableBytes out) {
  if (out.size() < kProvisioningBytes) return Status::kNoMemory;
  std::fill_n(out.begin(), kProvisioningBytes, std::uint8_t{0});
  std::ranges::copy(kMagic, out.begin());
  store_u32(out.data() + kVersionOffset, kVersion);
  std::uint8_t* cursor = out.data() + kFieldsOffset;
  visit(
      provisioning,
      [&](std::uint32_t value) {
        store_u32(cursor, value);
        cursor += 4;
      },
      [&](const auto& address) { cursor = std::ranges::copy(address, cursor).out; });
  store_u32(out.data() + kChecksumOffset, crc32(Bytes(out).first(kChecksumOffset)));
  return Status::kOk;
}

Result<Provisioning> decode_provisioning(Bytes bytes, const FlashGeometry& flash) {
  if (bytes.size() < kProvisioningBytes ||
      !std::ranges::equal(kMagic, bytes.first(kMagic.size()))) {
    return Status::kNotFound;
  }
  if (load_u32(bytes.data() + kVersionOffset) != kVersion) return Status::kUnsupportedVersion;
  if (load_u32(bytes.data() + kChecksumOffset) != crc32(bytes.first(kChecksumOffset))) {
    return Status::kMalformed;
  }
  Provisioning result;
  const std::uint8_t* cursor = bytes.data() + kFieldsOffset;
  visit(
      result,
      [&](std::uint32_t& value) {
        value = load_u32(cursor);
        cursor += 4;
      },
      [&](auto& address) {
        std::copy_n(cursor, address.size(), address.begin());
        cursor += address.size();
      });
  return is_inside(result, flash) ? Result<Provisioning>(result) : Status::kMalformed;
}

}  // namespace skep::port_baremetal

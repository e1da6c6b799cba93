#include "skep/port_zephyr/provisioned.h"

#include <zephyr/sys/byteorder.h>
#include <zephyr/sys/crc.h>

#include <algorithm>
#include <array>

namespace skep::port_zephyr {
namespace {

constexpr std::array<std::uint8_t, 4> kMagic{'S', 'K', 'P', 'B'};
constexpr std::uint16_t kVersion = 1;
constexpr std::uint32_t kChunkBytes = 64;

Result<std::uint32_t> crc_of(Storage& partition, std::uint32_t offset, std::uint32_t length) {
  std::array<std::uint8_t, kChunkBytes> chunk{};
  std::uint32_t crc = 0;
  for (std::uint32_t done = 0; done < length;) {
    const std::uint32_t take = std::min(length - done, kChunkBytes);
    SKEP_TRY(partition.read(offset + done, MutableBytes(chunk).first(take)));
    crc = crc32_ieee_update(crc, chunk.data(), take);
    done += take;
  }
  return crc;
}

}  // namespace

Result<std::uint32_t> find_provisioned(Storage& partition, ProvisionedKind kind) {
  const std::uint32_t size = partition.geometry().size_bytes;
  if (size < kProvisionedHeaderBytes) return Status::kNotFound;
  std::array<std::uint8_t, kProvisionedHeaderBytes> header{};
  SKEP_TRY(partition.read(0, header));
  if (!std::equal(kMagic.begin(), kMagic.end(), header.begin())) return Status::kNotFound;
  if (sys_get_le16(&header[6]) != kVersion) return Status::kUnsupportedVersion;
  if (sys_get_le16(&header[4]) != static_cast<std::uint16_t>(kind)) return Status::kInvalidArgument;
  const std::uint32_t length = sys_get_le32(&header[8]);
  if (length == 0 || length > size - kProvisionedHeaderBytes) return Status::kMalformed;
  SKEP_ASSIGN_OR_RETURN(const std::uint32_t crc,
                        crc_of(partition, kProvisionedHeaderBytes, length));
  if (crc != sys_get_le32(&header[12])) return Status::kBadDigest;
  return length;
}

Result<std::uint32_t> read_provisioned(Storage& partition, ProvisionedKind kind, MutableBytes out) {
  SKEP_ASSIGN_OR_RETURN(const std::uint32_t length, find_provisioned(partition, kind));
  if (length > out.size()) return Status::kNoMemory;
  SKEP_TRY(partition.read(kProvisionedHeaderBytes, out.first(length)));
  return length;
}

}  // namespace skep::port_zephyr

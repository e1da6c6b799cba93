// What the factory wrote into a partition of its own: the credentials, the samples of a demo.
//
// A partition begins with a header of 16 bytes, all integers little endian:
//   0  magic "SKPB"        4  kind, 16 bits      6  version, 16 bits: 1
//   8  content length     12  CRC-32 (IEEE) of the content
// and the content follows. ports/zephyr/tools/provision.py writes it. The CRC finds a partition
// that was written only in part; it protects against no one.
#pragma once

#include <cstdint>

#include "skep/bytes.h"
#include "skep/platform.h"
#include "skep/status.h"

namespace skep::port_zephyr {

enum class ProvisionedKind : std::uint16_t {
  kCredentials = 1,  ///< The file that `skepctl device add` made (DeviceCredentials).
  kSamples = 2,      ///< See flash_samples.h.
};

inline constexpr std::uint32_t kProvisionedHeaderBytes = 16;

/// Checks header and CRC, reading through the whole content once; returns the content's length,
/// which is ≥ 1. It begins at kProvisionedHeaderBytes.
///
/// Errors: kNotFound if the partition does not begin with the magic; kInvalidArgument if it is of
/// another kind; kUnsupportedVersion; kMalformed if the length is 0 or exceeds the partition;
/// kBadDigest; kStorageFailed.
[[nodiscard]] Result<std::uint32_t> find_provisioned(Storage& partition, ProvisionedKind kind);

/// Copies the content to `out` and returns its length.
///
/// Errors: those of find_provisioned(); kNoMemory if `out` is too small (`out` is unchanged).
[[nodiscard]] Result<std::uint32_t> read_provisioned(Storage& partition, ProvisionedKind kind,
                                                     MutableBytes out);

}  // namespace skep::port_zephyr

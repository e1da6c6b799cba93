// The SDK's own version.
#pragma once

#include <cstdint>

namespace skep {

/// major << 16 | minor << 8 | patch; compared with ModelManifest.minimum_sdk_version.
inline constexpr std::uint32_t kSdkVersion = 0U << 16U | 1U << 8U | 0U;

/// Seconds since 1970 at which this version was released: no device that runs it lives earlier.
inline constexpr std::uint64_t kSdkReleasedUnixS = 1'795'305'600;  // 2026-11-22

}  // namespace skep

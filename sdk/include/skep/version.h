// The SDK's own version.
#pragma once

#include <cstdint>

namespace skep {

/// major << 16 | minor << 8 | patch; compared with ModelManifest.minimum_sdk_version.
inline constexpr std::uint32_t kSdkVersion = 0U << 16U | 1U << 8U | 0U;

}  // namespace skep

// Compile-time bounds of the SDK. Each may be overridden on the compiler's command line; the
// bounds that the wire format fixes are in proto/skep.options and are checked against these.
#pragma once

#include <cstdint>

/// Most layers in a ModelSpec.
#ifndef SKEP_MAX_LAYERS
#define SKEP_MAX_LAYERS 24
#endif

/// Whether the engine has layers over height and width, that is convolutions and pools. 0 saves
/// about 7 KB of flash; a model that has such layers is then refused with kUnsupported.
#ifndef SKEP_CONVOLUTIONS
#define SKEP_CONVOLUTIONS 1
#endif

/// Largest number of values between two layers, and of features or classes.
#ifndef SKEP_MAX_LAYER_WIDTH
#define SKEP_MAX_LAYER_WIDTH 16384
#endif

/// Largest number of trainable parameters in a model.
#ifndef SKEP_MAX_PARAMETERS
#define SKEP_MAX_PARAMETERS 262144
#endif

/// Largest SealedUpdate, in bytes, that a device makes or a gateway accepts.
#ifndef SKEP_MAX_UPDATE_BYTES
#define SKEP_MAX_UPDATE_BYTES 65536
#endif

/// Largest ModelPackage in bytes (weights, manifest and signature).
#ifndef SKEP_MAX_PACKAGE_BYTES
#define SKEP_MAX_PACKAGE_BYTES 1048576
#endif

/// Payload of one CoAP block in bytes: 16, 32, … 1024 (RFC 7959). 512 keeps one protected
/// datagram below the 1,280 B that every IPv6 link carries, and a device's buffers small.
#ifndef SKEP_COAP_BLOCK_BYTES
#define SKEP_COAP_BLOCK_BYTES 512
#endif

namespace skep {

inline constexpr std::uint32_t kMaxLayers = SKEP_MAX_LAYERS;
inline constexpr bool kHasConvolutions = SKEP_CONVOLUTIONS != 0;
inline constexpr std::uint32_t kMaxLayerWidth = SKEP_MAX_LAYER_WIDTH;
inline constexpr std::uint32_t kMaxParameters = SKEP_MAX_PARAMETERS;
inline constexpr std::uint32_t kMaxUpdateBytes = SKEP_MAX_UPDATE_BYTES;
inline constexpr std::uint32_t kMaxPackageBytes = SKEP_MAX_PACKAGE_BYTES;
inline constexpr std::uint32_t kCoapBlockBytes = SKEP_COAP_BLOCK_BYTES;

static_assert(kMaxLayers >= 1 && kMaxLayers <= 64);
static_assert(kMaxLayerWidth <= 32767, "layer widths are stored as 16 bits, and padded in them");
static_assert(kCoapBlockBytes >= 16 && kCoapBlockBytes <= 1024 &&
                  (kCoapBlockBytes & (kCoapBlockBytes - 1)) == 0,
              "RFC 7959 knows block sizes 16, 32, ... 1024");

}  // namespace skep

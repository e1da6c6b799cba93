// The ModelPatch: a release for devices that have another version of the model.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "skep/bytes.h"
#include "skep/release/error.h"

namespace skep::release {

/// What makes the package `target` of the weights in the package `base`, with the manifest and the
/// signature of `target` as they are. None if the two models have different layers, or if the
/// patch would not be shorter than `target`. The same bytes for the same packages.
///
/// Neither signature is checked: the packages are the gateway's own.
///
/// Errors: PackageError of kMalformed, kTooLarge, kUnsupported, kUnsupportedVersion if one is not a
/// package.
std::optional<std::vector<std::uint8_t>> build_patch(Bytes base, Bytes target);

}  // namespace skep::release

// Installs a ModelPatch: the package that it stands for is made in the spare slot.
#pragma once

#include "skep/bytes.h"
#include "skep/model/model_slots.h"
#include "skep/status.h"
#include "skep/wire/patch_reader.h"
#include "skep/wire/weights_difference.h"

namespace skep::model {

/// Takes the place of ModelSlots::append() while a patch arrives instead of a package:
///
///     slots.begin_install(size) → erase_step() until true
///     PatchInstaller patch(slots) → patch.append(…) … → patch.finish() → slots.finish()
///
/// It reads the base's weights from the current slot and writes those that result to the spare one,
/// 64 bytes at a time. Nothing of a patch is believed: slots.finish() checks the signature over the
/// manifest, and the digest of the weights that came out, as of any package. A cut of the power
/// leaves what it leaves of a package that has not arrived.
///
/// No heap; 80 B; stack < 300 B. Not thread-safe.
class PatchInstaller {
 public:
  /// Requires slots.current(); the slots outlive this object.
  explicit PatchInstaller(ModelSlots& slots);

  /// Takes the patch's next bytes, of any length.
  ///
  /// Errors, after which the installation is to be cancelled: those of wire::PatchReader and
  /// wire::DifferenceDecoder (kMalformed, kUnsupportedVersion, kWrongBase if it is for another
  /// version than the current one); those of ModelSlots::append() and lower_package_bytes()
  /// (kTooLarge, kStorageFailed, kInvalidArgument if the slot is not ready or has bytes already).
  Status append(Bytes data);

  /// No more bytes follow. Errors: kMalformed if the patch is not complete.
  [[nodiscard]] Status finish() const;

 private:
  Status apply(Bytes coded);

  ModelSlots& slots_;
  wire::PatchReader reader_;
  wire::DifferenceDecoder decoder_;
};

}  // namespace skep::model

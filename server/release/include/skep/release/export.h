// Models on their way over an air gap: a folder that can be checked with one public key.
//
//   model.skep     the ModelPackage, complete by itself
//   model.onnx     the same model for other runtimes (skep/exchange/onnx_export.h)
//   metadata.json  what is in it, for people
//   signature.bin  64 bytes: the signature over the manifest in model.skep
//
// The public key is not in the folder: whoever verifies must have it from a source he trusts.
#pragma once

#include <cstdint>
#include <filesystem>
#include <vector>

#include "skep/bytes.h"
#include "skep/release/error.h"
#include "skep/release/package.h"
#include "skep/seal/signature.h"

namespace skep::release {

/// Writes the four files into the new folder `directory` (its parent must exist).
///
/// Errors: PackageError as open_package(); ReleaseError of kStorageFailed if the folder exists or
/// cannot be written, and nothing is left of it.
void export_package(Bytes package, const seal::VerifyingKey& key,
                    const std::filesystem::path& directory);

/// A verified package and its exact bytes.
struct VerifiedExport {
  OpenedPackage opened;
  std::vector<std::uint8_t> package;
  bool is_folder;  ///< The other three files were compared too.
};

/// Verifies an exported folder, or a single model.skep, with nothing but the public key: as
/// open_package(), and that the other files of a folder are, byte for byte, what export_package()
/// makes of this package, and that there are no others.
///
/// Errors: PackageError as open_package(), of kBadDigest naming the file that differs, of
/// kRejected if the manifest has expired by `now_unix_s`; ReleaseError of kStorageFailed naming
/// the file that is missing or cannot be read.
VerifiedExport verify_export(const std::filesystem::path& path, const seal::VerifyingKey& key,
                             std::uint64_t now_unix_s);

}  // namespace skep::release

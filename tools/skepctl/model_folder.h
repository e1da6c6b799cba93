// A model that no federation has signed yet, as two files in a folder:
//
//   spec.textproto  its architecture, which a person may edit (skep/exchange/model_text.h)
//   weights.bin     its parameters (docs/reference/weights.md)
#pragma once

#include <filesystem>

#include "skep/exchange/model.h"

namespace skep::skepctl {

/// Makes the new folder `directory` (its parent must exist).
///
/// Errors: CommandError of kStorageFailed if it exists or cannot be made; PkiError if a file cannot
/// be written. Nothing is left of it.
void save_model(const exchange::Model& model, const std::filesystem::path& directory);

/// Errors: PkiError if a file cannot be read; ExchangeError as parse_model_text(); CommandError of
/// kMalformed if the weights are not as many bytes as the spec's.
exchange::Model load_model(const std::filesystem::path& directory);

/// The spec of such a folder, or of a text file by itself. Errors: as load_model().
ModelSpec load_spec(const std::filesystem::path& path);

}  // namespace skep::skepctl

#include "model_folder.h"

#include "answer.h"
#include "skep/exchange/describe.h"
#include "skep/exchange/model_text.h"
#include "skep/pki/files.h"

namespace skep::skepctl {
namespace {

namespace fs = std::filesystem;

constexpr const char* kSpecFile = "spec.textproto";
constexpr const char* kWeightsFile = "weights.bin";

void write_files(const exchange::Model& model, const fs::path& directory) {
  const std::string text = exchange::format_model_text(model.spec);
  const Bytes bytes(reinterpret_cast<const std::uint8_t*>(text.data()), text.size());
  pki::create_file(directory / kWeightsFile, model.weights, pki::Access::kPublic);
  pki::create_file(directory / kSpecFile, bytes, pki::Access::kPublic);
}

}  // namespace

void save_model(const exchange::Model& model, const fs::path& directory) {
  std::error_code error;
  if (!fs::create_directory(directory, error)) {
    throw CommandError(Status::kStorageFailed,
                       error
                           ? "cannot make the folder " + directory.string() + ": " + error.message()
                           : directory.string() + " exists already: expected a new folder");
  }
  try {
    write_files(model, directory);
  } catch (...) {
    fs::remove_all(directory, error);
    throw;
  }
}

ModelSpec load_spec(const fs::path& path) {
  std::error_code ignored;
  const fs::path file = fs::is_directory(path, ignored) ? path / kSpecFile : path;
  const std::vector<std::uint8_t> bytes = pki::read_file(file, exchange::kMaxModelTextBytes);
  return exchange::parse_model_text({reinterpret_cast<const char*>(bytes.data()), bytes.size()},
                                    file.string());
}

exchange::Model load_model(const fs::path& directory) {
  exchange::Model model{load_spec(directory), {}};
  const fs::path file = directory / kWeightsFile;
  const std::size_t expected = exchange::require_plan(model.spec).weights_blob_bytes;
  model.weights = pki::read_file(file, kMaxPackageBytes);
  if (model.weights.size() != expected) {
    throw CommandError(Status::kMalformed,
                       file.string() + " has " + std::to_string(model.weights.size()) + " bytes: " +
                           kSpecFile + " beside it expects " + std::to_string(expected));
  }
  return model;
}

}  // namespace skep::skepctl

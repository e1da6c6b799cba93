#include "skep/release/export.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string>

#include "skep/exchange/describe.h"
#include "skep/exchange/onnx_export.h"
#include "skep/pki/files.h"

namespace skep::release {
namespace {

namespace fs = std::filesystem;

constexpr const char* kPackageFile = "model.skep";
constexpr const char* kOnnxFile = "model.onnx";
constexpr const char* kMetadataFile = "metadata.json";
constexpr const char* kSignatureFile = "signature.bin";

/// Far above an ONNX model of kMaxParameters and below what would exhaust a small machine.
constexpr std::size_t kMaxExportedFileBytes = std::size_t{16} << 20U;

struct ExportedFile {
  const char* name;
  std::vector<std::uint8_t> content;
};

nlohmann::ordered_json describe_window(const Window& window) {
  return {{"kernel", {window.height, window.width}},
          {"strides", {window.stride_height, window.stride_width}},
          {"pads", {window.pad_top, window.pad_left, window.pad_bottom, window.pad_right}}};
}

nlohmann::ordered_json describe_spec(const ModelSpec& spec) {
  nlohmann::ordered_json layers = nlohmann::ordered_json::array();
  for (const LayerSpec& layer : spec.active_layers()) {
    nlohmann::ordered_json json = {{"kind", exchange::name_of(layer.kind)},
                                   {"outputs", layer.outputs}};
    if (has_window(layer.kind)) json["window"] = describe_window(layer.window);
    if (layer.kind == LayerKind::kLeakyRelu) json["negative_slope_q15"] = layer.negative_slope_q15;
    layers.push_back(std::move(json));
  }
  return {{"inputs", spec.inputs},
          {"input_height", spec.input_height},
          {"input_width", spec.input_width},
          {"input_exponent", spec.input_exponent},
          {"loss", exchange::name_of(spec.loss)},
          {"frozen_layers", spec.frozen_layers},
          {"layers", std::move(layers)}};
}

nlohmann::ordered_json describe_evaluation(const wire::EvaluationMetrics& evaluation) {
  return {{"sample_count", evaluation.sample_count},
          {"correct_count", evaluation.correct_count},
          {"mean_loss_q16", evaluation.mean_loss_q16}};
}

nlohmann::ordered_json describe_signature(const OpenedPackage& opened) {
  return {{"file", kSignatureFile},
          {"algorithm", "ECDSA P-256 with SHA-256, raw r followed by s, 32 bytes each"},
          {"signs", "the 22 characters 'skep model manifest v1', a zero byte, then the manifest"},
          {"manifest_hex", to_hex(opened.manifest_bytes)}};
}

std::vector<std::uint8_t> metadata(const OpenedPackage& opened, Bytes package, Bytes onnx) {
  const wire::ModelManifest& manifest = opened.manifest;
  const nlohmann::ordered_json json = {
      {"format", "skep export 1"},
      {"federation", to_hex(manifest.federation)},
      {"model_name", manifest.model_name},
      {"model_version", manifest.model_version},
      {"rolls_back_to", manifest.rolls_back_to},
      {"round", manifest.round},
      {"contributor_count", manifest.contributor_count},
      {"created_unix_s", manifest.created_unix_s},
      {"expires_unix_s", manifest.expires_unix_s},
      {"spec", describe_spec(opened.spec)},
      {"evaluation", describe_evaluation(manifest.evaluation)},
      {"weights_bytes", manifest.weights_bytes},
      {"weights_sha256", to_hex(manifest.weights_digest)},
      {"files",
       {{kPackageFile, {{"sha256", to_hex(sha256(package))}}},
        {kOnnxFile, {{"sha256", to_hex(sha256(onnx))}}}}},
      {"signature", describe_signature(opened)},
  };
  const std::string text = json.dump(2) + "\n";
  return {text.begin(), text.end()};
}

std::vector<std::uint8_t> to_onnx(const OpenedPackage& opened) {
  const wire::ModelManifest& manifest = opened.manifest;
  exchange::OnnxMetadata metadata{manifest.model_name, manifest.model_version, {}};
  metadata.properties = {
      {"skep.federation", to_hex(manifest.federation)},
      {"skep.model_name", manifest.model_name},
      {"skep.model_version", std::to_string(manifest.model_version)},
      {"skep.weights_sha256", to_hex(manifest.weights_digest)},
      {"skep.input_exponent", std::to_string(opened.spec.input_exponent)},
  };
  try {
    return exchange::export_onnx(opened.spec, opened.weights, metadata);
  } catch (const exchange::ExchangeError& error) {
    throw PackageError(error.status(), error.what());
  }
}

/// Everything in the folder follows from the package: written by export, compared by verify.
std::vector<ExportedFile> files_of(const OpenedPackage& opened, Bytes package) {
  std::vector<std::uint8_t> onnx = to_onnx(opened);
  std::vector<std::uint8_t> json = metadata(opened, package, onnx);
  std::vector<ExportedFile> files;
  files.push_back({kPackageFile, {package.begin(), package.end()}});
  files.push_back({kOnnxFile, std::move(onnx)});
  files.push_back({kMetadataFile, std::move(json)});
  files.push_back({kSignatureFile, {opened.signature.begin(), opened.signature.end()}});
  return files;
}

/// Removes a folder that did not become complete.
class NewFolder {
 public:
  explicit NewFolder(const fs::path& path) : path_(path) {
    std::error_code error;
    if (!fs::create_directory(path_, error)) {
      throw ReleaseError(Status::kStorageFailed,
                         error ? "cannot make the folder " + path.string() + ": " + error.message()
                               : path.string() + " exists already: expected a new folder");
    }
  }
  NewFolder(const NewFolder&) = delete;
  NewFolder& operator=(const NewFolder&) = delete;
  ~NewFolder() {
    std::error_code ignored;
    if (!complete_) fs::remove_all(path_, ignored);
  }
  void keep() { complete_ = true; }

 private:
  const fs::path& path_;
  bool complete_ = false;
};

std::vector<std::uint8_t> read(const fs::path& path) {
  try {
    return pki::read_file(path, kMaxExportedFileBytes);
  } catch (const pki::PkiError& error) {
    throw ReleaseError(Status::kStorageFailed, error.what());
  }
}

void compare_files(const fs::path& folder, const std::vector<ExportedFile>& expected) {
  for (const ExportedFile& file : expected) {
    if (read(folder / file.name) != file.content) {
      throw PackageError(
          Status::kBadDigest,
          (folder / file.name).string() + " is not what belongs to the signed package beside it");
    }
  }
}

void refuse_other_files(const fs::path& folder, const std::vector<ExportedFile>& expected) {
  for (const fs::directory_entry& entry : fs::directory_iterator(folder)) {
    const std::string name = entry.path().filename().string();
    const auto is_named = [&](const ExportedFile& file) { return name == file.name; };
    if (std::none_of(expected.begin(), expected.end(), is_named)) {
      throw PackageError(Status::kRejected,
                         entry.path().string() + " does not belong to an exported model");
    }
  }
}

void refuse_expired(const wire::ModelManifest& manifest, std::uint64_t now_unix_s) {
  if (manifest.expires_unix_s != 0 && manifest.expires_unix_s <= now_unix_s) {
    throw PackageError(Status::kRejected, "the model expired at unix time " +
                                              std::to_string(manifest.expires_unix_s) +
                                              ", and now it is " + std::to_string(now_unix_s));
  }
}

}  // namespace

void export_package(Bytes package, const seal::VerifyingKey& key, const fs::path& directory) {
  const std::vector<ExportedFile> files = files_of(open_package(package, key), package);
  NewFolder folder(directory);
  try {
    for (const ExportedFile& file : files) {
      pki::create_file(directory / file.name, file.content, pki::Access::kPublic);
    }
  } catch (const pki::PkiError& error) {
    throw ReleaseError(Status::kStorageFailed, error.what());
  }
  folder.keep();
}

VerifiedExport verify_export(const fs::path& path, const seal::VerifyingKey& key,
                             std::uint64_t now_unix_s) {
  VerifiedExport result{};
  std::error_code ignored;
  result.is_folder = fs::is_directory(path, ignored);
  result.package = read(result.is_folder ? path / kPackageFile : path);
  result.opened = open_package(result.package, key);
  if (result.is_folder) {
    const std::vector<ExportedFile> expected = files_of(result.opened, result.package);
    compare_files(path, expected);
    refuse_other_files(path, expected);
  }
  refuse_expired(result.opened.manifest, now_unix_s);
  return result;
}

}  // namespace skep::release

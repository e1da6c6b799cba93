#include "served_models.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <stdexcept>

#include "skep/bytes.h"
#include "skep/release/patch.h"
#include "skep/wire/codec.h"

namespace skep::app {
namespace {

std::array<std::uint8_t, wire::kModelEtagBytes> etag_of(std::uint32_t version, Bytes package) {
  const auto head = wire::read_model_package(SpanSource(package));
  if (!head.ok()) throw std::runtime_error("a stored model package does not decode");
  const auto manifest = wire::decode_model_manifest(head->manifest_view());
  if (!manifest.ok()) throw std::runtime_error("a stored model manifest does not decode");
  return wire::model_etag(version, manifest->weights_digest);
}

}  // namespace

const ServedModel* ServedModels::find(std::uint32_t version) {
  const auto known = std::ranges::find(kept_, version, &ServedModel::version);
  if (known != kept_.end()) return &*known;
  auto package = coordinator_.model_package(version);
  if (package == nullptr) return nullptr;
  if (kept_.size() == kKept) kept_.pop_back();
  kept_.push_front({.version = version, .package = package, .etag = etag_of(version, *package)});
  return &kept_.front();
}

const ServedPatch* ServedModels::find_patch(const ServedModel& model, std::uint32_t base_version) {
  const auto known = std::ranges::find_if(kept_patches_, [&](const ServedPatch& each) {
    return each.version == model.version && each.base_version == base_version;
  });
  if (known != kept_patches_.end()) return known->patch.empty() ? nullptr : &*known;
  const bool is_near = base_version >= 1 && base_version < model.version &&
                       model.version - base_version <= patch_depth_;
  if (!is_near || model.version != coordinator_.signed_plan()->base_version) return nullptr;
  if (kept_patches_.size() == kKeptPatches) kept_patches_.pop_back();
  kept_patches_.push_front(make_patch(model, base_version));
  return kept_patches_.front().patch.empty() ? nullptr : &kept_patches_.front();
}

ServedPatch ServedModels::make_patch(const ServedModel& model, std::uint32_t base_version) {
  ServedPatch served{.version = model.version,
                     .base_version = base_version,
                     .patch = {},
                     .etag = wire::patch_etag(model.etag, base_version)};
  const auto base = coordinator_.model_package(base_version);
  if (base == nullptr) return served;
  try {
    if (auto patch = release::build_patch(*base, *model.package)) served.patch = *std::move(patch);
  } catch (const release::PackageError& error) {
    // Devices have the package instead: a failure here would keep them from any model.
    spdlog::error("no patch from version {}: {}", base_version, error.what());
  }
  return served;
}

}  // namespace skep::app

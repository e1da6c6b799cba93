#include "served_models.h"

#include <algorithm>
#include <stdexcept>

#include "skep/bytes.h"
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

}  // namespace skep::app

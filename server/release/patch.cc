#include "skep/release/patch.h"

#include <algorithm>
#include <string>

#include "layer_counts.h"
#include "skep/wire/codec.h"

namespace skep::release {
namespace {

template <typename T>
T require(Result<T> result, const char* what) {
  if (!result.ok()) {
    throw PackageError(result.status(), std::string(what) + ": " + to_string(result.status()));
  }
  return *std::move(result);
}

struct Content {
  wire::PackageHead head;
  std::uint32_t version;
  ModelSpec spec;
  Bytes weights;
};

Content read(Bytes package) {
  Content content{};
  content.head = require(wire::read_model_package(SpanSource(package)), "package");
  const auto manifest =
      require(wire::decode_model_manifest(content.head.manifest_view()), "manifest");
  content.version = manifest.model_version;
  content.spec = require(wire::to_model_spec(manifest.spec), "model");
  content.weights = package.subspan(content.head.weights_offset, content.head.weights_bytes);
  return content;
}

bool have_same_layers(const std::vector<wire::LayerCounts>& a,
                      const std::vector<wire::LayerCounts>& b) {
  return std::ranges::equal(a, b, [](const wire::LayerCounts& x, const wire::LayerCounts& y) {
    return x.weights == y.weights && x.biases == y.biases;
  });
}

}  // namespace

std::optional<std::vector<std::uint8_t>> build_patch(Bytes base, Bytes target) {
  const Content from = read(base);
  const Content to = read(target);
  const std::vector<wire::LayerCounts> layers = layer_counts(to.spec);
  if (!have_same_layers(layers, layer_counts(from.spec))) return std::nullopt;

  std::vector<std::uint8_t> difference(to.weights.size());
  const auto size = wire::encode_difference(layers, from.weights, to.weights, difference);
  if (!size.ok()) return std::nullopt;
  std::vector<std::uint8_t> patch(target.size());
  const auto length = wire::encode(wire::ModelPatch{.base_version = from.version,
                                                    .manifest = to.head.manifest_view(),
                                                    .signature = to.head.signature,
                                                    .difference = Bytes(difference).first(*size)},
                                   patch);
  if (!length.ok() || *length >= target.size()) return std::nullopt;
  patch.resize(*length);
  return patch;
}

}  // namespace skep::release

#include "skep/demo/released_model.h"

#include "skep/checked/take.h"
#include "skep/wire/codec.h"

namespace skep::demo {
namespace {

using checked::take;

}  // namespace

ReleasedModel read_released_model(Bytes package) {
  const auto head = take(wire::read_model_package(SpanSource(package)), "model package");
  const auto manifest = take(wire::decode_model_manifest(head.manifest_view()), "manifest");
  const Bytes weights = package.subspan(head.weights_offset, head.weights_bytes);
  return {take(wire::to_model_spec(manifest.spec), "model spec"), {weights.begin(), weights.end()}};
}

}  // namespace skep::demo

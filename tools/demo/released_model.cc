#include "skep/demo/released_model.h"

#include <stdexcept>
#include <string>
#include <utility>

#include "skep/wire/codec.h"

namespace skep::demo {
namespace {

template <typename T>
T take(Result<T> result, const char* what) {
  if (!result.ok()) throw std::runtime_error(std::string(what) + ": " + to_string(result.status()));
  return *std::move(result);
}

}  // namespace

ReleasedModel read_released_model(Bytes package) {
  const auto head = take(wire::read_model_package(SpanSource(package)), "model package");
  const auto manifest = take(wire::decode_model_manifest(head.manifest_view()), "manifest");
  const Bytes weights = package.subspan(head.weights_offset, head.weights_bytes);
  return {take(wire::to_model_spec(manifest.spec), "model spec"), {weights.begin(), weights.end()}};
}

}  // namespace skep::demo

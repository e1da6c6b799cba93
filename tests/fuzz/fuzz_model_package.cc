// GET skep/v1/model, and a package that came on a stick: the package and its manifest.
#include "invariant.h"
#include "skep/wire/codec.h"

namespace skep::fuzz {
namespace {

void check_manifest(Bytes bytes) {
  const Result<wire::ModelManifest> manifest = wire::decode_model_manifest(bytes);
  if (!manifest.ok()) return;
  require_round_trip(*manifest, bytes);
  const Result<ModelSpec> spec = wire::to_model_spec(manifest->spec);
  require(spec.ok(), "the spec of a decoded manifest is one");
  wire::ModelManifest again = *manifest;
  again.spec = wire::from_model_spec(*spec);
  require_round_trip(again, bytes);
}

void check_package(Bytes bytes) {
  const Result<wire::PackageHead> head = wire::read_model_package(SpanSource(bytes));
  if (!head.ok()) return;
  require(head->weights_offset <= bytes.size() &&
              head->weights_bytes == bytes.size() - head->weights_offset,
          "the weights are the rest of the package");
  const wire::ModelPackage package{head->manifest_view(), head->signature,
                                   bytes.subspan(head->weights_offset)};
  require_round_trip(package, bytes);
  check_manifest(head->manifest_view());
}

}  // namespace
}  // namespace skep::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  skep::fuzz::check_package({data, size});
  skep::fuzz::check_manifest({data, size});
  return 0;
}

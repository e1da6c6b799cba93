// A model file that somebody brings: whatever its bytes, it is refused or becomes a model that
// runs.
#include <stdexcept>

#include "invariant.h"
#include "skep/exchange/describe.h"
#include "skep/exchange/model_text.h"
#include "skep/exchange/onnx_export.h"
#include "skep/exchange/onnx_import.h"
#include "skep/learn/engine.h"

namespace skep::fuzz {
namespace {

void require_runs(const exchange::Model& model) {
  const learn::MemoryPlan plan = exchange::require_plan(model.spec);
  require(model.weights.size() == plan.weights_blob_bytes, "the weights are the spec's");
  std::vector<std::uint64_t> memory(plan.inference_bytes / 8 + 1);
  Result<learn::Engine> engine = learn::Engine::create(model.spec, learn::Purpose::kInference,
                                                       std::as_writable_bytes(std::span(memory)));
  require(engine.ok(), "the engine takes the spec");
  require(engine->load(SpanSource(model.weights)) == Status::kOk, "the engine takes the weights");
  const std::vector<std::int16_t> features(model.spec.inputs, 1000);
  require(engine->forward(features).ok(), "the model runs");
}

void check(Bytes bytes, const exchange::ImportOptions& options) {
  exchange::Model model;
  try {
    model = exchange::import_onnx(bytes, options);
  } catch (const exchange::ExchangeError& error) {
    require(error.status() != Status::kOk && error.what()[0] != 0, "a refusal says why");
    for (const char* c = error.what(); *c != 0; ++c) {
      require(*c >= ' ' && *c <= '~', "nothing of the file's control characters is passed on");
    }
    return;
  }
  require_runs(model);
  require(exchange::parse_model_text(exchange::format_model_text(model.spec), "x") == model.spec,
          "the text says the same");
  require(!exchange::export_onnx(model.spec, model.weights, {"model", 1, {}}).empty(),
          "what came in goes out again");
}

}  // namespace
}  // namespace skep::fuzz

/// The last byte is the options': the loss, and how many layers are frozen.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::uint8_t choice = data[size - 1];
  skep::exchange::ImportOptions options{.input_exponent = -10};
  if (choice % 4 != 0) options.loss = static_cast<skep::Loss>(choice % 4);
  options.frozen_layers = choice / 4 % 4;
  skep::fuzz::check({data, size - 1}, options);
  return 0;
}

// An architecture that somebody brings, in a signed manifest or as text: it is refused, or the
// planner says what it takes. The first byte chooses: even for bytes, odd for text.
#include <pb_decode.h>

#include <stdexcept>
#include <string_view>

#include "invariant.h"
#include "skep/exchange/describe.h"
#include "skep/exchange/model_text.h"
#include "skep/learn/engine.h"

namespace skep::fuzz {
namespace {

/// What holds for any spec whose fields are in their ranges.
void check_plan(const ModelSpec& spec) {
  const Result<learn::MemoryPlan> plan = learn::plan_memory(spec);
  if (!plan.ok()) {
    try {
      (void)exchange::require_plan(spec);
      require(false, "who asks for a plan hears the same");
    } catch (const exchange::ExchangeError& error) {
      require(error.status() == plan.status() && error.what()[0] != 0, "and why");
    }
    return;
  }
  require(plan->trainable_count >= 1 && plan->trainable_count <= plan->parameter_count &&
              plan->parameter_count <= kMaxParameters,
          "parameters are within their bound");
  require(plan->inference_bytes <= plan->training_bytes, "training takes no less");
  const Result<ModelSpec> again = wire::to_model_spec(wire::from_model_spec(spec));
  require(again.ok() && *again == spec, "the wire carries it");
  require(exchange::parse_model_text(exchange::format_model_text(spec), "x") == spec,
          "the text carries it");
  std::vector<std::uint64_t> memory(plan->training_bytes / 8 + 1);
  const auto bytes = std::as_writable_bytes(std::span(memory)).first(plan->training_bytes);
  require(learn::Engine::create(spec, learn::Purpose::kTraining, bytes).ok(),
          "the plan's memory suffices");
  require(
      !learn::Engine::create(spec, learn::Purpose::kTraining, bytes.first(bytes.size() - 1)).ok(),
      "and one byte less does not");
}

void check_bytes(Bytes bytes) {
  pb_istream_t stream = pb_istream_from_buffer(bytes.data(), bytes.size());
  skep_ModelSpec message{};
  if (!pb_decode(&stream, skep_ModelSpec_fields, &message)) return;
  const Result<ModelSpec> spec = wire::to_model_spec(message);
  if (spec.ok()) check_plan(*spec);
}

void check_text(std::string_view text) {
  try {
    check_plan(exchange::parse_model_text(text, "x"));
  } catch (const exchange::ExchangeError& error) {
    for (const char* c = error.what(); *c != 0; ++c) {
      require(*c >= ' ' && *c <= '~', "nothing of the text's control characters is passed on");
    }
  }
}

}  // namespace
}  // namespace skep::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const skep::Bytes rest(data + 1, size - 1);
  if (data[0] % 2 == 0) {
    skep::fuzz::check_bytes(rest);
  } else {
    skep::fuzz::check_text({reinterpret_cast<const char*>(rest.data()), rest.size()});
  }
  return 0;
}

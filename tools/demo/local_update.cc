#include "skep/demo/local_update.h"

#include <algorithm>
#include <fstream>
#include <iterator>
#include <span>
#include <utility>

#include "skep/checked/take.h"
#include "skep/demo/released_model.h"
#include "skep/round/local_round.h"
#include "skep/seal/signature.h"

namespace skep::demo {
namespace {

using checked::require;
using checked::take;

constexpr std::uint16_t kSamplesPerStep = 1000;

using Buffer = std::vector<std::uint8_t>;

class VectorSource final : public SampleSource {
 public:
  explicit VectorSource(const std::vector<Sample>& samples) : samples_(samples) {}
  std::uint32_t count() override { return static_cast<std::uint32_t>(samples_.size()); }
  Status read(std::uint32_t index, std::span<std::int16_t> features,
              std::uint16_t& label) override {
    if (index >= samples_.size() || features.size() != samples_[index].features.size()) {
      return Status::kInvalidArgument;
    }
    std::ranges::copy(samples_[index].features, features.begin());
    label = samples_[index].label;
    return Status::kOk;
  }

 private:
  const std::vector<Sample>& samples_;
};

}  // namespace

wire::DeviceCredentials load_credentials(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  const Buffer bytes{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  return take(wire::decode_device_credentials(bytes), path.c_str());
}

Task make_task(Bytes signed_plan, Bytes model_package) {
  Task task;
  const auto envelope = take(wire::decode_signed_round_plan(signed_plan), "signed plan");
  task.plan = take(wire::decode_round_plan(envelope.plan), "plan");
  ReleasedModel model = read_released_model(model_package);
  task.spec = model.spec;
  task.weights = std::move(model.weights);
  return task;
}

Buffer make_update(const Task& task, const wire::DeviceCredentials& credentials,
                   const std::vector<Sample>& samples, std::uint32_t seed) {
  const std::uint32_t bytes =
      take(round::LocalRound::workspace_bytes(task.spec, wire::to_compression(task.plan),
                                              round::optimizer_of(task.plan)),
           "workspace");
  std::vector<std::uint64_t> workspace(bytes / sizeof(std::uint64_t) + 1);
  VectorSource source(samples);
  const SpanSource weights(task.weights);
  const auto key =
      take(seal::SigningKey::from_bytes(credentials.device_private_key), "the device's key");
  round::LocalRound local(source, std::as_writable_bytes(std::span(workspace)));
  require(local.begin({.plan = task.plan,
                       .spec = task.spec,
                       .weights = weights,
                       .device = credentials.device,
                       .device_key = key,
                       .seed = seed}),
          "round");
  while (!take(local.step(kSamplesPerStep), "round")) {
  }
  const Bytes sealed = local.sealed().bytes();
  return {sealed.begin(), sealed.end()};
}

}  // namespace skep::demo

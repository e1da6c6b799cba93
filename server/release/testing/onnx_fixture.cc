// For onnx_test.py: trains a model, exports it, and writes what our engine says of each sample.
//
//     release_onnx_fixture LAYERS DIGITS.csv OUT
//
// LAYERS: widths of Dense layers with a ReLU between each two, e.g. 32,10. Writes OUT/export,
// OUT/signing.pub and OUT/logits.txt: for each sample of the last fifth of DIGITS.csv a line
// "label exponent logit…", logits as integers times 2^exponent.
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <sstream>

#include "package_fixture.h"
#include "skep/learn/engine.h"
#include "skep/pki/keys.h"
#include "skep/release/export.h"
#include "skep/release/hold_out.h"

namespace skep::release {
namespace {

constexpr std::uint16_t kInputs = 64;
constexpr int kEpochs = 12;
constexpr learn::LearningRate kRate{1638, 15};

ModelSpec parse_spec(const std::string& widths) {
  ModelSpec spec;
  spec.inputs = kInputs;
  spec.input_exponent = -4;
  std::istringstream stream(widths);
  const auto add = [&spec](LayerKind kind, unsigned long outputs) {
    spec.layers.at(spec.layer_count) = {kind, static_cast<std::uint16_t>(outputs)};
    ++spec.layer_count;
  };
  for (std::string width; std::getline(stream, width, ',');) {
    if (spec.layer_count > 0) add(LayerKind::kRelu, spec.outputs());
    add(LayerKind::kDense, std::stoul(width));
  }
  return spec;
}

void require(bool holds, const char* what) {
  if (!holds) throw std::runtime_error(what);
}

class Trainer {
 public:
  explicit Trainer(const ModelSpec& spec)
      : plan_(*learn::plan_memory(spec)),
        memory_(plan_.training_bytes),
        engine_(*learn::Engine::create(spec, learn::Purpose::kTraining, memory_)) {
    require(engine_.initialize(7) == Status::kOk, "initialize");
  }

  void train(const HoldOut& samples, std::size_t count) {
    for (int epoch = 0; epoch < kEpochs; ++epoch) {
      for (std::size_t i = 0; i < count; ++i) {
        require(engine_.train_step(samples.features(i), samples.label(i), kRate).ok(), "train");
      }
    }
  }

  std::vector<std::uint8_t> weights() {
    std::vector<std::uint8_t> blob(plan_.weights_blob_bytes);
    require(engine_.store(blob) == Status::kOk, "store");
    return blob;
  }

  void write_logits(const HoldOut& samples, std::size_t first, const std::string& path) {
    std::ofstream file(path);
    for (std::size_t i = first; i < samples.sample_count(); ++i) {
      const Result<learn::Output> output = engine_.forward(samples.features(i));
      require(output.ok(), "forward");
      file << samples.label(i) << ' ' << output->exponent;
      for (const std::int16_t logit : output->values) file << ' ' << logit;
      file << '\n';
    }
  }

 private:
  learn::MemoryPlan plan_;
  std::vector<std::byte> memory_;
  learn::Engine engine_;
};

void make_fixture(const std::string& widths, const std::string& csv, const std::string& out) {
  const ModelSpec spec = parse_spec(widths);
  require(learn::plan_memory(spec).ok(), "LAYERS is no model");
  const HoldOut samples = load_hold_out(csv, spec);
  const std::size_t train_count = samples.sample_count() * 4 / 5;
  Trainer trainer(spec);
  trainer.train(samples, train_count);

  const seal::SigningKey key = release_testing::new_signing_key();
  const seal::VerifyingKey verifying = release_testing::verifying_key_of(key);
  ManifestFields fields = release_testing::small_fields();
  fields.spec = spec;
  export_package(build_package(fields, trainer.weights(), key), verifying, out + "/export");
  pki::save_public_key(out + "/signing.pub", verifying.point());
  trainer.write_logits(samples, train_count, out + "/logits.txt");
}

}  // namespace
}  // namespace skep::release

int main(int argc, char** argv) {
  if (argc != 4) {
    std::cerr << "usage: release_onnx_fixture LAYERS DIGITS.csv OUT\n";
    return 2;
  }
  try {
    skep::release::make_fixture(argv[1], argv[2], argv[3]);
    return EXIT_SUCCESS;
  } catch (const std::exception& error) {
    std::cerr << "release_onnx_fixture: " << error.what() << "\n";
    return EXIT_FAILURE;
  }
}

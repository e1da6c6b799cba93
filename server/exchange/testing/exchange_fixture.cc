// For onnx_import_test.py: imports a model, writes what came of it, and what our engine says.
//
//     exchange_fixture MODEL.onnx OUT INPUT_EXPONENT LOSS|- SAMPLES.csv|-
//
// Writes into the folder OUT spec.textproto, weights.bin, model.onnx (exported again) and, with
// SAMPLES.csv (integers, a sample a line), outputs.txt: for each sample a line "exponent value…".
// A model that is refused: one line on stderr, "status: detail", and exit status 1.
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <iterator>
#include <sstream>
#include <string>
#include <vector>

#include "skep/exchange/describe.h"
#include "skep/exchange/model_text.h"
#include "skep/exchange/onnx_export.h"
#include "skep/exchange/onnx_import.h"
#include "skep/learn/engine.h"

namespace skep::exchange {
namespace {

std::vector<std::uint8_t> read(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

void write(const std::string& path, const void* data, std::size_t size) {
  std::ofstream(path, std::ios::binary)
      .write(static_cast<const char*>(data), static_cast<std::streamsize>(size));
}

std::optional<Loss> loss_of(const std::string& name) {
  for (const Loss loss :
       {Loss::kSoftmaxCrossEntropy, Loss::kMeanSquaredError, Loss::kBinaryCrossEntropy}) {
    if (name == name_of(loss)) return loss;
  }
  return std::nullopt;
}

void require(bool holds, const char* what) {
  if (!holds) throw std::runtime_error(what);
}

void run_engine(const Model& model, const std::string& samples, const std::string& out) {
  std::vector<std::byte> memory(require_plan(model.spec).inference_bytes);
  Result<learn::Engine> engine =
      learn::Engine::create(model.spec, learn::Purpose::kInference, memory);
  require(engine.ok() && engine->load(SpanSource(model.weights)) == Status::kOk, "load");
  std::ifstream file(samples);
  std::ofstream text(out);
  for (std::string line; std::getline(file, line);) {
    std::istringstream fields(line);
    std::vector<std::int16_t> features;
    for (std::string field; std::getline(fields, field, ',');) {
      features.push_back(static_cast<std::int16_t>(std::stoi(field)));
    }
    const Result<learn::Output> output = engine->forward(features);
    require(output.ok(), "forward");
    text << output->exponent;
    for (const std::int16_t value : output->values) text << ' ' << value;
    text << '\n';
  }
}

void run(const std::vector<std::string>& arguments) {
  const Model model = import_onnx(read(arguments[0]), {.input_exponent = std::stoi(arguments[2]),
                                                       .loss = loss_of(arguments[3])});
  const std::string& out = arguments[1];
  const std::string text = format_model_text(model.spec);
  write(out + "/spec.textproto", text.data(), text.size());
  write(out + "/weights.bin", model.weights.data(), model.weights.size());
  const std::vector<std::uint8_t> onnx =
      export_onnx(model.spec, model.weights, {"imported", 1, {{"skep.test", "yes"}}});
  write(out + "/model.onnx", onnx.data(), onnx.size());
  require(parse_model_text(text, "spec.textproto") == model.spec, "the text says something else");
  if (arguments[4] != "-") run_engine(model, arguments[4], out + "/outputs.txt");
}

}  // namespace
}  // namespace skep::exchange

int main(int argc, char** argv) {
  if (argc != 6) {
    std::cerr << "usage: exchange_fixture MODEL.onnx OUT INPUT_EXPONENT LOSS|- SAMPLES.csv|-\n";
    return 2;
  }
  try {
    skep::exchange::run({argv + 1, argv + argc});
    return EXIT_SUCCESS;
  } catch (const skep::exchange::ExchangeError& error) {
    std::cerr << to_string(error.status()) << ": " << error.what() << "\n";
  } catch (const std::exception& error) {
    std::cerr << "exchange_fixture: " << error.what() << "\n";
    return 3;
  }
  return EXIT_FAILURE;
}

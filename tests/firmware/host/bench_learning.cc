// skep-bench-learn-counts: what learning costs on the emulated boards, in instructions and bytes,
// beside float32 on the same cores.
//
//   skep-bench-learn-counts [--images FOLDER] [--format text|json]
#include <CLI/CLI.hpp>
#include <cstdio>
#include <exception>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>

#include "qemu.h"

namespace skep::firmware_test {
namespace {

using nlohmann::ordered_json;

double per_mac(const ReportLine& line, const ReportLine& macs, const std::string& pass) {
  return static_cast<double>(line.number(pass)) / static_cast<double>(macs.number(pass + "_macs"));
}

ordered_json engine_of(const ReportLine& line) {
  return {{"forward_instructions", line.number("forward")},
          {"training_instructions", line.number("training")},
          {"forward_instructions_per_mac", per_mac(line, line, "forward")},
          {"training_instructions_per_mac", per_mac(line, line, "training")},
          {"inference_plan_bytes", line.number("inference_plan_bytes")},
          {"training_plan_bytes", line.number("training_plan_bytes")},
          {"training_touched_bytes", line.number("training_touched_bytes")}};
}

ordered_json float_of(const ReportLine& line, const ReportLine& engine) {
  return {{"fpu", line.number("fpu") != 0},
          {"forward_instructions", line.number("forward")},
          {"training_instructions", line.number("training")},
          {"forward_instructions_per_mac", per_mac(line, engine, "forward")},
          {"training_instructions_per_mac", per_mac(line, engine, "training")},
          {"training_bytes", line.number("training_bytes")}};
}

// By model; the second word of a line is the model's name.
ordered_json models_of(const ImageRun& run) {
  ordered_json models = ordered_json::object();
  const std::vector<ReportLine> engines = run.lines_of("learning");
  const std::vector<ReportLine> floats = run.lines_of("float32");
  if (engines.empty() || engines.size() != floats.size()) {
    throw std::runtime_error("not as many engines as float32 peers in: " + run.output);
  }
  for (std::size_t i = 0; i < engines.size(); ++i) {
    const ReportLine& engine = engines[i];
    models[engine.words.at(1)] = {{"parameters", engine.number("parameters")},
                                  {"forward_macs", engine.number("forward_macs")},
                                  {"training_macs", engine.number("training_macs")},
                                  {"engine", engine_of(engine)},
                                  {"float32", float_of(floats[i], engine)}};
  }
  return models;
}

ordered_json run_all(const std::string& images) {
  ordered_json boards = ordered_json::object();
  for (const EmulatedBoard& board : kEmulatedBoards) {
    std::fprintf(stderr, "learning on %s\n", board.core);
    const ImageRun run = run_image(board, images, "test_learning_counts", Time::kRepeating, 600);
    if (run.exit_code != 0) throw std::runtime_error(std::string(board.name) + ": " + run.output);
    boards[board.core] = models_of(run);
  }
  return boards;
}

void print_text(const ordered_json& boards) {
  std::printf("%-11s %-20s %23s %23s %23s\n", "", "", "engine, instructions",
              "float32, instructions", "bytes to train");
  std::printf("%-11s %-20s %11s %11s %11s %11s %11s %11s\n", "core", "model", "forward", "training",
              "forward", "training", "engine", "float32");
  for (const auto& [core, models] : boards.items()) {
    for (const auto& [name, model] : models.items()) {
      const ordered_json& engine = model.at("engine");
      const ordered_json& peer = model.at("float32");
      const auto count = [](const ordered_json& of, const char* field) {
        return static_cast<unsigned long long>(of.at(field).get<std::uint64_t>());
      };
      std::printf("%-11s %-20s %11llu %11llu %11llu %11llu %11llu %11llu\n", core.c_str(),
                  name.c_str(), count(engine, "forward_instructions"),
                  count(engine, "training_instructions"), count(peer, "forward_instructions"),
                  count(peer, "training_instructions"), count(engine, "training_plan_bytes"),
                  count(peer, "training_bytes"));
      std::printf("%-11s %-20s %11.2f %11.2f %11.2f %11.2f\n", "", "  … per MAC",
                  engine.at("forward_instructions_per_mac").get<double>(),
                  engine.at("training_instructions_per_mac").get<double>(),
                  peer.at("forward_instructions_per_mac").get<double>(),
                  peer.at("training_instructions_per_mac").get<double>());
    }
  }
}

int main_of(int argc, char** argv) {
  std::string images = SKEP_FIRMWARE_DIR;
  std::string format = "text";
  CLI::App app("Instructions and bytes of learning on emulated boards.", "skep-bench-learn-counts");
  app.add_option("--images", images, "Images are in <folder>/<board>/bin")->capture_default_str();
  app.add_option("--format", format)->check(CLI::IsMember({"text", "json"}))->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  try {
    const ordered_json boards = run_all(images);
    if (format == "json") {
      std::printf("%s\n", boards.dump(2).c_str());
    } else {
      print_text(boards);
    }
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "skep-bench-learn-counts: error: %s\n", error.what());
    return 1;
  }
}

}  // namespace
}  // namespace skep::firmware_test

int main(int argc, char** argv) { return skep::firmware_test::main_of(argc, argv); }

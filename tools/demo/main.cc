// skep-demo: twenty devices learn handwritten digits together, and what protects them is shown.

#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdio>
#include <exception>
#include <string>

#include "report.h"
#include "scenario.h"
#include "skep/compression.h"

namespace {

bool is_as_promised(const skep::demo::Summary& summary) {
  return summary.poisoned_release == "refused" && summary.rollback == "ok" &&
         summary.verify == "ok" && summary.tampered_verify == "refused";
}

}  // namespace

int main(int argc, char** argv) {
  skep::demo::Options options;
  std::string format = "text";
  CLI::App app("A gateway and its devices on this machine learn handwritten digits.", "skep-demo");
  app.add_option("--bin-dir", options.programs, "Folder of skepd, skepctl and skep-device")
      ->required();
  app.add_option("--data", options.data, "digits.csv (tools/deps/fetch)")->required();
  app.add_option("--devices", options.devices)->check(CLI::Range(1, 99))->capture_default_str();
  app.add_option("--rounds", options.recipe.max_rounds)
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  app.add_option("--seed", options.seed, "The same seed gives the same model")
      ->check(CLI::Range(1U, UINT32_MAX))
      ->capture_default_str();
  app.add_option("--alpha", options.dirichlet_alpha, "How evenly the digits are spread")
      ->check(CLI::Range(0.01, 1000.0))
      ->capture_default_str();
  app.add_option("--compression", options.recipe.compression, "How updates are encoded")
      ->check(CLI::IsMember(skep::kCompressionNames))
      ->capture_default_str();
  app.add_option("--keep-permille", options.recipe.keep_permille)->capture_default_str();
  app.add_option("--value-bits", options.recipe.value_bits)->capture_default_str();
  app.add_option("--local-epochs", options.recipe.local_epochs)->capture_default_str();
  app.add_option("--directory", options.directory, "Keep everything in this new folder");
  app.add_option("--format", format, "json: one document on stdout, progress on stderr")
      ->check(CLI::IsMember({"text", "json"}))
      ->capture_default_str();
  CLI11_PARSE(app, argc, argv);

  const bool as_json = format == "json";
  const auto start = std::chrono::steady_clock::now();
  try {
    skep::demo::LiveTable table(as_json ? stderr : stdout);
    const skep::demo::Summary summary = skep::demo::run_scenario(options, table);
    const double seconds =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    std::fputs((as_json ? to_json(summary, seconds) : to_text(summary, seconds)).c_str(), stdout);
    return is_as_promised(summary) ? 0 : 1;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "skep-demo: error: %s\n", error.what());
    return 1;
  }
}

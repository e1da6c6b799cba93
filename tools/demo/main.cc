// skep-demo: twenty devices learn together, and what protects them is shown.

#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdio>
#include <exception>
#include <string>

#include "report.h"
#include "scenario.h"
#include "skep/compression.h"
#include "skep/demo/learning_task.h"

namespace {

bool is_as_promised(const skep::demo::Summary& summary) {
  return summary.poisoned_release == "refused" && summary.rollback == "ok" &&
         summary.verify == "ok" && summary.tampered_verify == "refused";
}

}  // namespace

int main(int argc, char** argv) {
  skep::demo::Options options;
  std::string format = "text";
  CLI::App app("A gateway and its devices on this machine learn together.", "skep-demo");
  app.add_option("--bin-dir", options.programs, "Folder of skepd, skepctl and skep-device")
      ->required();
  app.add_option("--task", options.task, "What they learn")
      ->check(CLI::IsMember(skep::demo::task_names()))
      ->capture_default_str();
  app.add_option("--data", options.data, "Folder of the data sets (tools/deps/fetch)")->required();
  app.add_option("--devices", options.devices)->check(CLI::Range(1, 99))->capture_default_str();
  app.add_option("--rounds", options.rounds.max_rounds, "Default: what suits the task; so below")
      ->check(CLI::Range(1, 1000));
  app.add_option("--seed", options.seed, "The same gives the same model")
      ->check(CLI::Range(1U, UINT32_MAX))
      ->capture_default_str();
  app.add_option("--alpha", options.dirichlet_alpha, "How evenly the samples are spread")
      ->check(CLI::Range(0.01, 1000.0))
      ->capture_default_str();
  app.add_option("--samples", options.most_samples, "Learn from the first so many only, as a whole")
      ->check(CLI::Range(100, 1'000'000));
  app.add_option("--compression", options.rounds.compression, "How updates are encoded")
      ->check(CLI::IsMember(skep::kCompressionNames));
  app.add_option("--keep-permille", options.rounds.keep_permille);
  app.add_option("--value-bits", options.rounds.value_bits);
  app.add_option("--local-epochs", options.rounds.local_epochs);
  app.add_option("--step-bits", options.rounds.step_bits, "Of a release's step, 0 = exact");
  app.add_option("--patch-depth", options.rounds.patch_depth,
                 "Versions back from which devices get a patch, 0 = none");
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

// skepd, the gateway of a federation.

#include <CLI/CLI.hpp>
#include <cstdio>
#include <exception>
#include <string>

#include "config.h"
#include "daemon.h"
#include "log.h"

int main(int argc, char** argv) {
  std::string config_path;
  bool check_only = false;
  CLI::App app("The gateway of a Skep federation: plans rounds, takes updates, releases models.");
  app.add_option("--config", config_path, "skepd.toml of the federation")->required();
  app.add_flag("--check-config", check_only, "Read the configuration, say what is wrong, and end");
  CLI11_PARSE(app, argc, argv);
  try {
    const skep::app::Config config = skep::app::load_config(config_path);
    if (check_only) {
      std::printf("%s is valid\n", config_path.c_str());
      return 0;
    }
    skep::app::block_stop_signals();
    skep::app::start_logging(config.log_level, config.log_file);
    skep::app::Daemon daemon(config);
    daemon.run();
  } catch (const std::exception& error) {
    std::fprintf(stderr, "skepd: %s\n", error.what());
    return 1;
  }
  return 0;
}

#include "skep/demo/federation.h"

#include <chrono>
#include <csignal>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <thread>
#include <utility>

#include "skep/udp/loopback_socket.h"

namespace skep::demo {
namespace {

using namespace std::chrono_literals;

constexpr auto kStartLimit = 30s;

// The port is free now; that nobody takes it before skepd does is likely enough on loopback.
udp::Port free_udp_port() { return udp::LoopbackSocket().bind(); }

std::string tail(const std::filesystem::path& log) {
  constexpr std::size_t kTailBytes = 2000;
  const std::string text = process::read_text(log);
  return text.size() > kTailBytes ? text.substr(text.size() - kTailBytes) : text;
}

void replace_line(std::string& text, const std::string& key, const std::string& value) {
  const std::size_t begin = text.find("\n" + key + " = ");
  if (begin == std::string::npos) throw std::runtime_error("skepd.toml has no " + key);
  const std::size_t end = text.find('\n', begin + 1);
  text.replace(begin + 1, end - begin - 1, key + " = " + value);
}

void write_text(const std::filesystem::path& path, const std::string& text) {
  std::ofstream file(path, std::ios::trunc);
  file << text;
  if (!file.flush()) throw std::runtime_error("cannot write " + path.string());
}

// Options of `skepctl init`; makes the model folder that they name, if they do.
process::Command first_model_options(const std::filesystem::path& programs,
                                     const std::filesystem::path& directory,
                                     const FirstModel& model, std::uint32_t seed) {
  process::Command options = model.options;
  if (model.spec_text.empty()) {
    options.insert(options.end(), {"--seed", std::to_string(seed)});
    return options;
  }
  const std::string folder = directory.string() + "-model";
  const std::string spec = folder + ".textproto";
  write_text(spec, model.spec_text);
  (void)process::run_json({programs / "skepctl", "--format", "json", "model", "new", spec, "--out",
                           folder, "--seed", std::to_string(seed)});
  return {"--model", folder};
}

}  // namespace

Federation::Federation(std::filesystem::path programs, std::filesystem::path directory,
                       const RoundRecipe& recipe, const std::filesystem::path& held_out,
                       std::uint32_t seed, const FirstModel& model)
    : programs_(std::move(programs)), directory_(std::move(directory)), recipe_(recipe) {
  process::Command command{programs_ / "skepctl",
                           "--format",
                           "json",
                           "init",
                           directory_,
                           "--port",
                           std::to_string(free_udp_port()),
                           "--model-name",
                           model.name,
                           "--holdout",
                           held_out,
                           "--deadline-s",
                           "0",
                           "--quorum",
                           std::to_string(recipe.quorum),
                           "--max-rounds",
                           std::to_string(recipe.max_rounds),
                           "--learning-rate-mantissa",
                           std::to_string(recipe.learning_rate_mantissa),
                           "--learning-rate-shift",
                           std::to_string(recipe.learning_rate_shift),
                           "--local-epochs",
                           std::to_string(recipe.local_epochs),
                           "--clip-norm",
                           std::to_string(recipe.clip_norm),
                           "--compression",
                           recipe.compression,
                           "--keep-permille",
                           std::to_string(recipe.keep_permille),
                           "--value-bits",
                           std::to_string(recipe.value_bits),
                           "--step-bits",
                           std::to_string(recipe.step_bits),
                           "--patch-depth",
                           std::to_string(recipe.patch_depth)};
  const process::Command first = first_model_options(programs_, directory_, model, seed);
  command.insert(command.end(), first.begin(), first.end());
  (void)process::run_json(command);
  // All devices come from one address, as fast as they can.
  for (const char* limit :
       {"registrations_per_minute", "devices_per_address", "requests_per_minute"}) {
    configure(limit, "0");
  }
  configure("handshakes_per_address", "256");
}

process::Command Federation::skepctl(const process::Command& arguments) const {
  process::Command command{programs_ / "skepctl", "--format", "json", "--dir", directory_};
  command.insert(command.end(), arguments.begin(), arguments.end());
  return command;
}

nlohmann::json Federation::operate(const process::Command& arguments) const {
  return process::run_json(skepctl(arguments));
}

process::Output Federation::try_operate(const process::Command& arguments) const {
  return process::run(skepctl(arguments));
}

void Federation::enrol(const std::string& device) { (void)operate({"device", "add", device}); }

void Federation::start_gateway() {
  const std::filesystem::path log = directory_ / "skepd.log";
  std::filesystem::remove(log);
  gateway_.emplace(process::Command{programs_ / "skepd", "--config", directory_ / "skepd.toml"},
                   log);
  const auto limit = std::chrono::steady_clock::now() + kStartLimit;
  while (process::read_text(log).find("skepd ready") == std::string::npos) {
    if (!gateway_->is_running() || std::chrono::steady_clock::now() > limit) {
      throw std::runtime_error("skepd does not start:\n" + tail(log));
    }
    std::this_thread::sleep_for(10ms);
  }
}

void Federation::stop_gateway() {
  if (gateway_) gateway_->stop(SIGTERM);
  gateway_.reset();
}

void Federation::configure(const std::string& key, const std::string& value) {
  const std::filesystem::path path = directory_ / "skepd.toml";
  std::string text = process::read_text(path);
  replace_line(text, key, value);
  write_text(path, text);
}

void Federation::switch_to_manual_rounds() {
  configure("quorum", std::to_string(recipe_.quorum + 1));
  configure("max_rounds", "0");
}

std::filesystem::path Federation::credentials_of(const std::string& device) const {
  return directory_ / "devices" / (device + ".cred");
}

std::filesystem::path Federation::log_of(const std::string& device) const {
  return directory_ / "devices" / (device + ".log");
}

void Federation::start_device(const std::string& device, const std::filesystem::path& samples,
                              std::uint32_t training_seed, const process::Command& options) {
  process::Command command{programs_ / "skep-device",
                           "--credentials",
                           credentials_of(device),
                           "--samples",
                           samples,
                           "--flash",
                           directory_ / "devices" / (device + ".flash"),
                           "--training-seed",
                           std::to_string(training_seed)};
  command.insert(command.end(), options.begin(), options.end());
  devices_.push_back({device, process::Process(command, log_of(device))});
}

void Federation::kill_device(const std::string& device) {
  std::erase_if(devices_, [&](const RunningDevice& running) { return running.name == device; });
}

void Federation::stop_devices() {
  for (const RunningDevice& device : devices_) device.process.signal(SIGTERM);
  for (RunningDevice& device : devices_) device.process.stop(SIGTERM);
  devices_.clear();
}

void Federation::check_alive() {
  if (gateway_ && !gateway_->is_running()) {
    throw std::runtime_error("skepd has ended:\n" + tail(directory_ / "skepd.log"));
  }
  for (RunningDevice& device : devices_) {
    if (device.process.is_running()) continue;
    throw std::runtime_error(device.name + " has ended:\n" + tail(log_of(device.name)));
  }
}

std::size_t Federation::devices_with_model(std::uint32_t model_version) const {
  std::size_t count = 0;
  for (const RunningDevice& device : devices_) {
    std::istringstream log(process::read_text(log_of(device.name)));
    bool installed = false;
    for (std::string line; std::getline(log, line);) {
      const nlohmann::json event = nlohmann::json::parse(line, nullptr, false);
      installed = installed || (event.is_object() && event.value("event", "") == "ModelInstalled" &&
                                event.value("model_version", 0U) == model_version);
    }
    count += installed ? 1 : 0;
  }
  return count;
}

}  // namespace skep::demo

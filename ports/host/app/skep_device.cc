// skep-device: the SDK as a Linux process. One JSON object a line on stdout says what happens.

#include <arpa/inet.h>
#include <poll.h>

#include <CLI/CLI.hpp>
#include <array>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>
#include <vector>

#include "date_check.h"
#include "skep/device.h"
#include "skep/port_host/csv_samples.h"
#include "skep/port_host/file_flash.h"
#include "skep/port_host/system_clock.h"
#include "skep/port_host/system_entropy.h"
#include "skep/transport_coap/coap_client.h"
#include "skep/wire/codec.h"

namespace {

volatile std::sig_atomic_t stop_requested = 0;

struct Options {
  std::string credentials;
  std::string samples;
  std::string flash;
  std::uint32_t flash_kib = 256;
  std::uint32_t workspace_kib = 64;
  std::uint32_t training_seed = 0;
  std::uint32_t refresh_ms = 60'000;
  std::uint32_t answer_timeout_ms = 120'000;
  std::uint32_t backoff_first_ms = 1'000;
  std::uint32_t backoff_longest_ms = 60'000;
  std::uint32_t ack_timeout_ms = 2'000;
  bool check_dates = false;
};

// Q16.16 in nats.
double from_q16(std::uint32_t value) { return value / 65536.0; }

class JsonLines final : public skep::round::EventSink {
 public:
  void on_event(const skep::round::Event& event) override {
    nlohmann::ordered_json line{{"event", skep::round::to_string(event.kind)},
                                {"status", skep::to_string(event.status)},
                                {"round", event.round},
                                {"model_version", event.model_version}};
    if (event.kind == skep::round::EventKind::kUpdateStored) {
      line["update_bytes"] = event.update_bytes;
      line["sample_count"] = event.sample_count;
      line["loss_before"] = from_q16(event.loss_before_q16);
      line["loss_after"] = from_q16(event.loss_after_q16);
    }
    std::puts(line.dump().c_str());
    std::fflush(stdout);
  }
};

std::vector<std::uint8_t> read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw std::runtime_error("cannot read " + path);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

skep::wire::DeviceCredentials load_credentials(const std::string& path) {
  const std::vector<std::uint8_t> bytes = read_file(path);
  auto credentials = skep::wire::decode_device_credentials(bytes);
  if (!credentials.ok()) {
    throw std::runtime_error(
        path + " holds no device credentials: " + skep::to_string(credentials.status()) +
        ", expected a file made by `skepctl device add`");
  }
  return *credentials;
}

// The address in network order, 4 or 16 bytes.
std::vector<std::uint8_t> parse_ip(const std::string& text) {
  std::array<std::uint8_t, 16> address{};
  if (inet_pton(AF_INET, text.c_str(), address.data()) == 1) {
    return {address.begin(), address.begin() + 4};
  }
  if (inet_pton(AF_INET6, text.c_str(), address.data()) == 1) {
    return {address.begin(), address.end()};
  }
  throw std::runtime_error("gateway_host \"" + text + "\" is no IP address");
}

Options parse(int argc, char** argv) {
  Options options;
  CLI::App app("A federated-learning device: trains on its own samples, sends sealed updates.");
  app.add_option("--credentials", options.credentials, "File made by `skepctl device add`")
      ->required();
  app.add_option("--samples", options.samples, "CSV of integers, the label last")->required();
  app.add_option("--flash", options.flash, "File that stands for the flash; made when absent")
      ->required();
  app.add_option("--flash-kib", options.flash_kib, "Size of the flash")->capture_default_str();
  app.add_option("--workspace-kib", options.workspace_kib, "RAM for models and updates")
      ->capture_default_str();
  app.add_option("--training-seed", options.training_seed,
                 "Fixes sample order and rounding; 0 draws new seeds")
      ->capture_default_str();
  app.add_option("--refresh-ms", options.refresh_ms, "Silence after which to ask the gateway")
      ->capture_default_str();
  app.add_option("--answer-timeout-ms", options.answer_timeout_ms,
                 "Silence after an acknowledged request that ends the session")
      ->capture_default_str();
  app.add_option("--backoff-first-ms", options.backoff_first_ms)->capture_default_str();
  app.add_option("--backoff-longest-ms", options.backoff_longest_ms)->capture_default_str();
  app.add_option("--ack-timeout-ms", options.ack_timeout_ms, "CoAP ACK_TIMEOUT, at least 1000")
      ->check(CLI::Range(1'000, 60'000))
      ->capture_default_str();
  app.add_flag("--check-dates", options.check_dates,
               "First take the gateway's signed time, and check all certificates' dates by it");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    std::exit(app.exit(error));
  }
  return options;
}

// False if it was told to stop before the gateway said what time it is.
bool dates_hold(const skep::DeviceConfig& config, const skep::Platform& platform,
                skep::transport::CoapClient& client) {
  const std::uint64_t unix_s =
      skep::host_app::check_dates(config, platform, client, [] { return stop_requested != 0; });
  if (unix_s == 0) return false;
  std::puts(nlohmann::ordered_json{{"event", "DatesChecked"}, {"unix_s", unix_s}}.dump().c_str());
  std::fflush(stdout);
  return true;
}

void run(const Options& options) {
  const skep::wire::DeviceCredentials credentials = load_credentials(options.credentials);
  const std::vector<std::uint8_t> gateway_ip = parse_ip(credentials.gateway_host);
  skep::port_host::CsvSamples samples(options.samples);
  skep::port_host::FileFlash flash(
      options.flash,
      {.size_bytes = options.flash_kib * 1024, .erase_unit_bytes = 4096, .program_unit_bytes = 8});
  skep::port_host::SystemClock clock;
  skep::port_host::SystemEntropy entropy;

  skep::transport::CoapClient client(
      {.gateway_ip = gateway_ip,
       .gateway_port = static_cast<std::uint16_t>(credentials.gateway_port),
       .ca_certificate = skep::wire::bytes_of(credentials.ca_certificate),
       .device_certificate = skep::wire::bytes_of(credentials.device_certificate),
       .device_private_key = skep::Bytes(credentials.device_private_key)},
      {.ack_timeout_ms = options.ack_timeout_ms, .max_retransmit = 4});

  const skep::DeviceConfig config{
      .credentials = credentials,
      .training_seed = options.training_seed,
      .samples_per_poll = 16,
      .refresh_ms = options.refresh_ms,
      .answer_timeout_ms = options.answer_timeout_ms,
      .backoff = {.first_ms = options.backoff_first_ms, .longest_ms = options.backoff_longest_ms}};
  const skep::Platform platform{clock, entropy, flash, samples};
  if (options.check_dates && !dates_hold(config, platform, client)) return;

  std::vector<std::uint64_t> workspace(options.workspace_kib * 1024 / sizeof(std::uint64_t));
  JsonLines events;
  skep::Device device(config, platform, client, std::as_writable_bytes(std::span(workspace)),
                      &events);
  if (const skep::Status status = device.start(); status != skep::Status::kOk) {
    throw std::runtime_error(std::string("the device cannot start: ") + skep::to_string(status));
  }
  while (stop_requested == 0) {
    const std::uint32_t wait_ms = device.poll();
    if (wait_ms == 0) continue;
    pollfd readable{.fd = client.wait_fd(), .events = POLLIN, .revents = 0};
    // A descriptor of −1 is ignored; at most a second, so that a signal just before the call to
    // poll is not missed for long.
    ::poll(&readable, 1, static_cast<int>(std::min<std::uint32_t>(wait_ms, 1'000)));
  }
}

}  // namespace

int main(int argc, char** argv) {
  const Options options = parse(argc, argv);
  std::signal(SIGTERM, [](int) { stop_requested = 1; });
  std::signal(SIGINT, [](int) { stop_requested = 1; });
  try {
    run(options);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "skep-device: %s\n", error.what());
    return 1;
  }
  return 0;
}

// skep-provision: a device's credentials, samples and network as the content of a board's flash.

#include <arpa/inet.h>
#include <fcntl.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <string>
#include <vector>

#include "skep/port_baremetal/provisioning.h"
#include "skep/port_host/csv_samples.h"
#include "skep/wire/codec.h"

namespace {

using skep::port_baremetal::Provisioning;

struct Options {
  std::string credentials;
  std::string samples;
  std::string out;
  std::string address = "10.0.2.15";
  std::string netmask = "255.255.255.0";
  std::string router = "10.0.2.2";
  std::string gateway;
  std::uint32_t gateway_port = 0;
  std::uint32_t flash_kib = 512;
  std::uint32_t erase_bytes = 4096;
  std::uint32_t storage_kib = 128;
  Provisioning settings;
};

Options parse(int argc, char** argv) {
  Options options;
  CLI::App app("Makes the content of a board's flash: credentials, samples, network.");
  app.add_option("--credentials", options.credentials, "File made by `skepctl device add`")
      ->required();
  app.add_option("--samples", options.samples,
                 "CSV of integers, the label last (default: none, for a device with a sensor)");
  app.add_option("--out", options.out, "The flash's content; must not exist yet")->required();
  app.add_option("--address", options.address, "The board's IPv4 address")->capture_default_str();
  app.add_option("--netmask", options.netmask)->capture_default_str();
  app.add_option("--router", options.router)->capture_default_str();
  app.add_option("--gateway", options.gateway,
                 "IPv4 address of the gateway (default: as in the credentials)");
  app.add_option("--gateway-port", options.gateway_port, "(default: as in the credentials)");
  app.add_option("--flash-kib", options.flash_kib, "Size of the flash")->capture_default_str();
  app.add_option("--erase-bytes", options.erase_bytes, "Size of an erase unit")
      ->capture_default_str();
  app.add_option("--storage-kib", options.storage_kib, "The device's own part of it")
      ->capture_default_str();
  Provisioning& settings = options.settings;
  app.add_option("--training-seed", settings.training_seed, "0: new seeds")->capture_default_str();
  app.add_option("--refresh-ms", settings.refresh_ms)->capture_default_str();
  app.add_option("--answer-timeout-ms", settings.answer_timeout_ms)->capture_default_str();
  app.add_option("--backoff-first-ms", settings.backoff_first_ms)->capture_default_str();
  app.add_option("--backoff-longest-ms", settings.backoff_longest_ms)->capture_default_str();
  app.add_option("--ack-timeout-ms", settings.ack_timeout_ms)->capture_default_str();
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    std::exit(app.exit(error));
  }
  return options;
}

std::array<std::uint8_t, 4> parse_ipv4(const std::string& text, const char* what) {
  std::array<std::uint8_t, 4> address{};
  if (inet_pton(AF_INET, text.c_str(), address.data()) != 1) {
    throw std::runtime_error(std::string(what) + " \"" + text + "\" is no IPv4 address");
  }
  return address;
}

std::vector<std::uint8_t> read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw std::runtime_error("cannot read " + path);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

std::vector<std::uint8_t> encode_samples(skep::port_host::CsvSamples& samples) {
  std::vector<std::uint8_t> bytes;
  std::vector<std::int16_t> features(samples.feature_count());
  const auto append = [&](std::uint16_t value) {
    bytes.push_back(static_cast<std::uint8_t>(value & 0xFFU));
    bytes.push_back(static_cast<std::uint8_t>(value >> 8U));
  };
  for (std::uint32_t i = 0; i < samples.count(); ++i) {
    std::uint16_t label = 0;
    if (samples.read(i, features, label) != skep::Status::kOk) {
      throw std::runtime_error("cannot read sample " + std::to_string(i));
    }
    for (const std::int16_t feature : features) append(static_cast<std::uint16_t>(feature));
    append(label);
  }
  return bytes;
}

std::uint32_t round_up(std::size_t value, std::uint32_t unit) {
  return static_cast<std::uint32_t>((value + unit - 1) / unit * unit);
}

struct EncodedSamples {
  std::vector<std::uint8_t> bytes;
  std::uint32_t count = 0;
  std::uint32_t feature_count = 1;
};

EncodedSamples load_samples(const std::string& path) {
  if (path.empty()) return {};
  skep::port_host::CsvSamples samples(path);
  return {encode_samples(samples), samples.count(),
          static_cast<std::uint32_t>(samples.feature_count())};
}

std::vector<std::uint8_t> make_flash(const Options& options) {
  const std::vector<std::uint8_t> credential_bytes = read_file(options.credentials);
  const auto credentials = skep::wire::decode_device_credentials(credential_bytes);
  if (!credentials.ok()) {
    throw std::runtime_error(options.credentials + " holds no device credentials: " +
                             skep::to_string(credentials.status()));
  }
  const EncodedSamples samples = load_samples(options.samples);

  const std::uint32_t unit = options.erase_bytes;
  const std::uint32_t flash_bytes = options.flash_kib * 1024;
  const std::string gateway =
      options.gateway.empty() ? std::string(credentials->gateway_host) : options.gateway;
  Provisioning header = options.settings;
  header.address = parse_ipv4(options.address, "--address");
  header.netmask = parse_ipv4(options.netmask, "--netmask");
  header.router = parse_ipv4(options.router, "--router");
  header.gateway = parse_ipv4(gateway, "the gateway");
  header.gateway_port =
      options.gateway_port == 0 ? credentials->gateway_port : options.gateway_port;
  header.credentials_offset = unit;
  header.credentials_bytes = static_cast<std::uint32_t>(credential_bytes.size());
  header.samples_offset = header.credentials_offset + round_up(credential_bytes.size(), unit);
  header.sample_count = samples.count;
  header.feature_count = samples.feature_count;
  header.storage_offset = header.samples_offset + round_up(samples.bytes.size(), unit);
  header.storage_bytes = options.storage_kib * 1024;
  if (std::uint64_t{header.storage_offset} + header.storage_bytes > flash_bytes) {
    throw std::runtime_error("needs " + std::to_string(header.storage_offset) + " B and " +
                             std::to_string(header.storage_bytes) +
                             " B of storage, the flash has " + std::to_string(flash_bytes) + " B");
  }

  std::vector<std::uint8_t> flash(flash_bytes, 0xFF);
  const auto place = [&](std::uint32_t offset, const std::vector<std::uint8_t>& bytes) {
    std::copy(bytes.begin(), bytes.end(), flash.begin() + offset);
  };
  place(header.credentials_offset, credential_bytes);
  place(header.samples_offset, samples.bytes);
  const bool is_encoded =
      skep::port_baremetal::encode(header, flash) == skep::Status::kOk &&
      skep::port_baremetal::decode_provisioning(
          flash, {.size_bytes = flash_bytes, .erase_unit_bytes = unit, .program_unit_bytes = 4})
          .ok();
  if (!is_encoded) throw std::runtime_error("these options make no valid flash");
  return flash;
}

// Holds a private key: for its owner only, and never over what a device has already used.
void write_new_file(const std::string& path, const std::vector<std::uint8_t>& bytes) {
  const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (file < 0) throw std::runtime_error(path + ": " + std::strerror(errno));
  const ssize_t written = ::write(file, bytes.data(), bytes.size());
  const bool is_complete = written == static_cast<ssize_t>(bytes.size()) && ::fsync(file) == 0;
  ::close(file);
  if (!is_complete) {
    ::unlink(path.c_str());
    throw std::runtime_error(path + ": cannot be written");
  }
}

}  // namespace

int main(int argc, char** argv) {
  const Options options = parse(argc, argv);
  try {
    write_new_file(options.out, make_flash(options));
  } catch (const std::exception& error) {
    std::fprintf(stderr, "skep-provision: %s\n", error.what());
    return 1;
  }
  return 0;
}

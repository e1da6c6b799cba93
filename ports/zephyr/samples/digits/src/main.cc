// A federated-learning device on Zephyr: trains on the samples in its flash, sends sealed updates
// to the gateway that its credentials name. One JSON object a line says what happens, as
// skep-device's on a host.

#include <zephyr/kernel.h>
#include <zephyr/net/socket.h>
#include <zephyr/storage/flash_map.h>
#include <zephyr/sys/printk.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>

#include "skep/device.h"
#include "skep/port_zephyr/csprng_entropy.h"
#include "skep/port_zephyr/flash_map_storage.h"
#include "skep/port_zephyr/flash_samples.h"
#include "skep/port_zephyr/provisioned.h"
#include "skep/port_zephyr/uptime_clock.h"
#include "skep/transport_zephyr/coap_client.h"
#include "skep/transport_zephyr/dtls_socket.h"
#include "skep/wire/codec.h"

namespace {

using skep::Result;
using skep::Status;

// All state of the device: nothing of it is on a heap.
alignas(8) std::array<std::byte, CONFIG_DIGITS_WORKSPACE_BYTES> workspace;
std::array<std::uint8_t, skep::wire::kMaxDeviceCredentialsBytes> credentials_file;
skep::wire::DeviceCredentials credentials;
std::array<std::uint8_t, sizeof(in6_addr)> gateway_ip;
skep::port_zephyr::UptimeClock uptime_clock;
skep::port_zephyr::CsprngEntropy entropy;
skep::port_zephyr::FlashMapStorage storage;
skep::port_zephyr::FlashMapStorage credentials_partition;
skep::port_zephyr::FlashMapStorage samples_partition;
skep::port_zephyr::FlashSamples samples(samples_partition);
std::optional<skep::transport::DtlsSocket> channel;
std::optional<skep::transport::CoapClient> client;
std::optional<skep::Device> learner;

class JsonLines final : public skep::round::EventSink {
 public:
  void on_event(const skep::round::Event& event) override {
    printk("{\"event\":\"%s\",\"status\":\"%s\",\"round\":%u,\"model_version\":%u",
           skep::round::to_string(event.kind), skep::to_string(event.status), unsigned{event.round},
           unsigned{event.model_version});
    if (event.kind == skep::round::EventKind::kUpdateStored) {
      printk(
          ",\"update_bytes\":%u,\"sample_count\":%u,\"loss_before_q16\":%u,"
          "\"loss_after_q16\":%u",
          unsigned{event.update_bytes}, unsigned{event.sample_count},
          unsigned{event.loss_before_q16}, unsigned{event.loss_after_q16});
    }
    if (event.kind == skep::round::EventKind::kConnected) {
      printk(",\"connection_id\":%s", channel->has_connection_id() ? "true" : "false");
    }
    printk("}\n");
  }
};

JsonLines events;

Status open_flash() {
  SKEP_TRY(storage.open(FIXED_PARTITION_ID(skep_storage)));
  SKEP_TRY(credentials_partition.open(FIXED_PARTITION_ID(skep_credentials)));
  SKEP_TRY(samples_partition.open(FIXED_PARTITION_ID(skep_samples)));
  return samples.open();
}

Status load_credentials() {
  SKEP_ASSIGN_OR_RETURN(const std::uint32_t length,
                        skep::port_zephyr::read_provisioned(
                            credentials_partition, skep::port_zephyr::ProvisionedKind::kCredentials,
                            credentials_file));
  const auto decoded =
      skep::wire::decode_device_credentials(skep::Bytes(credentials_file).first(length));
  credentials_file.fill(0);  // it held the private key, which now lives in `credentials` alone
  SKEP_TRY(decoded.status());
  credentials = *decoded;
  return Status::kOk;
}

// The address in network order, 4 or 16 bytes.
Result<skep::Bytes> parse_gateway_ip() {
  if (zsock_inet_pton(AF_INET, credentials.gateway_host, gateway_ip.data()) == 1) {
    return skep::Bytes(gateway_ip).first(sizeof(in_addr));
  }
  if (zsock_inet_pton(AF_INET6, credentials.gateway_host, gateway_ip.data()) == 1) {
    return skep::Bytes(gateway_ip);
  }
  return Status::kInvalidArgument;
}

Status start() {
  SKEP_TRY(open_flash());
  SKEP_TRY(load_credentials());
  SKEP_ASSIGN_OR_RETURN(const skep::Bytes ip, parse_gateway_ip());
  channel.emplace(skep::transport::DtlsEndpoint{
      .gateway_ip = ip,
      .gateway_port = static_cast<std::uint16_t>(credentials.gateway_port),
      .ca_certificate = skep::wire::bytes_of(credentials.ca_certificate),
      .device_certificate = skep::wire::bytes_of(credentials.device_certificate),
      .device_private_key = skep::Bytes(credentials.device_private_key)});
  client.emplace(*channel, skep::transport::CoapTiming{});
  learner.emplace(skep::DeviceConfig{.credentials = credentials,
                                     .max_package_bytes = CONFIG_DIGITS_MAX_PACKAGE_BYTES,
                                     .max_update_bytes = CONFIG_DIGITS_MAX_UPDATE_BYTES,
                                     .training_seed = CONFIG_DIGITS_TRAINING_SEED,
                                     .samples_per_poll = 16},
                  skep::Platform{uptime_clock, entropy, storage, samples}, *client, workspace,
                  &events);
  return learner->start();
}

}  // namespace

int main() {
  if (const Status status = start(); status != Status::kOk) {
    printk("{\"event\":\"CannotStart\",\"status\":\"%s\"}\n", skep::to_string(status));
    return 1;
  }
  printk("{\"event\":\"Started\",\"device\":\"%s\",\"samples\":%u,\"model_version\":%u}\n",
         credentials.device, unsigned{samples.count()}, unsigned{learner->model_version()});
  for (;;) {
    const std::uint32_t wait_ms = learner->poll();
    if (wait_ms != 0) channel->wait(wait_ms);
  }
}

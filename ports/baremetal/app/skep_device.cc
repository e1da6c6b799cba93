// The SDK as the firmware of a bare board: skep::Device between the board's flash and lwIP.
//
// All objects are static: what the linker places is all the memory there will ever be.
#include <algorithm>
#include <array>
#include <cstddef>
#include <optional>

#include "console_events.h"
#include "flash_parts.h"
#include "platform_parts.h"
#include "skep/device.h"
#include "skep/port_baremetal/board.h"
#include "skep/port_baremetal/crypto_arena.h"
#include "skep/port_baremetal/flash_storage.h"
#include "skep/port_baremetal/line.h"
#include "skep/port_baremetal/network.h"
#include "skep/port_baremetal/provisioning.h"
#include "skep/seal/crypto.h"
#include "skep/transport_coap/coap_client.h"
#include "skep/wire/codec.h"

#ifndef SKEP_WORKSPACE_BYTES
#define SKEP_WORKSPACE_BYTES (18 * 1024)
#endif

namespace skep::port_baremetal {
namespace {

constexpr int kExitNotProvisioned = 2;
constexpr int kExitNoNetwork = 3;
constexpr int kExitNotStarted = 4;

constexpr std::uint32_t kMostEraseUnits = 128;
constexpr std::uint16_t kSamplesPerPoll = 4;

alignas(8) std::array<std::byte, SKEP_WORKSPACE_BYTES> workspace;
std::array<std::uint32_t, kMostEraseUnits> erase_counts;
wire::DeviceCredentials credentials;
Provisioning provisioning;
BoardClock board_clock;
BoardEntropy board_entropy;
std::optional<FlashPart> storage_part;
std::optional<FlashStorage> storage;
std::optional<FlashSamples> samples;
std::optional<ConsoleEvents> events;
std::optional<transport::CoapClient> client;
std::optional<Device> device;

[[noreturn]] void give_up(int exit_code, const char* what, Status status) {
  Line line;
  line.text("fatal").field("what", what).field("status", to_string(status)).end();
  board::exit(exit_code);
}

// The encoded credentials pass through the workspace, which nobody uses yet.
Status load_credentials(RawFlash& flash) {
  const MutableBytes scratch(reinterpret_cast<std::uint8_t*>(workspace.data()), workspace.size());
  if (provisioning.credentials_bytes > wire::kMaxDeviceCredentialsBytes) return Status::kTooLarge;
  const MutableBytes encoded = scratch.first(provisioning.credentials_bytes);
  SKEP_TRY(flash.read(provisioning.credentials_offset, encoded));
  const Status status = wire::decode_device_credentials(encoded, credentials);
  seal::wipe(encoded);
  return status;
}

Status load_provisioning(RawFlash& flash) {
  std::array<std::uint8_t, kProvisioningBytes> header{};
  SKEP_TRY(flash.read(0, header));
  SKEP_ASSIGN_OR_RETURN(provisioning, decode_provisioning(header, flash.geometry()));
  return load_credentials(flash);
}

Status open_storage(RawFlash& flash) {
  const std::uint32_t units = provisioning.storage_bytes / flash.geometry().erase_unit_bytes;
  if (units > erase_counts.size()) return Status::kTooLarge;
  storage_part.emplace(flash, provisioning.storage_offset, provisioning.storage_bytes);
  storage.emplace(*storage_part, std::span(erase_counts).first(units));
  samples.emplace(flash, provisioning);
  return storage->open();
}

void make_device() {
  events.emplace(*storage);
  client.emplace(
      transport::CoapEndpoint{.gateway_ip = provisioning.gateway,
                              .gateway_port = static_cast<std::uint16_t>(provisioning.gateway_port),
                              .ca_certificate = wire::bytes_of(credentials.ca_certificate),
                              .device_certificate = wire::bytes_of(credentials.device_certificate),
                              .device_private_key = Bytes(credentials.device_private_key)},
      transport::CoapTiming{.ack_timeout_ms = provisioning.ack_timeout_ms, .max_retransmit = 4});
  device.emplace(DeviceConfig{.credentials = credentials,
                              .training_seed = provisioning.training_seed,
                              .samples_per_poll = kSamplesPerPoll,
                              .refresh_ms = provisioning.refresh_ms,
                              .answer_timeout_ms = provisioning.answer_timeout_ms,
                              .backoff = {.first_ms = provisioning.backoff_first_ms,
                                          .longest_ms = provisioning.backoff_longest_ms}},
                 Platform{board_clock, board_entropy, *storage, *samples}, *client, workspace,
                 &*events);
}

void start() {
  start_crypto_arena();
  const Result<RawFlash*> flash = board::flash();
  if (!flash.ok()) give_up(kExitNotProvisioned, "flash", flash.status());
  Status status = load_provisioning(**flash);
  if (status != Status::kOk) give_up(kExitNotProvisioned, "provisioning", status);
  status = open_storage(**flash);
  if (status != Status::kOk) give_up(kExitNotStarted, "storage", status);
  status = start_network({provisioning.address, provisioning.netmask, provisioning.router});
  if (status != Status::kOk) give_up(kExitNoNetwork, "network", status);
  make_device();
  status = device->start();
  if (status != Status::kOk) give_up(kExitNotStarted, "device", status);
  Line line;
  line.text("boot").field("board", board::name()).field("device", credentials.device);
  line.field("model_version", device->model_version()).field("samples", samples->count());
  line.end();
}

[[noreturn]] void serve() {
  for (;;) {
    events->begin_work();
    const std::uint32_t wait_ms = device->poll();
    events->end_work();
    // Woken at least every 20 ms: soon enough for what arrives, and for every wait.
    if (wait_ms != 0) board::wait_for_interrupt();
  }
}

}  // namespace
}  // namespace skep::port_baremetal

int main() {
  skep::port_baremetal::start();
  skep::port_baremetal::serve();
}

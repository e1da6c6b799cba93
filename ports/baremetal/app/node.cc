#include "node.h"

#include <array>
#include <optional>

#include "console_events.h"
#include "flash_parts.h"
#include "platform_parts.h"
#include "skep/port_baremetal/board.h"
#include "skep/port_baremetal/crypto_arena.h"
#include "skep/port_baremetal/flash_storage.h"
#include "skep/port_baremetal/network.h"
#include "skep/seal/crypto.h"
#include "skep/transport_coap/coap_client.h"
#include "skep/wire/codec.h"

namespace skep::port_baremetal::node {
namespace {

constexpr int kExitNotProvisioned = 2;
constexpr int kExitNoNetwork = 3;
constexpr int kExitNotStarted = 4;

constexpr std::uint32_t kMostEraseUnits = 128;
constexpr std::uint16_t kSamplesPerPoll = 4;

std::span<std::byte> workspace;
std::array<std::uint32_t, kMostEraseUnits> erase_counts;
wire::DeviceCredentials credentials;
Provisioning settings;
BoardClock board_clock;
BoardEntropy board_entropy;
RawFlash* whole_flash = nullptr;
std::optional<FlashPart> storage_part;
std::optional<FlashStorage> storage;
std::optional<ConsoleEvents> events;
std::optional<transport::CoapClient> client;
std::optional<Device> the_device;

// The encoded credentials pass through the workspace, which nobody uses yet.
Status load_credentials() {
  const MutableBytes scratch(reinterpret_cast<std::uint8_t*>(workspace.data()), workspace.size());
  if (settings.credentials_bytes > scratch.size()) return Status::kTooLarge;
  const MutableBytes encoded = scratch.first(settings.credentials_bytes);
  SKEP_TRY(whole_flash->read(settings.credentials_offset, encoded));
  const Status status = wire::decode_device_credentials(encoded, credentials);
  seal::wipe(encoded);
  return status;
}

Status load_provisioning() {
  std::array<std::uint8_t, kProvisioningBytes> header{};
  SKEP_TRY(whole_flash->read(0, header));
  SKEP_ASSIGN_OR_RETURN(settings, decode_provisioning(header, whole_flash->geometry()));
  return load_credentials();
}

Status open_storage() {
  const std::uint32_t units = settings.storage_bytes / whole_flash->geometry().erase_unit_bytes;
  if (units > erase_counts.size()) return Status::kTooLarge;
  storage_part.emplace(*whole_flash, settings.storage_offset, settings.storage_bytes);
  storage.emplace(*storage_part, std::span(erase_counts).first(units));
  return storage->open();
}

void make_device(SampleSource& samples, observe::Observer* observer) {
  events.emplace(*storage);
  client.emplace(
      transport::CoapEndpoint{.gateway_ip = settings.gateway,
                              .gateway_port = static_cast<std::uint16_t>(settings.gateway_port),
                              .ca_certificate = wire::bytes_of(credentials.ca_certificate),
                              .device_certificate = wire::bytes_of(credentials.device_certificate),
                              .device_private_key = Bytes(credentials.device_private_key)},
      transport::CoapTiming{.ack_timeout_ms = settings.ack_timeout_ms, .max_retransmit = 4});
  the_device.emplace(DeviceConfig{.credentials = credentials,
                                  .training_seed = settings.training_seed,
                                  .samples_per_poll = kSamplesPerPoll,
                                  .refresh_ms = settings.refresh_ms,
                                  .answer_timeout_ms = settings.answer_timeout_ms,
                                  .backoff = {.first_ms = settings.backoff_first_ms,
                                              .longest_ms = settings.backoff_longest_ms},
                                  .observer = observer},
                     Platform{board_clock, board_entropy, *storage, samples}, *client, workspace,
                     &*events);
}

}  // namespace

void give_up(int exit_code, const char* what, Status status) {
  Line line;
  line.text("fatal").field("what", what).field("status", to_string(status)).end();
  board::exit(exit_code);
}

void open(std::span<std::byte> device_workspace) {
  workspace = device_workspace;
  start_crypto_arena();
  const Result<RawFlash*> found = board::flash();
  if (!found.ok()) give_up(kExitNotProvisioned, "flash", found.status());
  whole_flash = *found;
  Status status = load_provisioning();
  if (status != Status::kOk) give_up(kExitNotProvisioned, "provisioning", status);
  status = open_storage();
  if (status != Status::kOk) give_up(kExitNotStarted, "storage", status);
}

RawFlash& flash() { return *whole_flash; }

const Provisioning& provisioning() { return settings; }

void start(SampleSource& samples, observe::Observer* observer) {
  Status status = start_network({settings.address, settings.netmask, settings.router});
  if (status != Status::kOk) give_up(kExitNoNetwork, "network", status);
  make_device(samples, observer);
  status = the_device->start();
  if (status != Status::kOk) give_up(kExitNotStarted, "device", status);
}

Device& device() { return *the_device; }

void say_booted(Line& line) {
  line.text("boot").field("board", board::name()).field("device", credentials.device);
  line.field("model_version", the_device->model_version());
}

std::uint32_t poll() {
  events->begin_work();
  const std::uint32_t wait_ms = the_device->poll();
  events->end_work();
  return wait_ms;
}

}  // namespace skep::port_baremetal::node

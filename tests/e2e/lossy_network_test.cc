// A federation behind a network that loses three datagrams in ten each way, doubles and reorders
// others: the round completes, with the update of every device, a board among them, counted once.
#include <gtest/gtest.h>

#include <array>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>
#include <thread>

#include "skep/demo/federated_data.h"
#include "skep/demo/federation.h"
#include "skep/demo/local_update.h"
#include "skep/process/process.h"
#include "support/board_device.h"
#include "support/lossy_relay.h"

namespace skep::e2e {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t kProcesses = 2;
constexpr const char* kBoard = "mps2_an386";
constexpr std::size_t kDevices = kProcesses + 1;
constexpr std::uint32_t kRounds = 1;  // retransmission timers make each take minutes
constexpr std::uint32_t kSeed = 21;
constexpr Impairment kBadNetwork{
    .loss = 0.3, .duplication = 0.1, .delay = 0.05, .longest_delay_ms = 2500};

// The process is told that the relay is the gateway; the board is, too, when it is provisioned.
void send_through(const LossyRelay& relay, const std::filesystem::path& credentials_file) {
  wire::DeviceCredentials credentials = demo::load_credentials(credentials_file);
  credentials.gateway_port = relay.port();
  std::array<std::uint8_t, wire::kMaxDeviceCredentialsBytes> bytes{};
  const auto size = wire::encode(credentials, bytes);
  if (!size.ok()) throw std::runtime_error(to_string(size.status()));
  std::ofstream(credentials_file, std::ios::binary | std::ios::trunc)
      .write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(*size));
}

std::string name(std::size_t i) { return "bee-" + std::to_string(i); }

std::size_t released_models(const demo::Federation& federation) {
  const nlohmann::json listed = federation.operate({"model", "list"});
  std::size_t count = 0;
  for (const nlohmann::json& model : listed.at("models")) {
    count += model.at("round").get<std::uint32_t>() > 0 ? 1 : 0;
  }
  return count;
}

TEST(LossyNetwork, TheRoundCompletesAndNothingIsCountedTwice) {
  const process::TemporaryDirectory folder;
  const auto digits = demo::split(learn_testing::load_digits(), kDevices, /*alpha=*/1.0, kSeed);
  demo::write_csv(folder.path() / "held-out.csv", digits.held_out);
  demo::RoundRecipe recipe;
  recipe.quorum = kDevices;
  recipe.max_rounds = kRounds;
  demo::Federation federation(SKEP_BIN_DIR, folder.path() / "federation", recipe,
                              folder.path() / "held-out.csv", kSeed);
  federation.enrol(machine_name(kBoard));
  for (std::size_t i = 0; i < kProcesses; ++i) federation.enrol(name(i));
  const auto samples_of = [&](std::size_t i) { return folder.path() / (name(i) + ".csv"); };
  for (std::size_t i = 0; i < kDevices; ++i) demo::write_csv(samples_of(i), digits.devices[i]);
  LossyRelay relay(static_cast<std::uint16_t>(
                       demo::load_credentials(federation.credentials_of(name(0))).gateway_port),
                   kBadNetwork, kSeed);

  federation.start_gateway();
  for (std::size_t i = 0; i < kProcesses; ++i) {
    send_through(relay, federation.credentials_of(name(i)));
    federation.start_device(
        name(i), samples_of(i), kSeed + static_cast<std::uint32_t>(i),
        {"--ack-timeout-ms", "1000", "--refresh-ms", "15000", "--answer-timeout-ms", "40000",
         "--backoff-first-ms", "50", "--backoff-longest-ms", "500"});
  }
  BoardDevice board(kBoard, folder.path(),
                    {.credentials = federation.credentials_of(machine_name(kBoard)),
                     .samples = samples_of(kProcesses),
                     .gateway_port = relay.port(),
                     .training_seed = kSeed});
  board.start();
  const auto limit = std::chrono::steady_clock::now() + 840s;
  while (released_models(federation) < kRounds) {
    federation.check_alive();
    board.check_alive();
    ASSERT_LT(std::chrono::steady_clock::now(), limit) << "the federation no longer moves\n"
                                                       << board.printed();
    std::this_thread::sleep_for(100ms);
  }
  federation.stop_devices();

  for (const nlohmann::json& model : federation.operate({"model", "list"}).at("models")) {
    if (model.at("round").get<std::uint32_t>() == 0) continue;
    EXPECT_EQ(model.at("contributor_count"), kDevices) << model.at("round");
  }
  // The network was as bad as it should be.
  const RelayCounters counters = relay.stop();
  EXPECT_GT(counters.lost, counters.forwarded / 4);
  EXPECT_GT(counters.duplicated, 0U);
  EXPECT_GT(counters.overtaken, 0U);
}

}  // namespace
}  // namespace skep::e2e

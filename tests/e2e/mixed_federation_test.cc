// One gateway, five devices on this machine and four boards with cores of different kinds: five
// rounds, through kill -9 of the gateway and of a board. Where samples and seed are the same, so is
// every byte of the update before it is sealed, whatever the processor.
//
// The test closes the rounds itself: what was sealed is erased with the end of its round.
#include <gtest/gtest.h>

#include <array>
#include <chrono>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>
#include <vector>

#include "skep/demo/federated_data.h"
#include "skep/demo/federation.h"
#include "skep/demo/local_update.h"
#include "skep/pki/keys.h"
#include "skep/process/process.h"
#include "skep/seal/crypto.h"
#include "skep/seal/envelope.h"
#include "support/board_device.h"
#include "support/database.h"

namespace skep::e2e {
namespace {

using namespace std::chrono_literals;
using Buffer = std::vector<std::uint8_t>;

constexpr std::size_t kHostDevices = 5;
constexpr std::array<const char*, 4> kBoards{"mps2_an385", "mps2_an386", "mps2_an505",
                                             "mps2_an500"};
constexpr std::size_t kDevices = kHostDevices + kBoards.size();
constexpr std::uint32_t kRounds = 5;
constexpr std::uint32_t kSeed = 31;

// The last board is killed when this round begins. What it had not sent yet of earlier updates
// (error feedback) was in its RAM, so from then on it is on its own.
constexpr std::uint32_t kKillRound = 3;

// The boards and this device of the machine's have the same samples and the same seed.
const std::string kTwin = "host-0";

class MixedFederation : public testing::Test {
 protected:
  MixedFederation() {
    // The last share goes to all twins.
    const auto digits =
        demo::split(learn_testing::load_digits(), kHostDevices, /*alpha=*/1.0, kSeed);
    demo::write_csv(folder_.path() / "held-out.csv", digits.held_out);
    demo::RoundRecipe recipe;
    recipe.quorum = kDevices + 1;
    recipe.max_rounds = 0;
    federation_ =
        std::make_unique<demo::Federation>(SKEP_BIN_DIR, folder_.path() / "federation", recipe,
                                           folder_.path() / "held-out.csv", kSeed);
    for (std::size_t i = 0; i < kHostDevices; ++i) {
      demo::write_csv(samples_of(i), digits.devices[i]);
      federation_->enrol(host_name(i));
    }
    for (const char* board : kBoards) federation_->enrol(machine_name(board));
  }

  static std::string host_name(std::size_t i) { return "host-" + std::to_string(i); }
  [[nodiscard]] std::filesystem::path samples_of(std::size_t i) const {
    return folder_.path() / (host_name(i) + ".csv");
  }

  void start_host_devices() {
    for (std::size_t i = 0; i < kHostDevices; ++i) {
      federation_->start_device(
          host_name(i), samples_of(i), kSeed + static_cast<std::uint32_t>(i),
          {"--backoff-first-ms", "100", "--backoff-longest-ms", "1000", "--ack-timeout-ms", "1000",
           "--refresh-ms", "15000", "--answer-timeout-ms", "40000"});
    }
  }

  [[nodiscard]] BoardDevice make_board(const std::string& board) const {
    const auto file = federation_->credentials_of(machine_name(board));
    return {board, folder_.path(),
            BoardProvision{.credentials = file,
                           .samples = samples_of(0),
                           .gateway_port = static_cast<std::uint16_t>(
                               demo::load_credentials(file).gateway_port),
                           .training_seed = kSeed}};
  }

  void start_boards() {
    for (const char* board : kBoards) {
      boards_.push_back(make_board(board));
      boards_.back().start();
    }
  }

  [[nodiscard]] std::size_t received() const {
    return federation_->operate({"round", "status"}).at("received").get<std::size_t>();
  }

  void wait_for_updates(std::size_t count) {
    const auto limit = std::chrono::steady_clock::now() + 300s;
    while (received() < count) {
      federation_->check_alive();
      for (BoardDevice& board : boards_) board.check_alive();
      ASSERT_LT(std::chrono::steady_clock::now(), limit) << "the federation no longer moves";
      std::this_thread::sleep_for(50ms);
    }
  }

  // What each device compressed in the open round.
  [[nodiscard]] std::map<std::string, Buffer> deltas() const;
  void check_deltas(std::uint32_t round) const;

  process::TemporaryDirectory folder_;
  std::unique_ptr<demo::Federation> federation_;
  std::vector<BoardDevice> boards_;
};

Buffer delta_of(Bytes sealed_update, const seal::AggregationKey& key) {
  const auto sealed = wire::decode_sealed_update(sealed_update);
  EXPECT_TRUE(sealed.ok());
  Buffer plaintext(sealed->ciphertext.size());
  const auto update = seal::open_update(*sealed, key, plaintext);
  EXPECT_TRUE(update.ok());
  return {update->delta.begin(), update->delta.end()};
}

std::map<std::string, Buffer> MixedFederation::deltas() const {
  const auto key = seal::AggregationKey::from_bytes(
      seal::Kem::kP256HkdfSha256,
      pki::PrivateKey::load(federation_->directory() / "aggregation.key").scalar());
  EXPECT_TRUE(key.ok());
  const Database database(federation_->directory() / "skep.db");
  std::map<std::string, Buffer> found;
  for (const auto& row :
       database.rows("SELECT device, sealed FROM updates WHERE sealed IS NOT NULL")) {
    const Buffer sealed(row[1].begin(), row[1].end());
    found[row[0]] = delta_of(sealed, *key);
  }
  return found;
}

void MixedFederation::check_deltas(std::uint32_t round) const {
  SCOPED_TRACE(round);
  const auto by_device = deltas();
  ASSERT_EQ(by_device.size(), kDevices);
  EXPECT_GT(by_device.at(kTwin).size(), 100U);
  EXPECT_NE(by_device.at(kTwin), by_device.at(host_name(1)));
  for (const char* board : kBoards) {
    if (round >= kKillRound && board == kBoards.back()) continue;
    EXPECT_EQ(by_device.at(machine_name(board)), by_device.at(kTwin)) << board;
  }
}

TEST_F(MixedFederation, FiveRoundsAndTheSameBytesOnEveryCore) {
  ASSERT_EQ(seal::initialize_crypto(), Status::kOk);
  federation_->start_gateway();
  start_host_devices();
  start_boards();
  for (std::uint32_t round = 1; round <= kRounds; ++round) {
    if (round == 2) {
      ASSERT_NO_FATAL_FAILURE(wait_for_updates(1));
      federation_->kill_gateway();
      federation_->start_gateway();
    }
    if (round == kKillRound) {
      boards_.back().kill();
      boards_.back().start();
    }
    ASSERT_NO_FATAL_FAILURE(wait_for_updates(kDevices));
    ASSERT_NO_FATAL_FAILURE(check_deltas(round));
    (void)federation_->operate({"round", "aggregate", "--force"});
  }
  for (const nlohmann::json& model : federation_->operate({"model", "list"}).at("models")) {
    if (model.at("round").get<std::uint32_t>() == 0) continue;
    EXPECT_EQ(model.at("contributor_count"), kDevices) << model;
  }
  // What the boards say of themselves.
  const auto limit = std::chrono::steady_clock::now() + 60s;
  for (BoardDevice& board : boards_) {
    while (board.events("UpdateAccepted").size() < kRounds) {
      board.check_alive();
      ASSERT_LT(std::chrono::steady_clock::now(), limit) << board.name();
      std::this_thread::sleep_for(50ms);
    }
    EXPECT_TRUE(board.events("PatchRefused").empty()) << board.printed();
  }
  // Since the gateway was killed every core made its models of patches.
  const nlohmann::json downloads = federation_->operate({"round", "status"}).at("downloads");
  EXPECT_EQ(downloads.at("packages"), 0);
  EXPECT_GE(downloads.at("patches"), (kRounds - 2) * kDevices);
}

// No randomness, no keys and no session: it says so and stops.
TEST_F(MixedFederation, ABoardWithoutEntropyDoesNotStart) {
  federation_->start_gateway();
  BoardDevice board = make_board(kBoards.front());
  board.start("entropy=/nonexistent");
  EXPECT_EQ(board.wait_for_exit(60), 3);
  EXPECT_NE(board.printed().find("status=NoEntropy"), std::string::npos) << board.printed();
  EXPECT_EQ(received(), 0U);
}

}  // namespace
}  // namespace skep::e2e

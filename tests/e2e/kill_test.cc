// kill -9 of the gateway and of devices at random moments of a running federation: no
// acknowledged update is lost, none is counted twice, and the federation goes on.
#include <gtest/gtest.h>

#include <chrono>
#include <csignal>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <random>
#include <set>
#include <sstream>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "skep/demo/federated_data.h"
#include "skep/demo/federation.h"
#include "skep/process/process.h"
#include "support/database.h"

namespace skep::e2e {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;

constexpr std::size_t kDevices = 6;
constexpr int kKills = 50;
constexpr std::uint32_t kSeed = 11;

using DeviceRound = std::pair<std::string, std::uint32_t>;

class KillTest : public testing::Test {
 protected:
  KillTest() {
    const auto digits = demo::split(learn_testing::load_digits(), kDevices, /*alpha=*/1.0, kSeed);
    demo::write_csv(folder_.path() / "held-out.csv", digits.held_out);
    demo::RoundRecipe recipe;
    recipe.quorum = kDevices;
    recipe.max_rounds = 0;
    federation_ =
        std::make_unique<demo::Federation>(SKEP_BIN_DIR, folder_.path() / "federation", recipe,
                                           folder_.path() / "held-out.csv", kSeed);
    for (std::size_t i = 0; i < kDevices; ++i) {
      demo::write_csv(samples(i), digits.devices[i]);
      federation_->enrol(name(i));
    }
  }

  static std::string name(std::size_t i) { return "bee-" + std::to_string(i); }
  [[nodiscard]] std::filesystem::path samples(std::size_t i) const {
    return folder_.path() / (name(i) + ".csv");
  }
  [[nodiscard]] std::filesystem::path database() const {
    return federation_->directory() / "skep.db";
  }

  void start_device(std::size_t i) {
    federation_->start_device(
        name(i), samples(i), kSeed + static_cast<std::uint32_t>(i),
        {"--backoff-first-ms", "50", "--backoff-longest-ms", "400", "--ack-timeout-ms", "1000",
         "--refresh-ms", "500", "--answer-timeout-ms", "1000"});
  }

  // What devices were told is stored: every UpdateAccepted in their logs.
  [[nodiscard]] std::set<DeviceRound> acknowledged() const {
    std::set<DeviceRound> result;
    for (std::size_t i = 0; i < kDevices; ++i) {
      std::istringstream log(process::read_text(federation_->log_of(name(i))));
      for (std::string line; std::getline(log, line);) {
        const json event = json::parse(line, nullptr, false);
        if (event.is_object() && event.value("event", "") == "UpdateAccepted") {
          result.emplace(name(i), event.at("round").get<std::uint32_t>());
        }
      }
    }
    return result;
  }

  // The number of rounds that have been closed with a released or rejected model.
  [[nodiscard]] std::size_t finished_rounds() const {
    return Database(database()).rows("SELECT DISTINCT round FROM models WHERE round > 0").size();
  }

  void wait_for_rounds(std::size_t count) {
    const auto limit = std::chrono::steady_clock::now() + 120s;
    while (finished_rounds() < count) {
      federation_->check_alive();
      ASSERT_LT(std::chrono::steady_clock::now(), limit) << "the federation no longer moves";
      std::this_thread::sleep_for(20ms);
    }
  }

  process::TemporaryDirectory folder_;
  std::unique_ptr<demo::Federation> federation_;
};

TEST_F(KillTest, NothingAcknowledgedIsLostOrCountedTwice) {
  federation_->start_gateway();
  for (std::size_t i = 0; i < kDevices; ++i) start_device(i);
  wait_for_rounds(1);

  std::mt19937 random(kSeed);
  for (int kill = 0; kill < kKills; ++kill) {
    std::this_thread::sleep_for(std::chrono::milliseconds(random() % 120));
    if (random() % 2 == 0) {
      federation_->kill_gateway();
      federation_->start_gateway();
    } else {
      const std::size_t victim = random() % kDevices;
      federation_->kill_device(name(victim));
      start_device(victim);
    }
  }
  // It still learns, with everybody in it.
  const std::size_t finished = finished_rounds();
  wait_for_rounds(finished + 2);
  federation_->stop_devices();
  federation_->stop_gateway();

  const Database database(this->database());
  EXPECT_EQ(database.rows("PRAGMA integrity_check"), std::vector<Database::Row>{{"ok"}});
  std::set<DeviceRound> stored;
  for (const auto& row : database.rows("SELECT device, round FROM updates")) {
    EXPECT_TRUE(stored.emplace(row[0], static_cast<std::uint32_t>(std::stoul(row[1]))).second);
  }
  for (const auto& [device, round] : acknowledged()) {
    EXPECT_TRUE(stored.contains({device, round}))
        << device << " was told that its update for round " << round << " is stored";
  }
  EXPECT_GE(acknowledged().size(), 2 * kDevices);

  // What a released model says it averaged is what is stored for its round: none lost between
  // storing and counting, none counted twice.
  const json models = federation_->operate({"model", "list"});
  std::size_t checked = 0;
  for (const json& model : models.at("models")) {
    const std::uint32_t round = model.at("round");
    if (round == 0) continue;
    const auto of_round = std::count_if(stored.begin(), stored.end(), [round](const auto& update) {
      return update.second == round;
    });
    EXPECT_EQ(model.at("contributor_count"), of_round) << "round " << round;
    ++checked;
  }
  EXPECT_GE(checked, 3U);
  // A round is closed once.
  EXPECT_TRUE(
      database.rows("SELECT round FROM models WHERE round > 0 GROUP BY round HAVING count(*) > 1")
          .empty());
}

}  // namespace
}  // namespace skep::e2e

// Sensor nodes in a federation: skep-monitor on two cores, fed over its sensor's line, and the same
// SDK on this machine with the same readings. They learn one autoencoder in two rounds from what
// came in as readings; their scores agree bit for bit; an anomaly raises an alarm, garbage nothing.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <memory>
#include <nlohmann/json.hpp>
#include <numbers>
#include <span>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "skep/core/prng.h"
#include "skep/demo/federated_data.h"
#include "skep/demo/federation.h"
#include "skep/demo/local_update.h"
#include "skep/port_baremetal/sensor_frame.h"
#include "support/monitor_twin.h"
#include "support/sensor_board.h"

namespace skep::e2e {
namespace {

using namespace std::chrono_literals;
using port_baremetal::DayWatch;
using round::EventKind;
using Readings = std::vector<std::int32_t>;

constexpr std::array<const char*, 2> kBoards{"mps2_an386", "mps2_an505"};
constexpr std::uint32_t kSeed = 17;
constexpr std::uint32_t kRefreshMs = 200;
constexpr int kReadingsPerDay = 24 * DayWatch::kReadingsPerHour;
constexpr auto kReportInterval = 1'100ms;  // of losses: a second
const std::string kTwin = "twin";

// A machine's temperature, millidegrees, every five minutes: its day, and noise.
class Machine {
 public:
  explicit Machine(std::uint32_t seed) : random_(seed) {}

  std::int32_t next() {
    const double phase = 2 * std::numbers::pi * (readings_++ % kReadingsPerDay) / kReadingsPerDay;
    const auto noise = static_cast<std::int32_t>(random_.next() % 1'201) - 600;
    return 72'000 + static_cast<std::int32_t>(std::lround(6'000 * std::sin(phase))) + noise;
  }

  Readings hours(int count) {
    Readings readings(static_cast<std::size_t>(count) * DayWatch::kReadingsPerHour);
    std::ranges::generate(readings, [&] { return next(); });
    return readings;
  }

 private:
  Xorshift32 random_;
  int readings_ = 0;
};

// Windows of another such machine, by a scale of its own: the gateway's hold-out set.
std::vector<learn_testing::Sample> held_out_windows() {
  DayWatch watch;
  Machine machine(kSeed + 1);
  std::vector<learn_testing::Sample> samples;
  while (samples.size() < 48) {
    const std::int32_t reading = machine.next();
    const auto features = watch.observer().take(std::span(&reading, 1), 0);
    if (!features.ok()) throw std::runtime_error(to_string(features.status()));
    if (!features->empty()) samples.push_back({{features->begin(), features->end()}, 0});
  }
  return samples;
}

demo::RoundRecipe recipe() {
  demo::RoundRecipe recipe;
  recipe.quorum = 1'000;  // the test closes the rounds itself
  recipe.max_rounds = 0;
  recipe.learning_rate_shift = 5;
  recipe.keep_permille = 1000;  // 73 parameters: nothing to leave out
  recipe.value_bits = 16;
  return recipe;
}

demo::FirstModel autoencoder() {
  return {.name = "machine", .options = {}, .spec_text = R"(inputs: 24  input_exponent: -12
loss: LOSS_MEAN_SQUARED_ERROR
layers { kind: LAYER_KIND_DENSE outputs: 1 }
layers { kind: LAYER_KIND_TANH }
layers { kind: LAYER_KIND_DENSE outputs: 24 }
)"};
}

// The console's lines for what the twin saw.
std::string reading_line(std::size_t count, const Result<observe::Observation>& seen) {
  std::string line =
      "reading count=" + std::to_string(count) + " status=" + to_string(seen.status());
  if (!seen.ok()) return line;
  if (seen->is_sample) line += seen->is_kept ? " kept=1" : " kept=0";
  if (!seen->score) return line;
  line += " loss_q16=" + std::to_string(seen->score->loss_q16);
  if (seen->score->threshold_q16 != UINT32_MAX) {
    line += " threshold_q16=" + std::to_string(seen->score->threshold_q16);
  }
  return line + (seen->score->is_anomaly ? " anomaly=1" : " anomaly=0");
}

class SensorNodes : public testing::Test {
 protected:
  SensorNodes() {
    demo::write_csv(folder_.path() / "held-out.csv", held_out_windows());
    federation_ =
        std::make_unique<demo::Federation>(SKEP_BIN_DIR, folder_.path() / "federation", recipe(),
                                           folder_.path() / "held-out.csv", kSeed, autoencoder());
    federation_->enrol(kTwin);
    for (const char* board : kBoards) federation_->enrol(machine_name(board));
  }

  void start_all() {
    federation_->start_gateway();
    twin_ = std::make_unique<MonitorTwin>(
        demo::load_credentials(federation_->credentials_of(kTwin)), kSeed);
    for (const char* board : kBoards) start_board(board);
  }

  void start_board(const std::string& board) {
    const auto file = federation_->credentials_of(machine_name(board));
    boards_.emplace_back(board, folder_.path(),
                         BoardProvision{.credentials = file,
                                        .gateway_port = static_cast<std::uint16_t>(
                                            demo::load_credentials(file).gateway_port),
                                        .training_seed = kSeed,
                                        .refresh_ms = kRefreshMs});
    boards_.back().start();
  }

  // The twin sees a reading first; what the boards are to print of it is remembered.
  Result<observe::Observation> show_twin(std::int32_t reading) {
    const auto seen = twin_->observe(reading);
    expected_readings_.push_back(reading_line(expected_readings_.size() + 1, seen));
    if (seen.ok() && seen->score && seen->score->begins_alarm) {
      expected_alarms_.push_back("alarm count=" + std::to_string(expected_readings_.size()) +
                                 " loss_q16=" + std::to_string(seen->score->loss_q16) +
                                 " threshold_q16=" + std::to_string(seen->score->threshold_q16));
    }
    return seen;
  }

  void feed(const Readings& readings) {
    for (const std::int32_t reading : readings) (void)show_twin(reading);
    for (SensorBoard& board : boards_) board.send_readings(readings);
    check_consoles();
  }

  // Up to the reading after which a round is worth it, so that nobody begins one before.
  void feed_until_worth_a_round() {
    Readings readings;
    while (!twin_->takes_part()) {
      ASSERT_LT(readings.size(), 400U * DayWatch::kReadingsPerHour);
      readings.push_back(machine_.next());
      (void)show_twin(readings.back());
    }
    for (SensorBoard& board : boards_) board.send_readings(readings);
    check_consoles();
  }

  void check_consoles() {
    for (SensorBoard& board : boards_) {
      EXPECT_EQ(board.console().readings, expected_readings_) << board.name();
      EXPECT_EQ(board.console().alarms, expected_alarms_) << board.name();
    }
  }

  void wait_for_boards(const std::string& event, std::size_t count) {
    const auto limit = std::chrono::steady_clock::now() + 60s;
    for (SensorBoard& board : boards_) {
      while (board.events(event).size() < count) {
        federation_->check_alive();
        board.check_alive();
        ASSERT_LT(std::chrono::steady_clock::now(), limit) << board.printed();
        std::this_thread::sleep_for(5ms);
      }
    }
  }

  void wait_for_model(std::uint32_t version) {
    ASSERT_TRUE(twin_->run_until([&] { return twin_->model_version() == version; }));
    wait_for_boards("ModelInstalled", version);
    for (SensorBoard& board : boards_) {
      EXPECT_EQ(number_in(board.events("ModelInstalled").back(), "model_version"), version);
    }
  }

  // All train on what they have observed, and agree on what that does to the loss.
  void train(std::uint32_t round) {
    ASSERT_TRUE(twin_->run_until(
        [&] { return twin_->events(EventKind::kUpdateAccepted).size() == round; }));
    ASSERT_NO_FATAL_FAILURE(wait_for_boards("UpdateAccepted", round));
    const round::Event stored = twin_->events(EventKind::kUpdateStored).back();
    EXPECT_LT(stored.loss_after_q16, stored.loss_before_q16);
    for (SensorBoard& board : boards_) {
      ASSERT_EQ(board.events("UpdateStored").size(), round) << board.printed();
      const std::string line = board.events("UpdateStored").back();
      EXPECT_EQ(number_in(line, "sample_count"), stored.sample_count);
      EXPECT_EQ(number_in(line, "loss_before_q16"), stored.loss_before_q16);
      EXPECT_EQ(number_in(line, "loss_after_q16"), stored.loss_after_q16);
    }
    (void)federation_->operate({"round", "aggregate", "--force"});
  }

  void learn_two_rounds() {
    for (std::uint32_t round = 1; round <= 2; ++round) {
      ASSERT_NO_FATAL_FAILURE(wait_for_model(round));
      ASSERT_NO_FATAL_FAILURE(feed_until_worth_a_round());
      ASSERT_NO_FATAL_FAILURE(train(round));
    }
    ASSERT_NO_FATAL_FAILURE(wait_for_model(3));
  }

  process::TemporaryDirectory folder_;
  std::unique_ptr<demo::Federation> federation_;
  std::unique_ptr<MonitorTwin> twin_;
  std::vector<SensorBoard> boards_;
  Machine machine_{kSeed};
  std::vector<std::string> expected_readings_;  // since the boards were powered on
  std::vector<std::string> expected_alarms_;
};

// Bytes that the board says it has lost, or could make nothing of.
std::uint64_t lost_bytes(SensorBoard& board) {
  const std::vector<std::string>& lines = board.console().sensors;
  if (lines.empty()) return 0;
  return number_in(lines.back(), "skipped_bytes") + number_in(lines.back(), "overruns");
}

std::vector<std::uint8_t> frame_of(std::int32_t reading) {
  std::vector<std::uint8_t> frame(port_baremetal::sensor_frame_bytes(1));
  EXPECT_EQ(port_baremetal::encode_sensor_frame(std::span(&reading, 1), frame), Status::kOk);
  return frame;
}

// Random bytes, a frame with a wrong checksum, frames that are cut short: each byte is counted.
void send_garbage(SensorBoard& board) {
  Xorshift32 random(kSeed);
  std::vector<std::uint8_t> garbage(2'000);
  // 0xA5 begins a frame: without it nothing of this is one.
  std::ranges::generate(garbage, [&] { return static_cast<std::uint8_t>(random.next() % 0xA5); });
  const std::vector<std::uint8_t> frame = frame_of(70'000);
  garbage.insert(garbage.end(), frame.begin(), frame.end());
  garbage.back() ^= 1U;
  for (std::size_t bytes = 1; bytes < frame.size(); ++bytes) {
    garbage.insert(garbage.end(), frame.begin(),
                   frame.begin() + static_cast<std::ptrdiff_t>(bytes));
  }
  garbage.insert(garbage.end(), frame.size(), 0);  // ends what the last one began
  board.send(garbage);
  const auto limit = std::chrono::steady_clock::now() + 60s;
  while (lost_bytes(board) < garbage.size()) {
    ASSERT_LT(std::chrono::steady_clock::now(), limit) << board.printed();
    std::this_thread::sleep_for(5ms);
  }
  EXPECT_EQ(lost_bytes(board), garbage.size());
}

TEST_F(SensorNodes, LearnFromTheirReadingsAndRaiseAlarms) {
  start_all();
  ASSERT_NO_FATAL_FAILURE(learn_two_rounds());

  // A usual day and more. Too few samples for a reason to train: nobody begins another round.
  const std::size_t alarms_before = expected_alarms_.size();
  feed(machine_.hours(28));
  EXPECT_EQ(expected_alarms_.size(), alarms_before);

  for (SensorBoard& board : boards_) ASSERT_NO_FATAL_FAILURE(send_garbage(board));
  feed({1 << 23, -(1 << 23) - 1});  // no converter delivers that: refused, and nothing changes
  EXPECT_TRUE(expected_readings_.back().ends_with("status=InvalidArgument"));
  feed(machine_.hours(1));
  EXPECT_EQ(expected_alarms_.size(), alarms_before);

  // It cools down.
  Readings failure = machine_.hours(8);
  for (std::int32_t& reading : failure) reading -= 30'000;
  feed(failure);
  EXPECT_EQ(expected_alarms_.size(), alarms_before + 1);

  // The power fails. What the scale is and what is unusual, the boards still know.
  for (SensorBoard& board : boards_) board.kill();
  twin_->reset();
  ASSERT_TRUE(twin_->knows_scale());
  ASSERT_NE(twin_->threshold_q16(), UINT32_MAX);
  expected_readings_.clear();
  expected_alarms_.clear();
  for (SensorBoard& board : boards_) {
    board.start();
    const std::string boot = board.console().boots.back();
    EXPECT_EQ(number_in(boot, "scale_known"), 1U) << boot;
    EXPECT_EQ(number_in(boot, "threshold_q16"), twin_->threshold_q16()) << boot;
    EXPECT_EQ(number_in(boot, "model_version"), 3U) << boot;
  }
  feed(machine_.hours(28));
  EXPECT_TRUE(expected_alarms_.empty());
  failure = machine_.hours(2);
  for (std::int32_t& reading : failure) reading -= 30'000;
  feed(failure);
  EXPECT_EQ(expected_alarms_.size(), 1U);

  for (const nlohmann::json& model : federation_->operate({"model", "list"}).at("models")) {
    if (model.at("round").get<std::uint32_t>() == 0) continue;
    EXPECT_EQ(model.at("contributor_count"), kBoards.size() + 1) << model;
  }
}

// A sensor that does not wait for anybody, while the board has a handshake to calculate: what comes
// too fast is lost, and the board knows how much. All of it are readings that change nothing.
TEST_F(SensorNodes, CountEveryByteThatTheyLose) {
  federation_->start_gateway();
  start_board(kBoards.front());
  SensorBoard& board = boards_.front();
  const std::vector<std::uint8_t> frame = frame_of(INT32_MAX);
  std::vector<std::uint8_t> burst;
  for (int i = 0; i < 1'000; ++i) burst.insert(burst.end(), frame.begin(), frame.end());
  std::size_t sent = 0;
  const auto limit = std::chrono::steady_clock::now() + 60s;
  const auto overruns = [&] {
    const std::vector<std::string>& lines = board.console().sensors;
    return lines.empty() ? 0 : number_in(lines.back(), "overruns");
  };
  while (overruns() == 0) {
    ASSERT_LT(std::chrono::steady_clock::now(), limit) << "nothing is lost: a faster sensor!";
    board.send(burst);
    sent += burst.size();
    std::this_thread::sleep_for(kReportInterval);
  }
  const std::vector<std::uint8_t> end(frame.size(), 0);  // of what a cut frame began
  while (board.console().readings.size() * frame.size() + lost_bytes(board) != sent) {
    ASSERT_LT(std::chrono::steady_clock::now(), limit) << sent << board.printed();
    board.send(end);
    sent += end.size();
    std::this_thread::sleep_for(kReportInterval);
  }
  for (const std::string& line : board.console().readings) {
    ASSERT_TRUE(line.ends_with(" status=InvalidArgument")) << line;
  }
}

}  // namespace
}  // namespace skep::e2e

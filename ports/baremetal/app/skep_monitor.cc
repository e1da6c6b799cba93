// The SDK as the firmware of a sensor node: it learns what is usual from the readings of its own
// sensor, together with others, and says when something is not.
//
// Readings come over the board's sensor line (skep/port_baremetal/sensor_frame.h), one channel.
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "node.h"
#include "platform_parts.h"
#include "skep/port_baremetal/board.h"
#include "skep/port_baremetal/day_watch.h"
#include "skep/port_baremetal/line.h"
#include "skep/port_baremetal/sensor_frame.h"
#include "skep/port_baremetal/sensor_line.h"

namespace skep::port_baremetal {
namespace {

constexpr int kExitNoSensor = 5;
constexpr std::uint16_t kNoLabel = 0;
constexpr std::size_t kBytesAtOnce = 64;
constexpr std::uint64_t kReportIntervalMs = 1'000;

// How much of the line was lost. It only grows.
struct LineLosses {
  std::uint32_t skipped_bytes = 0;
  std::uint32_t bad_frames = 0;
  std::uint32_t overruns = 0;

  friend bool operator==(const LineLosses&, const LineLosses&) = default;
};

alignas(8) std::array<std::byte, std::size_t{8} * 1024> workspace;
DayWatch watch;
SensorFrameReader frames(DayWatch::kWindow.channels);
std::uint32_t reading_count = 0;
LineLosses reported_losses;
std::uint64_t next_report_ms = 0;

void add_score(Line& line, const observe::Score& score) {
  line.field("loss_q16", score.loss_q16);
  if (score.threshold_q16 != UINT32_MAX) line.field("threshold_q16", score.threshold_q16);
}

void take(std::span<const std::int32_t> readings) {
  const Result<observe::Observation> seen = node::device().observe(readings, kNoLabel);
  ++reading_count;
  Line line;
  line.text("reading").field("count", reading_count).field("status", to_string(seen.status()));
  const bool is_scored = seen.ok() && seen->score.has_value();
  if (seen.ok() && seen->is_sample) line.field("kept", seen->is_kept ? 1U : 0U);
  if (is_scored) {
    add_score(line, *seen->score);
    line.field("anomaly", seen->score->is_anomaly ? 1U : 0U);
  }
  line.end();
  if (!is_scored || !seen->score->begins_alarm) return;
  line.text("alarm").field("count", reading_count);
  add_score(line, *seen->score);
  line.end();
}

// Returns whether there was anything.
bool read_sensor() {
  std::array<std::uint8_t, kBytesAtOnce> bytes;
  const std::size_t count = board::sensor_line().read(bytes);
  for (const std::uint8_t byte : std::span(bytes).first(count)) {
    if (frames.push(byte)) take(frames.readings());
  }
  return count != 0;
}

// At most once a second: a line full of garbage must not fill the console.
void report_losses() {
  const LineLosses losses{.skipped_bytes = frames.skipped_bytes(),
                          .bad_frames = frames.bad_frames(),
                          .overruns = board::sensor_line().overruns()};
  if (losses == reported_losses) return;
  const std::uint64_t now_ms = BoardClock().now_ms();
  if (now_ms < next_report_ms) return;
  next_report_ms = now_ms + kReportIntervalMs;
  reported_losses = losses;
  Line line;
  line.text("sensor").field("skipped_bytes", losses.skipped_bytes);
  line.field("bad_frames", losses.bad_frames).field("overruns", losses.overruns).end();
}

void start() {
  node::open(workspace);
  node::start(watch.buffer(), &watch.observer());
  if (const Status status = board::sensor_line().start(); status != Status::kOk) {
    node::give_up(kExitNoSensor, "sensor", status);
  }
  Line line;
  node::say_booted(line);
  line.field("scale_known", watch.scaler().is_ready() ? 1U : 0U);
  const std::uint32_t threshold_q16 = watch.anomalies().threshold_q16();
  if (threshold_q16 != UINT32_MAX) line.field("threshold_q16", threshold_q16);
  line.end();
}

[[noreturn]] void serve() {
  for (;;) {
    const bool has_read = read_sensor();
    report_losses();
    // Woken by the sensor's bytes, and at least every 20 ms: soon enough for everything else.
    if (node::poll() != 0 && !has_read) board::wait_for_interrupt();
  }
}

}  // namespace
}  // namespace skep::port_baremetal

int main() {
  skep::port_baremetal::start();
  skep::port_baremetal::serve();
}

// skep-bench-load: what skepd takes on one machine, beside what its cryptography alone takes.
//
// N devices are enrolled in a real federation and seal one real update each. Then, on loopback:
// N DTLS handshakes, N updates from the first POST to the last receipt, and skepd's peak memory
// with N live sessions. The primitives alone (ECDSA verification and HPKE opening of the same
// updates, one thread) are timed in the same run, so that the ratio of both is worth something on
// any machine. The devices share the cores with skepd, and theirs is half of the DTLS.

#include <coap3/coap.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <ctime>
#include <exception>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>
#include <thread>

#include "gateway_run.h"
#include "one_device.h"
#include "opener.h"
#include "programs.h"
#include "skep/learn_testing/digits.h"
#include "skep/seal/crypto.h"
#include "skep/wire/resources.h"

namespace skep::bench {
namespace {

using Clock = std::chrono::steady_clock;

// More at once would overflow the default receive buffer of skepd's socket (208 KiB), and what is
// measured then is the retransmission timer.
constexpr std::size_t kMaxUpdatesUnderWay = 64;
constexpr std::size_t kMaxHandshakesUnderWay = 32;
constexpr double kMinPrimitivesSeconds = 1;

// One thing done over and over: by the clock on the wall, and what it took of a processor.
struct Pace {
  double wall_s = 0;
  double cpu_s = 0;
  double count = 0;

  [[nodiscard]] double per_second() const { return count / wall_s; }
  [[nodiscard]] double cpu_ms() const { return 1000 * cpu_s / count; }
};

struct Figures {
  std::size_t devices = 0;
  unsigned cores = 0;
  std::size_t update_bytes = 0;               // mean
  Pace handshakes;                            // CPU of skepd
  Pace updates;                               // CPU of skepd
  Pace primitives;                            // one thread
  std::uint64_t peak_rss_before_bytes = 0;    // no session
  std::uint64_t peak_rss_sessions_bytes = 0;  // N sessions, no update
  std::uint64_t peak_rss_bytes = 0;           // N sessions, N updates

  // 1: as fast as the primitives alone would be on all cores.
  [[nodiscard]] double throughput_ratio() const {
    return updates.per_second() / (cores * primitives.per_second());
  }
  // 1: skepd spends no more than the primitives do.
  [[nodiscard]] double cpu_ratio() const { return updates.cpu_ms() / primitives.cpu_ms(); }
};

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

// Keeps at most `window` of `count` things under way; `is_done(i)` tells whether i has ended.
class Window {
 public:
  Window(std::size_t count, std::size_t window) : count_(count), window_(window) {}

  template <typename Start, typename IsDone>
  bool advance(const Start& start, const IsDone& is_done) {
    std::erase_if(under_way_, is_done);
    for (; under_way_.size() < window_ && next_ < count_; ++next_) {
      start(next_);
      under_way_.push_back(next_);
    }
    return under_way_.empty();
  }

 private:
  std::size_t count_;
  std::size_t window_;
  std::size_t next_ = 0;
  std::vector<std::size_t> under_way_;
};

Sessions make_sessions(const GatewayRun& run, std::size_t count) {
  Sessions sessions;
  for (std::size_t i = 0; i < count; ++i) {
    sessions.push_back(std::make_unique<Session>(run.credentials()[i], run.port()));
  }
  return sessions;
}

template <typename Work>
Pace measure_gateway(const GatewayRun& run, std::size_t count, const Work& work) {
  const double cpu_before = run.cpu_seconds();
  const auto start = Clock::now();
  work();
  return {.wall_s = seconds_since(start),
          .cpu_s = run.cpu_seconds() - cpu_before,
          .count = static_cast<double>(count)};
}

void shake_hands(const Sessions& sessions) {
  Window window(sessions.size(), kMaxHandshakesUnderWay);
  drive(sessions, [&] {
    return window.advance([&](std::size_t i) { sessions[i]->open(); },
                          [&](std::size_t i) { return sessions[i]->is_established(); });
  });
}

void send_updates(const Sessions& sessions, const std::vector<Buffer>& updates) {
  Window window(sessions.size(), kMaxUpdatesUnderWay);
  drive(sessions, [&] {
    return window.advance([&](std::size_t i) { sessions[i]->post(wire::kUpdatesPath, updates[i]); },
                          [&](std::size_t i) { return sessions[i]->is_answered(); });
  });
}

double own_cpu_seconds() {
  timespec time{};
  (void)::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
}

Pace measure_primitives(const GatewayRun& run, const demo::Task& task,
                        const std::vector<Buffer>& updates) {
  Opener opener(run.directory(), task.plan);
  std::vector<seal::VerifyingKey> keys;
  for (const auto& credentials : run.credentials()) keys.push_back(verifying_key_of(credentials));
  Pace pace;
  const double cpu_before = own_cpu_seconds();
  const auto start = Clock::now();
  while (seconds_since(start) < kMinPrimitivesSeconds) {
    for (std::size_t i = 0; i < updates.size(); ++i) (void)opener.open(updates[i], keys[i]);
    pace.count += static_cast<double>(updates.size());
  }
  pace.wall_s = seconds_since(start);
  pace.cpu_s = own_cpu_seconds() - cpu_before;
  return pace;
}

demo::Task fetch_task(const GatewayRun& run) {
  const Sessions sessions = make_sessions(run, 1);
  Session& session = *sessions.front();
  const auto answered = [&] { return session.is_answered(); };
  session.open();
  drive(sessions, [&] { return session.is_established(); });
  session.get(wire::kRoundPath, "", false);
  drive(sessions, answered);
  const Buffer plan = session.body();
  session.get(wire::kModelPath, "v=1", false);
  drive(sessions, answered);
  return demo::make_task(plan, session.body());
}

Figures measure_load(const RunOptions& options) {
  std::fprintf(stderr, "enrolling %u devices\n", options.devices);
  const GatewayRun run(options);
  Figures figures;
  figures.devices = options.devices;
  figures.cores = std::max(1U, std::thread::hardware_concurrency());
  const demo::Task task = fetch_task(run);
  std::fprintf(stderr, "training and sealing their updates\n");
  std::vector<Buffer> updates;
  for (std::size_t i = 0; i < options.devices; ++i) {
    updates.push_back(run.update_of(i, task));
    figures.update_bytes += updates.back().size();
  }
  figures.update_bytes /= updates.size();

  std::fprintf(stderr, "handshakes, then updates\n");
  figures.peak_rss_before_bytes = run.peak_rss_bytes();
  const Sessions sessions = make_sessions(run, options.devices);
  figures.handshakes = measure_gateway(run, options.devices, [&] { shake_hands(sessions); });
  figures.peak_rss_sessions_bytes = run.peak_rss_bytes();
  figures.updates = measure_gateway(run, options.devices, [&] { send_updates(sessions, updates); });
  figures.peak_rss_bytes = run.peak_rss_bytes();
  if (run.received() != options.devices) {
    throw std::runtime_error("skepd does not have every update that it acknowledged");
  }
  std::fprintf(stderr, "the primitives alone\n");
  figures.primitives = measure_primitives(run, task, updates);
  return figures;
}

nlohmann::ordered_json to_json(const Figures& figures) {
  return {{"devices", figures.devices},
          {"cores", figures.cores},
          {"update_bytes", figures.update_bytes},
          {"handshakes_per_s", figures.handshakes.per_second()},
          {"updates_per_s", figures.updates.per_second()},
          {"primitives_per_s_one_thread", figures.primitives.per_second()},
          {"updates_over_primitives_on_all_cores", figures.throughput_ratio()},
          {"skepd_cpu_ms_per_handshake", figures.handshakes.cpu_ms()},
          {"skepd_cpu_ms_per_update", figures.updates.cpu_ms()},
          {"primitives_cpu_ms_per_update", figures.primitives.cpu_ms()},
          {"skepd_cpu_over_primitives_cpu", figures.cpu_ratio()},
          {"peak_rss_bytes_before", figures.peak_rss_before_bytes},
          {"peak_rss_bytes_with_sessions", figures.peak_rss_sessions_bytes},
          {"peak_rss_bytes", figures.peak_rss_bytes}};
}

std::string to_text(const Figures& figures) {
  std::string text;
  const nlohmann::ordered_json values = to_json(figures);
  for (const auto& [name, value] : values.items()) {
    char line[96];
    std::snprintf(line, sizeof(line), "%-38s %14.*f\n", name.c_str(),
                  value.is_number_float() ? 3 : 0, value.get<double>());
    text += line;
  }
  return text;
}

int run(int argc, char** argv) {
  RunOptions options;
  options.programs = own_folder();
  options.data = learn_testing::digits_path();
  std::string format = "text";
  bool one_device = false;
  CLI::App app("What skepd takes on this machine, on loopback.", "skep-bench-load");
  app.add_option("--bin-dir", options.programs, "Folder of skepd and skepctl")
      ->capture_default_str();
  app.add_option("--data", options.data, "digits.csv (tools/deps/fetch)")->capture_default_str();
  // The gateway keeps 4,096 sessions; a descriptor or two of ours each, and 1,024 is a usual limit.
  app.add_option("--devices", options.devices)->check(CLI::Range(1, 250))->capture_default_str();
  app.add_option("--seed", options.seed)->check(CLI::Range(1U, UINT32_MAX))->capture_default_str();
  app.add_flag("--one-device", one_device, "Bytes of one device's round, by part and by layer");
  app.add_option("--format", format)->check(CLI::IsMember({"text", "json"}))->capture_default_str();
  CLI11_PARSE(app, argc, argv);

  try {
    const bool as_json = format == "json";
    if (seal::initialize_crypto() != Status::kOk) throw std::runtime_error("no cryptography");
    coap_set_log_level(COAP_LOG_EMERG);
    std::string text;
    if (one_device) {
      text = measure_one_device(options, as_json);
    } else {
      const Figures figures = measure_load(options);
      text = as_json ? to_json(figures).dump(2) + "\n" : to_text(figures);
    }
    std::fputs(text.c_str(), stdout);
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "skep-bench-load: error: %s\n", error.what());
    return 1;
  }
}

}  // namespace
}  // namespace skep::bench

int main(int argc, char** argv) { return skep::bench::run(argc, argv); }

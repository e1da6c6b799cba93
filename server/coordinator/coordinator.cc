#include "skep/coordinator/coordinator.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <exception>
#include <mutex>
#include <utility>

#include "board.h"
#include "round_engine.h"
#include "skep/release/error.h"
#include "skep/store/store.h"
#include "worker.h"

namespace skep::coordinator {
namespace {

const char* phase_of(store::RoundState state) {
  switch (state) {
    case store::RoundState::kOpen:
      return "open";
    case store::RoundState::kAggregating:
      return "aggregating";
    default:
      return "closed";
  }
}

// The closed rounds' state is their outcome; of an open one it is not known yet.
const char* outcome_of(store::RoundState state) {
  return store::to_string(state == store::RoundState::kAggregating ? store::RoundState::kOpen
                                                                   : state);
}

RoundSummary summarize(const store::Round& round, const Traffic& unsaved) {
  RoundSummary summary;
  summary.round = round.id;
  summary.base_version = round.base_version;
  summary.state = phase_of(round.state);
  summary.outcome = outcome_of(round.state);
  summary.received = round.totals.received;
  summary.refused = round.refused + unsaved.refused;
  summary.bytes_up = round.totals.bytes_up;
  summary.bytes_down = round.bytes_down + unsaved.bytes_down;
  if (round.totals.loss_q16) summary.mean_loss = *round.totals.loss_q16 / 65536.0;
  if (round.version != 0) summary.version = round.version;
  if (round.evaluation_samples != 0) {
    summary.accuracy = static_cast<double>(round.evaluation_correct) / round.evaluation_samples;
  }
  return summary;
}

}  // namespace

class Coordinator::Engine {
 public:
  Engine(const std::filesystem::path& database, const Settings& given, const Keys& keys,
         std::int64_t now_unix_s)
      : settings(given),
        rounds(database, settings, keys, board, [this] { plan_changed(); }),
        reader(store::Store::open(database)),
        worker([this] { aggregate_if_due(); }) {
    board.set_now(now_unix_s);
    rounds.resume();
    worker.start();
  }

  ~Engine() {
    worker.stop();
    try {
      rounds.save_traffic();
    } catch (const std::exception& error) {
      spdlog::warn("counters of the open round are lost: {}", error.what());
    }
  }

  /// Runs a command on the worker's thread; a ReleaseError becomes a CoordinatorError.
  template <typename Command>
  Outcome call(Command command) {
    try {
      return worker.call(std::move(command));
    } catch (const release::ReleaseError& error) {
      throw CoordinatorError(error.status(), error.what());
    }
  }

  void aggregate_if_due() {
    try {
      while (rounds.is_due()) rounds.aggregate(false, {});
    } catch (const std::exception& error) {
      spdlog::error("aggregation failed, it will be repeated: {}", error.what());
    }
  }

  void plan_changed() {
    const std::lock_guard lock(callback_mutex);
    if (callback) callback();
  }

  const Settings settings;
  Board board;
  RoundEngine rounds;  // used by the worker's thread once that runs

  std::mutex reader_mutex;
  store::Store reader;

  std::mutex callback_mutex;
  std::function<void()> callback;

  Worker worker;
};

Coordinator::Coordinator(const std::filesystem::path& database, const Settings& settings,
                         const Keys& keys, std::int64_t now_unix_s) {
  check(settings);
  engine_ = std::make_unique<Engine>(database, settings, keys, now_unix_s);
}

Coordinator::~Coordinator() = default;

std::shared_ptr<const PublishedPlan> Coordinator::signed_plan() const {
  return engine_->board.plan();
}

std::shared_ptr<const std::vector<std::uint8_t>> Coordinator::model_package(std::uint32_t version) {
  if (auto served = engine_->board.package(version)) return served;
  const std::lock_guard lock(engine_->reader_mutex);
  auto model = engine_->reader.model(version);
  if (!model || model->state != store::Model::kReleased) return nullptr;
  return std::make_shared<const std::vector<std::uint8_t>>(std::move(model->package));
}

void Coordinator::on_plan_changed(std::function<void()> callback) {
  const std::lock_guard lock(engine_->callback_mutex);
  engine_->callback = std::move(callback);
}

void Coordinator::tick(std::int64_t now_unix_s) {
  engine_->board.set_now(now_unix_s);
  engine_->worker.poke();
}

void Coordinator::count_download(std::uint32_t round, std::uint64_t bytes) {
  engine_->board.count_download(round, bytes);
}

Outcome Coordinator::aggregate_now(bool force, const audit::Actor& actor) {
  return engine_->call([&] { return engine_->rounds.aggregate(force, actor); });
}

Outcome Coordinator::rollback(std::uint32_t to_version, const audit::Actor& actor) {
  return engine_->call([&] { return engine_->rounds.rollback(to_version, actor); });
}

Outcome Coordinator::import_model(Bytes package, bool force, const audit::Actor& actor) {
  return engine_->call([&] { return engine_->rounds.import_model(package, force, actor); });
}

RoundStatus Coordinator::status() {
  const auto plan = engine_->board.plan();
  RoundStatus status;
  status.round = plan->round;
  status.open = plan->open;
  status.base_version = plan->base_version;
  status.quorum = engine_->settings.quorum;
  const std::int64_t deadline = engine_->board.deadline_unix_s();
  if (deadline != 0) {
    status.deadline_in_s = std::max<std::int64_t>(0, deadline - engine_->board.now_unix_s());
  }
  const std::lock_guard lock(engine_->reader_mutex);
  status.received = engine_->reader.update_count(plan->round);
  return status;
}

std::vector<RoundSummary> Coordinator::rounds() {
  auto traffic = engine_->board.traffic();
  const std::lock_guard lock(engine_->reader_mutex);
  std::vector<RoundSummary> summaries;
  for (const store::Round& round : engine_->reader.rounds()) {
    summaries.push_back(summarize(round, traffic[round.id]));
  }
  return summaries;
}

std::shared_ptr<const intake::RoundRules> Coordinator::open_round() const {
  return engine_->board.rules();
}

void Coordinator::updates_stored(std::uint32_t round, std::uint32_t count) {
  engine_->board.add_received(round, count);
  if (engine_->board.may_be_due(engine_->settings)) engine_->worker.poke();
}

void Coordinator::update_refused() { engine_->board.count_refusal(); }

}  // namespace skep::coordinator

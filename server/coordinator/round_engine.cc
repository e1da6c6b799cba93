#include "round_engine.h"

#include <spdlog/spdlog.h>

#include <string>
#include <utility>

#include "gather.h"
#include "skep/aggregate/average.h"

namespace skep::coordinator {
namespace {

constexpr std::int64_t kRetryAfterS = 10;

std::optional<double> accuracy_of(const server::Candidate& candidate,
                                  const wire::EvaluationMetrics& evaluation) {
  if (evaluation.sample_count == 0 || !release::has_accuracy(candidate.spec().loss)) {
    return std::nullopt;
  }
  return static_cast<double>(evaluation.correct_count) / evaluation.sample_count;
}

store::Model to_row(const server::Release& release, const Edition& edition) {
  return {.version = edition.version,
          .rolls_back_to = edition.rolls_back_to,
          .round = edition.round,
          .state = release.accepted() ? store::Model::kReleased : store::Model::kRejected,
          .package = release.package()};
}

void log(const char* what, const Outcome& outcome, std::uint32_t contributors) {
  spdlog::info("{}: round {}, version {} {}, {} contributors, accuracy {}", what, outcome.round,
               outcome.version, outcome.released ? "released" : "rejected", contributors,
               outcome.accuracy ? std::to_string(*outcome.accuracy) : "none");
}

}  // namespace

RoundEngine::RoundEngine(const std::filesystem::path& database, const Settings& settings,
                         const Keys& keys, Board& board, std::function<void()> plan_changed)
    : database_(database),
      settings_(settings),
      keys_(keys),
      board_(board),
      plan_changed_(std::move(plan_changed)),
      store_(store::Store::open(database)),
      publisher_(settings, keys.signing, store_.federation(), store_.model_name()) {}

void RoundEngine::resume() {
  const auto model = store_.released_model();
  if (!model) throw CoordinatorError(Status::kNotFound, "no released model in the database");
  base_ = publisher_.load_base(*model);
  if (model->version <= store_.model_version_floor()) {
    go_on_after_restore(*model);
    return;
  }

  auto open = store_.open_round();
  if (!open) {
    turn(nullptr, nullptr, std::nullopt, {});
    return;
  }
  const auto rules = make_rules(open->plan, base_);
  if (!is_current(rules->plan, base_, keys_.aggregation)) {
    spdlog::warn("round {} is abandoned: its plan is for another model or aggregation key",
                 open->id);
    open->state = store::RoundState::kAbandoned;
    open->closed_unix_s = board_.now_unix_s();
    turn(nullptr, &*open, std::nullopt, {.reason = "its plan no longer holds"});
    return;
  }
  interrupted_ = open->state == store::RoundState::kAggregating;
  spdlog::info("round {} is resumed with {} updates", open->id, open->totals.received);
  // Signed anew, to the same bytes unless the signing key was replaced.
  SignedPlan signed_plan = sign_plan(open->plan, keys_.signing);
  const std::uint32_t received = open->totals.received;
  show({.open = true, .row = *std::move(open), .message = std::move(signed_plan.message)},
       received);
}

void RoundEngine::go_on_after_restore(const store::Model& model) {
  const Outcome outcome = publish_again(model, store::RoundState::kAbandoned,
                                        {.reason = "the database was restored from a backup"});
  spdlog::warn("restored from a backup: version {} is released again as version {}", model.version,
               outcome.version);
}

bool RoundEngine::is_due() {
  if (interrupted_) return board_.now_unix_s() >= retry_unix_s_;
  if (!board_.may_be_due(settings_)) return false;
  const std::uint64_t events = board_.stored_events();
  return board_.settle_due(settings_, store_.update_count(board_.plan()->round), events);
}

Outcome RoundEngine::aggregate(bool force, const audit::Actor& actor) {
  auto round = store_.open_round();
  if (!round) throw CoordinatorError(Status::kWrongRound, "no round is open");
  if (round->state == store::RoundState::kOpen) {
    if (round->totals.received < settings_.minimum_updates) {
      throw CoordinatorError(Status::kRejected,
                             "round " + std::to_string(round->id) + " has " +
                                 std::to_string(round->totals.received) + " updates, at least " +
                                 std::to_string(settings_.minimum_updates) + " are needed");
    }
    store_.begin_aggregation(round->id);
    board_.close_intake();
  }
  // Until all is committed, the aggregation counts as interrupted and is repeated.
  interrupted_ = true;
  retry_unix_s_ = board_.now_unix_s() + kRetryAfterS;

  for (;;) {
    if (const auto outcome = try_to_close(*round, force, actor)) return *outcome;
    spdlog::warn("round {}: a device was revoked meanwhile, its update is taken out", round->id);
  }
}

std::optional<Outcome> RoundEngine::try_to_close(const store::Round& round, bool force,
                                                 const audit::Actor& actor) {
  const auto rules = make_rules(round.plan, base_);
  Gathered gathered =
      gather(database_, {.federation = store_.federation(), .key = keys_.aggregation}, *rules,
             settings_.workers);
  if (gathered.sum.contributor_count() < settings_.minimum_updates) {
    return abandon(round, "too few updates can be used", actor);
  }
  auto candidate = aggregate::average(gathered.sum, base_.spec, base_.weights);
  if (!candidate.ok()) return abandon(round, to_string(candidate.status()), actor);
  return close_with(publisher_.quantise_step(*std::move(candidate), base_), round, gathered.devices,
                    force,
                    {.actor = actor,
                     .contributors = std::move(gathered.contributors),
                     .reason = force ? "by force" : ""});
}

std::optional<Outcome> RoundEngine::close_with(const server::Candidate& candidate,
                                               store::Round round,
                                               const std::vector<std::string>& devices, bool force,
                                               const Cause& cause) {
  const Edition edition{.version = store_.last_model_version() + 1,
                        .rolls_back_to = 0,
                        .round = round.id,
                        .created_unix_s = board_.now_unix_s(),
                        .force = force};
  const server::Release release = publisher_.publish(candidate, base_, edition);
  const store::Model model = to_row(release, edition);
  round.state = release.accepted() ? store::RoundState::kReleased : store::RoundState::kRejected;
  round.closed_unix_s = edition.created_unix_s;
  round.version = edition.version;
  if (release::has_accuracy(candidate.spec().loss)) {
    round.evaluation_samples = release.evaluation().sample_count;
    round.evaluation_correct = release.evaluation().correct_count;
  }
  const Outcome outcome{.round = round.id,
                        .version = edition.version,
                        .released = release.accepted(),
                        .accuracy = accuracy_of(candidate, release.evaluation())};
  const bool closed = turn(
      &model, &round,
      release.accepted() ? std::optional(Publisher::to_base(candidate, release)) : std::nullopt,
      cause, &devices);
  if (!closed) return std::nullopt;
  log(force ? "aggregated by force" : "aggregated", outcome, candidate.contributor_count());
  return outcome;
}

Outcome RoundEngine::abandon(store::Round round, const char* reason, const audit::Actor& actor) {
  spdlog::error("round {} is abandoned: {}", round.id, reason);
  round.state = store::RoundState::kAbandoned;
  round.closed_unix_s = board_.now_unix_s();
  turn(nullptr, &round, std::nullopt, {.actor = actor, .reason = reason});
  return {.round = round.id, .version = 0, .released = false, .accuracy = std::nullopt};
}

Outcome RoundEngine::rollback(std::uint32_t to_version, const audit::Actor& actor) {
  const std::string name = "version " + std::to_string(to_version);
  if (to_version == base_.version) {
    throw CoordinatorError(Status::kInvalidArgument, name + " is the one that is served");
  }
  const auto old = store_.model(to_version);
  if (!old) throw CoordinatorError(Status::kNotFound, "there is no " + name);
  if (old->state == store::Model::kRejected) {
    throw CoordinatorError(Status::kRejected, name + " was rejected, it was never served");
  }
  return publish_again(*old, store::RoundState::kRolledBack, {.actor = actor});
}

Outcome RoundEngine::publish_again(const store::Model& old, store::RoundState closes_as,
                                   const Cause& cause) {
  const server::Candidate candidate = publisher_.candidate_from_own(old.package);
  const Edition edition{.version = store_.last_model_version() + 1,
                        .rolls_back_to = old.version,
                        .round = 0,
                        .created_unix_s = board_.now_unix_s(),
                        .force = true};
  const server::Release release = publisher_.publish(candidate, base_, edition);
  const store::Model model = to_row(release, edition);
  auto open = store_.open_round();
  if (open) {
    open->state = closes_as;
    open->closed_unix_s = edition.created_unix_s;
  }
  const Outcome outcome{.round = open ? open->id : 0,
                        .version = edition.version,
                        .released = true,
                        .accuracy = accuracy_of(candidate, release.evaluation())};
  turn(&model, open ? &*open : nullptr, Publisher::to_base(candidate, release), cause);
  log(("rolled back to version " + std::to_string(old.version)).c_str(), outcome,
      candidate.contributor_count());
  return outcome;
}

Outcome RoundEngine::import_model(Bytes package, bool force, const audit::Actor& actor) {
  const server::Candidate candidate = publisher_.candidate_from_foreign(package);
  const Edition edition{.version = store_.last_model_version() + 1,
                        .rolls_back_to = 0,
                        .round = 0,
                        .created_unix_s = board_.now_unix_s(),
                        .force = force};
  const server::Release release = publisher_.publish(candidate, base_, edition);
  const store::Model model = to_row(release, edition);
  Outcome outcome{.round = 0,
                  .version = edition.version,
                  .released = release.accepted(),
                  .accuracy = accuracy_of(candidate, release.evaluation())};
  const Cause cause{.actor = actor, .reason = force ? "imported by force" : "imported"};
  if (!release.accepted()) {
    store::Transaction transaction(store_);
    store_.insert_model(model);
    store_.append_audit(model_made(model, base_.version, cause, edition.created_unix_s));
    transaction.commit();
  } else {
    auto open = store_.open_round();
    if (open) {
      open->state = store::RoundState::kAbandoned;
      open->closed_unix_s = edition.created_unix_s;
      outcome.round = open->id;
    }
    turn(&model, open ? &*open : nullptr, Publisher::to_base(candidate, release), cause);
  }
  log(force ? "imported by force" : "imported", outcome, candidate.contributor_count());
  return outcome;
}

bool RoundEngine::turn(const store::Model* model, const store::Round* closed,
                       std::optional<Base> new_base, const Cause& cause,
                       const std::vector<std::string>* devices) {
  const auto traffic = board_.traffic();
  const std::int64_t now = board_.now_unix_s();
  store::Transaction transaction(store_);
  if (devices != nullptr && store_.update_devices(closed->id) != *devices) return false;
  if (model != nullptr) {
    store_.insert_model(*model);
    store_.append_audit(model_made(*model, base_.version, cause, now));
  }
  if (closed != nullptr) {
    store_.close_round(*closed);
    store_.append_audit(round_closed(*closed, cause, now));
  }
  save(traffic);
  const NextRound next = next_round(new_base ? *new_base : base_);
  if (next.open) {
    store_.insert_round(next.row);
    store_.append_audit(round_opened(next.row));
  }
  transaction.commit();

  if (new_base) base_ = *std::move(new_base);
  interrupted_ = false;
  board_.forget(traffic);
  show(next, 0);
  plan_changed_();
  return true;
}

RoundEngine::NextRound RoundEngine::next_round(const Base& base) {
  NextRound next;
  next.open = settings_.max_rounds == 0 || store_.aggregated_rounds() < settings_.max_rounds;
  const auto plan =
      make_plan(settings_, store_.federation(), base, keys_.aggregation, store_.last_round_id() + 1,
                next.open ? skep_RoundState_ROUND_STATE_OPEN : skep_RoundState_ROUND_STATE_IDLE);
  const std::int64_t now = board_.now_unix_s();
  next.row.id = plan.round;
  next.row.plan = encode_plan(plan);
  next.row.base_version = base.version;
  next.row.opened_unix_s = now;
  next.row.deadline_unix_s = settings_.deadline_s == 0 ? 0 : now + settings_.deadline_s;
  SignedPlan signed_plan = sign_plan(next.row.plan, keys_.signing);
  next.row.signature = std::move(signed_plan.signature);
  next.message = std::move(signed_plan.message);
  return next;
}

void RoundEngine::save(const std::map<std::uint32_t, Traffic>& traffic) {
  for (const auto& [round, each] : traffic) {
    store_.add_traffic(round, each.refused, each.bytes_down);
  }
}

void RoundEngine::save_traffic() {
  const auto traffic = board_.traffic();
  store::Transaction transaction(store_);
  save(traffic);
  transaction.commit();
  board_.forget(traffic);
}

void RoundEngine::show(const NextRound& round, std::uint32_t received) {
  auto plan = std::make_shared<const PublishedPlan>(PublishedPlan{.bytes = round.message,
                                                                  .round = round.row.id,
                                                                  .base_version = base_.version,
                                                                  .open = round.open});
  const bool accepts = round.open && round.row.state == store::RoundState::kOpen;
  board_.post(std::move(plan), base_.package, accepts ? make_rules(round.row.plan, base_) : nullptr,
              round.open ? round.row.deadline_unix_s : 0, received);
}

}  // namespace skep::coordinator

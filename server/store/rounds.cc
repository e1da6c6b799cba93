// The table of rounds.
#include "atomic_section.h"
#include "connection.h"
#include "skep/store/store.h"

namespace skep::store {
namespace {

RoundState read_state(const Query& row, int column) {
  return static_cast<RoundState>(row.integer(column));
}

bool is_closed(RoundState state) {
  return state != RoundState::kOpen && state != RoundState::kAggregating;
}

// Columns as in the table, plan and signature last.
constexpr const char* kSelectRound =
    "SELECT id, state, base_version, opened_unix_s, deadline_unix_s, closed_unix_s, refused, "
    "bytes_down, version, evaluation_samples, evaluation_correct, received, bytes_up, loss_q16, "
    "plan, signature FROM rounds WHERE id = ?";
constexpr const char* kSelectRounds =
    "SELECT id, state, base_version, opened_unix_s, deadline_unix_s, closed_unix_s, refused, "
    "bytes_down, version, evaluation_samples, evaluation_correct, received, bytes_up, loss_q16 "
    "FROM rounds ORDER BY id";

Round read_round(const Query& row) {
  Round round;
  round.id = row.u32(0);
  round.state = read_state(row, 1);
  round.base_version = row.u32(2);
  round.opened_unix_s = row.integer(3);
  round.deadline_unix_s = row.integer(4);
  round.closed_unix_s = row.integer(5);
  round.refused = row.u64(6);
  round.bytes_down = row.u64(7);
  round.version = row.u32(8);
  round.evaluation_samples = row.u32(9);
  round.evaluation_correct = row.u32(10);
  round.totals = {.received = row.u32(11), .bytes_up = row.u64(12), .loss_q16 = std::nullopt};
  if (!row.is_null(13)) round.totals.loss_q16 = row.u32(13);
  return round;
}

}  // namespace

const char* to_string(RoundState state) {
  switch (state) {
    case RoundState::kOpen:
      return "open";
    case RoundState::kAggregating:
      return "aggregating";
    case RoundState::kReleased:
      return "released";
    case RoundState::kRejected:
      return "rejected";
    case RoundState::kRolledBack:
      return "rolled_back";
    case RoundState::kAbandoned:
      return "abandoned";
  }
  return "unknown";
}

void Store::insert_round(const Round& round) {
  AtomicSection section(*connection_);
  if (const std::uint32_t last = last_round_id(); round.id <= last) {
    throw StoreError(Status::kInvalidArgument, "round " + std::to_string(round.id) +
                                                   " is not higher than " + std::to_string(last));
  }
  if (open_round()) throw StoreError(Status::kInvalidArgument, "a round is open already");
  connection_
      ->query(
          "INSERT INTO rounds (id, state, plan, signature, base_version, opened_unix_s, "
          "deadline_unix_s, closed_unix_s) VALUES (?, ?, ?, ?, ?, ?, ?, 0)",
          round.id, static_cast<int>(RoundState::kOpen), round.plan, round.signature,
          round.base_version, round.opened_unix_s, round.deadline_unix_s)
      .run();
  section.commit();
}

std::optional<Round> Store::round(std::uint32_t id) {
  std::optional<Round> round;
  {
    Query query = connection_->query(kSelectRound, id);
    if (!query.step()) return std::nullopt;
    round = read_round(query);
    round->plan = query.blob(14);
    round->signature = query.blob(15);
  }
  if (!is_closed(round->state)) round->totals = totals(id);
  return round;
}

std::optional<Round> Store::open_round() {
  std::uint32_t id = 0;
  {
    Query query = connection_->query("SELECT id FROM rounds WHERE state IN (1, 2)");
    if (!query.step()) return std::nullopt;
    id = query.u32(0);
  }
  return round(id);
}

std::uint32_t Store::last_round_id() {
  return static_cast<std::uint32_t>(connection_->integer(
      "SELECT max(round, (SELECT coalesce(max(id), 0) FROM rounds)) FROM floors"));
}

std::uint32_t Store::aggregated_rounds() {
  Query query = connection_->query("SELECT count(*) FROM rounds WHERE state IN (3, 4)");
  return query.step() ? query.u32(0) : 0;
}

std::vector<Round> Store::rounds() {
  std::vector<Round> rounds;
  {
    Query query = connection_->query(kSelectRounds);
    while (query.step()) rounds.push_back(read_round(query));
  }
  for (Round& round : rounds) {
    if (!is_closed(round.state)) round.totals = totals(round.id);
  }
  return rounds;
}

void Store::begin_aggregation(std::uint32_t id) {
  AtomicSection section(*connection_);
  const auto open = open_round();
  if (!open || open->id != id || open->state != RoundState::kOpen) {
    throw StoreError(Status::kWrongRound, "round " + std::to_string(id) + " is not open");
  }
  connection_->query("UPDATE rounds SET state = 2 WHERE id = ?", id).run();
  section.commit();
}

void Store::close_round(const Round& round) {
  AtomicSection section(*connection_);
  const auto open = open_round();
  if (!open || open->id != round.id || !is_closed(round.state)) {
    throw StoreError(Status::kWrongRound, "round " + std::to_string(round.id) +
                                              " cannot be closed as " + to_string(round.state) +
                                              ": it is not open");
  }
  const std::optional<std::uint32_t> version =
      round.version == 0 ? std::nullopt : std::optional(round.version);
  connection_
      ->query(
          "UPDATE rounds SET state = ?, closed_unix_s = ?, version = ?, evaluation_samples = ?, "
          "evaluation_correct = ?, received = ?, bytes_up = ?, loss_q16 = ? WHERE id = ?",
          static_cast<int>(round.state), round.closed_unix_s, version, round.evaluation_samples,
          round.evaluation_correct, open->totals.received, open->totals.bytes_up,
          open->totals.loss_q16, round.id)
      .run();
  connection_->query("UPDATE updates SET sealed = NULL WHERE round = ?", round.id).run();
  section.commit();
}

void Store::add_traffic(std::uint32_t id, std::uint64_t refused, std::uint64_t bytes_down) {
  connection_
      ->query("UPDATE rounds SET refused = refused + ?, bytes_down = bytes_down + ? WHERE id = ?",
              refused, bytes_down, id)
      .run();
}

}  // namespace skep::store

// What the coordinator's own thread does: opens rounds, closes them, publishes.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "audit_entries.h"
#include "board.h"
#include "plan.h"
#include "publisher.h"
#include "skep/coordinator/coordinator.h"
#include "skep/store/store.h"

namespace skep::coordinator {

/// Used by one thread at a time; the Board is how others see the results.
///
/// Every change is one transaction (model, closed round, next round), and is shown on the board
/// after its commit. A crash before the commit leaves a round in state kAggregating, which is
/// aggregated again, from the same updates to the same weights.
class RoundEngine {
 public:
  RoundEngine(const std::filesystem::path& database, const Settings& settings, const Keys& keys,
              Board& board, std::function<void()> plan_changed);

  /// Resumes the open round, or opens one, or idles. Errors: as the Coordinator's constructor.
  void resume();

  /// Whether a round is to be aggregated now: due, or interrupted.
  bool is_due();
  /// Errors, of all below: as the functions of Coordinator.
  Outcome aggregate(bool force, const audit::Actor& actor);
  Outcome rollback(std::uint32_t to_version, const audit::Actor& actor);
  Outcome import_model(Bytes package, bool force, const audit::Actor& actor);

  void save_traffic();

 private:
  struct NextRound {
    bool open = false;  // false: idle
    store::Round row;
    std::vector<std::uint8_t> message;  // An encoded SignedRoundPlan.
  };

  /// Sums, publishes and closes, unless a revocation came in between: then nothing has happened,
  /// and it is to be done again without that device.
  std::optional<Outcome> try_to_close(const store::Round& round, bool force,
                                      const audit::Actor& actor);
  std::optional<Outcome> close_with(const server::Candidate& candidate, store::Round round,
                                    const std::vector<std::string>& devices, bool force,
                                    const Cause& cause);
  /// Devices may know rounds and versions of a past that the backup lacks: all begins above those.
  void go_on_after_restore(const store::Model& model);
  /// The content of `old` as a new version, and a new round; the open one is closed as told.
  Outcome publish_again(const store::Model& old, store::RoundState closes_as, const Cause& cause);
  Outcome abandon(store::Round round, const char* reason, const audit::Actor& actor);
  server::Release publish(const server::Candidate& candidate, Edition edition);

  /// One transaction: the model inserted, the round closed, the next one opened, all three
  /// recorded; then the board. `model` and `closed` may be null; `new_base` is what the next round
  /// starts from, if it is not the present one. False, and nothing changed, if `devices` (null =
  /// not asked) are not those whose updates count in `closed`.
  bool turn(const store::Model* model, const store::Round* closed, std::optional<Base> new_base,
            const Cause& cause, const std::vector<std::string>* devices = nullptr);
  NextRound next_round(const Base& base);
  void save(const std::map<std::uint32_t, Traffic>& traffic);
  void show(const NextRound& round, std::uint32_t received);

  std::filesystem::path database_;
  const Settings& settings_;
  Keys keys_;
  Board& board_;
  std::function<void()> plan_changed_;
  store::Store store_;
  Publisher publisher_;
  Base base_;
  bool interrupted_ = false;  // The open round is in state kAggregating.
  std::int64_t retry_unix_s_ = 0;
};

}  // namespace skep::coordinator

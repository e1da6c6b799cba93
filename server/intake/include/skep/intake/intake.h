// The pipeline that takes updates: validation on several threads, one thread that commits.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "skep/intake/rules.h"
#include "skep/seal/envelope.h"
#include "skep/server_flow/flow.h"
#include "skep/status.h"
#include "skep/wire/codec.h"

namespace skep::intake {

struct Settings {
  unsigned workers = 0;                       ///< Threads that validate; 0 = one for each core.
  std::size_t max_queued_updates = 1024;      ///< Beyond, submit() answers kBusy.
  std::size_t max_queued_bytes = 16U << 20U;  ///< Likewise, for the sum of their sizes.
  std::size_t max_updates_per_commit = 256;
  std::function<std::int64_t()> now_unix_s = {};  ///< Thread-safe; empty = the system's clock.
};

/// What became of a submitted update; one for each that submit() took.
struct Answer {
  std::uint64_t token = 0;      ///< As given to submit().
  Status status = Status::kOk;  ///< kOk: answer with `receipt`. Otherwise: a Problem.
  wire::Receipt receipt{};      ///< ACCEPTED or DUPLICATE; complete if status is kOk.
  std::string detail;           ///< For the Problem and the log, if status is not kOk.
};

/// Since the start of the process.
struct Statistics {
  std::uint64_t accepted = 0;
  std::uint64_t duplicates = 0;
  std::map<Status, std::uint64_t> refused;  ///< kBusy counts what submit() did not take.
  std::uint64_t bytes_up = 0;               ///< Of everything submitted.
};

/// All public functions may be called from any thread.
class Intake {
 public:
  /// Opens the database once for each thread. `key` and `gate` outlive the Intake.
  /// Errors: StoreError if it cannot be opened.
  Intake(const std::filesystem::path& database, const Settings& settings,
         const seal::AggregationKey& key, RoundGate& gate);

  /// Answers nothing more; what was committed stays.
  ~Intake();

  /// Queues an update; never blocks. On kOk exactly one Answer with this token follows, unless the
  /// Intake is destroyed before. The answer to an accepted update comes after its commit.
  ///
  /// Errors: kBusy if the queue is full: try again later.
  Status submit(server::Received update, std::uint64_t token);

  /// A file descriptor (eventfd) that is readable while there are answers to take.
  [[nodiscard]] int answers_fd() const;
  /// Takes all answers there are, oldest first; never blocks.
  [[nodiscard]] std::vector<Answer> take_answers();

  [[nodiscard]] Statistics statistics() const;

  Intake(const Intake&) = delete;
  Intake& operator=(const Intake&) = delete;

 private:
  class Engine;
  std::unique_ptr<Engine> engine_;
};

}  // namespace skep::intake

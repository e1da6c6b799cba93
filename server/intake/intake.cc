#include "skep/intake/intake.h"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <exception>
#include <mutex>
#include <thread>
#include <utility>

#include "answer_queue.h"
#include "committer.h"
#include "skep/intake/validate.h"
#include "skep/store/store.h"

namespace skep::intake {
namespace {

/// What the database says, read anew for each update: a revocation counts at once.
class StoreRecords final : public Records {
 public:
  explicit StoreRecords(store::Store& store) : store_(store) {}

  std::optional<Sender> sender(std::string_view device) override {
    const auto row = store_.device(device);
    if (!row) return std::nullopt;
    return Sender{.public_key = row->public_key, .revoked = row->revoked};
  }

  std::optional<server::Digest> stored_digest(std::string_view device,
                                              std::uint32_t round) override {
    return store_.update_digest(device, round);
  }

 private:
  store::Store& store_;
};

std::int64_t system_now_unix_s() {
  return std::chrono::duration_cast<std::chrono::seconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

struct Job {
  server::Received update;
  std::uint64_t token = 0;
};

}  // namespace

/// submit() → jobs_ → workers → pending_ → committer → answers_ → take_answers().
class Intake::Engine {
 public:
  Engine(const std::filesystem::path& database, const Settings& settings,
         const seal::AggregationKey& key, RoundGate& gate)
      : settings_(settings), key_(key), gate_(gate) {
    if (!settings_.now_unix_s) settings_.now_unix_s = system_now_unix_s;
    start(database);
  }

  ~Engine() { stop(); }

  Status submit(server::Received update, std::uint64_t token) {
    const std::size_t size = update.bytes.size();
    const std::lock_guard lock(mutex_);
    statistics_.bytes_up += size;
    if (unanswered_ >= settings_.max_queued_updates ||
        queued_bytes_ + size > settings_.max_queued_bytes) {
      ++statistics_.refused[Status::kBusy];
      return Status::kBusy;
    }
    jobs_.push_back({std::move(update), token});
    ++unanswered_;
    queued_bytes_ += size;
    job_ready_.notify_one();
    return Status::kOk;
  }

  std::vector<Answer> take_answers() {
    std::vector<Answer> answers = answers_.take();
    const std::lock_guard lock(mutex_);
    unanswered_ -= answers.size();
    return answers;
  }

  [[nodiscard]] int answers_fd() const { return answers_.fd(); }

  [[nodiscard]] Statistics statistics() const {
    const std::lock_guard lock(mutex_);
    return statistics_;
  }

 private:
  void start(const std::filesystem::path& database) {
    const unsigned cores = std::max(1U, std::thread::hardware_concurrency());
    const unsigned workers = settings_.workers == 0 ? cores : settings_.workers;
    try {
      for (unsigned i = 0; i < workers; ++i) {
        threads_.emplace_back(
            [this, store = store::Store::open(database)]() mutable { validate_jobs(store); });
      }
      threads_.emplace_back(
          [this, store = store::Store::open(database)]() mutable { commit_pending(store); });
    } catch (...) {
      stop();
      throw;
    }
  }

  void stop() {
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    job_ready_.notify_all();
    update_ready_.notify_all();
    for (std::thread& thread : threads_) thread.join();
  }

  // ---- workers

  void validate_jobs(store::Store& store) {
    StoreRecords records(store);
    const Gateway gateway{.federation = store.federation(), .key = key_};
    while (auto job = next_job()) {
      const std::string device = job->update.session_device;
      const server::PublicKey key = job->update.session_key;
      const std::size_t size = job->update.bytes.size();
      const std::uint64_t token = job->token;
      Outcome outcome = judge(*std::move(job), gateway, records);
      if (const auto* duplicate = std::get_if<Duplicate>(&outcome)) {
        answer(make_receipt(token, skep_ReceiptStatus_RECEIPT_STATUS_DUPLICATE, duplicate->round,
                            duplicate->digest),
               size);
      } else if (auto* valid = std::get_if<server::Valid>(&outcome)) {
        hand_over({std::move(*valid), device, key, size, token});
      } else {
        hand_over({std::get<Refusal>(std::move(outcome)), device, key, size, token});
      }
    }
  }

  std::optional<Job> next_job() {
    std::unique_lock lock(mutex_);
    job_ready_.wait(lock, [this] { return stopping_ || !jobs_.empty(); });
    if (stopping_) return std::nullopt;
    Job job = std::move(jobs_.front());
    jobs_.pop_front();
    return job;
  }

  Outcome judge(Job job, const Gateway& gateway, Records& records) {
    try {
      const auto rules = gate_.open_round();
      return validate(std::move(job.update), gateway, rules.get(), records);
    } catch (const store::StoreError& error) {
      return Refusal{Status::kStorageFailed, error.what()};
    } catch (const std::exception& error) {
      return Refusal{Status::kInternal, error.what()};
    }
  }

  void hand_over(Pending pending) {
    const std::lock_guard lock(mutex_);
    pending_.push_back(std::move(pending));
    update_ready_.notify_one();
  }

  // ---- committer

  void commit_pending(store::Store& store) {
    for (;;) {
      const std::vector<Pending> batch = next_batch();
      if (batch.empty()) return;
      CommitReport report = commit(store, batch, settings_.now_unix_s());
      // The gate first: whoever reads an answer finds the update counted.
      for (const auto& [round, count] : report.accepted) gate_.updates_stored(round, count);
      for (std::size_t i = 0; i < batch.size(); ++i) {
        answer(std::move(report.answers[i]), batch[i].size_bytes);
      }
    }
  }

  // Empty: the end.
  std::vector<Pending> next_batch() {
    std::unique_lock lock(mutex_);
    update_ready_.wait(lock, [this] { return stopping_ || !pending_.empty(); });
    std::vector<Pending> batch;
    if (stopping_) return batch;
    const std::size_t count = std::min(pending_.size(), settings_.max_updates_per_commit);
    const auto end = pending_.begin() + static_cast<std::ptrdiff_t>(count);
    std::move(pending_.begin(), end, std::back_inserter(batch));
    pending_.erase(pending_.begin(), end);
    return batch;
  }

  // ---- answers

  void answer(Answer answer, std::size_t size_bytes) {
    if (answer.status != Status::kOk) gate_.update_refused();
    {
      const std::lock_guard lock(mutex_);
      queued_bytes_ -= size_bytes;
      count(answer);
    }
    answers_.push(std::move(answer));
  }

  void count(const Answer& answer) {
    if (answer.status != Status::kOk) {
      ++statistics_.refused[answer.status];
    } else if (answer.receipt.status == skep_ReceiptStatus_RECEIPT_STATUS_ACCEPTED) {
      ++statistics_.accepted;
    } else {
      ++statistics_.duplicates;
    }
  }

  Settings settings_;
  const seal::AggregationKey& key_;
  RoundGate& gate_;
  AnswerQueue answers_;

  mutable std::mutex mutex_;  // guards all below but threads_
  std::condition_variable job_ready_;
  std::condition_variable update_ready_;
  std::deque<Job> jobs_;
  std::deque<Pending> pending_;
  std::size_t unanswered_ = 0;    // submitted, and the answer not yet taken
  std::size_t queued_bytes_ = 0;  // of updates that are not answered yet
  bool stopping_ = false;
  Statistics statistics_;

  std::vector<std::thread> threads_;
};

Intake::Intake(const std::filesystem::path& database, const Settings& settings,
               const seal::AggregationKey& key, RoundGate& gate)
    : engine_(std::make_unique<Engine>(database, settings, key, gate)) {}

Intake::~Intake() = default;

Status Intake::submit(server::Received update, std::uint64_t token) {
  return engine_->submit(std::move(update), token);
}

int Intake::answers_fd() const { return engine_->answers_fd(); }

std::vector<Answer> Intake::take_answers() { return engine_->take_answers(); }

Statistics Intake::statistics() const { return engine_->statistics(); }

}  // namespace skep::intake

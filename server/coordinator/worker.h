// One thread that does what it is asked, one thing after the other.
#pragma once

#include <condition_variable>
#include <deque>
#include <exception>
#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

#include "skep/coordinator/error.h"

namespace skep::coordinator {

/// Runs tasks in the order of their arrival and, when poked, a job of its own. Public functions
/// may be called from any thread, call() from any but its own.
class Worker {
 public:
  /// `job` runs after start() and after each poke() (once for several) and each task. Must not
  /// throw.
  explicit Worker(std::function<void()> job) : job_(std::move(job)) {}

  /// Lets the running task end, and answers the waiting ones with an error.
  ~Worker() { stop(); }

  void start() {
    thread_ = std::thread([this] { run(); });
  }

  void stop() {
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    wake_.notify_one();
    if (thread_.joinable()) thread_.join();
  }

  void poke() {
    {
      const std::lock_guard lock(mutex_);
      poked_ = true;
    }
    wake_.notify_one();
  }

  /// Runs `task` on the thread and returns, or throws, what it does.
  /// Errors: CoordinatorError of kBusy if the worker is stopping.
  template <typename Task>
  auto call(Task task) {
    std::optional<decltype(task())> result;
    std::exception_ptr failure;
    auto end = std::make_shared<End>();
    std::future<bool> was_run = end->future();
    {
      const std::lock_guard lock(mutex_);
      if (stopping_) throw CoordinatorError(Status::kBusy, "the gateway is shutting down");
      tasks_.emplace_back([&task, &result, &failure, owned = std::move(end)] {
        try {
          result.emplace(task());
        } catch (...) {
          failure = std::current_exception();
        }
        owned->set_run();
      });
    }
    wake_.notify_one();
    if (!was_run.get()) throw CoordinatorError(Status::kBusy, "the gateway is shutting down");
    if (failure) std::rethrow_exception(failure);
    return *std::move(result);
  }

  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

 private:
  // Wakes the caller of a task when it has run, or was dropped. It carries no exception: the worker
  // lets go of one before the caller sees it, because the counter of its owners lies in libstdc++,
  // where the thread sanitizer cannot see that it is atomic.
  class End {
   public:
    End() = default;
    ~End() {
      if (!has_run_) promise_.set_value(false);
    }
    End(const End&) = delete;
    End& operator=(const End&) = delete;

    std::future<bool> future() { return promise_.get_future(); }
    void set_run() {
      has_run_ = true;
      promise_.set_value(true);
    }

   private:
    bool has_run_ = false;
    std::promise<bool> promise_;
  };

  void run() {
    job_();
    std::unique_lock lock(mutex_);
    for (;;) {
      wake_.wait(lock, [this] { return stopping_ || poked_ || !tasks_.empty(); });
      if (stopping_) break;
      poked_ = false;
      std::function<void()> task;
      if (!tasks_.empty()) {
        task = std::move(tasks_.front());
        tasks_.pop_front();
      }
      lock.unlock();
      if (task) task();
      job_();
      lock.lock();
    }
    tasks_.clear();
  }

  std::function<void()> job_;
  std::mutex mutex_;  // guards the four below
  std::condition_variable wake_;
  std::deque<std::function<void()>> tasks_;
  bool poked_ = false;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace skep::coordinator

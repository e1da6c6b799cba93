// Answers on their way from the threads of intake to the one that sends them.
#pragma once

#include <mutex>
#include <vector>

#include "skep/intake/intake.h"

namespace skep::intake {

/// A queue with a file descriptor to wait on. Thread-safe.
class AnswerQueue {
 public:
  /// Errors: std::system_error if no eventfd can be made.
  AnswerQueue();
  ~AnswerQueue();
  AnswerQueue(const AnswerQueue&) = delete;
  AnswerQueue& operator=(const AnswerQueue&) = delete;

  void push(Answer answer);
  [[nodiscard]] std::vector<Answer> take();
  [[nodiscard]] int fd() const { return fd_; }

 private:
  int fd_;
  std::mutex mutex_;
  std::vector<Answer> answers_;
};

}  // namespace skep::intake

#include "answer_queue.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>
#include <utility>

namespace skep::intake {

AnswerQueue::AnswerQueue() : fd_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  if (fd_ < 0) throw std::system_error(errno, std::generic_category(), "eventfd");
}

AnswerQueue::~AnswerQueue() { ::close(fd_); }

void AnswerQueue::push(Answer answer) {
  const std::lock_guard lock(mutex_);
  answers_.push_back(std::move(answer));
  // Fails only if the counter is at its maximum, and then the descriptor is readable already.
  [[maybe_unused]] const int result = ::eventfd_write(fd_, 1);
}

std::vector<Answer> AnswerQueue::take() {
  const std::lock_guard lock(mutex_);
  eventfd_t count = 0;
  // Fails only if nothing was written since the last time: then there are no answers.
  [[maybe_unused]] const int result = ::eventfd_read(fd_, &count);
  return std::exchange(answers_, {});
}

}  // namespace skep::intake

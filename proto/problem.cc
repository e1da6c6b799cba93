#include "skep/wire/problem.h"

namespace skep::wire {

Problem make_problem(Status status, const char* detail) {
  Problem problem{};
  problem.version = 1;
  problem.code = static_cast<std::uint32_t>(status == Status::kOk ? Status::kInternal : status);
  constexpr std::size_t kMaxChars = sizeof(problem.detail) - 1;
  for (std::size_t i = 0; detail != nullptr && detail[i] != '\0' && i < kMaxChars; ++i) {
    const bool printable = detail[i] >= ' ' && detail[i] <= '~';
    problem.detail[i] = printable ? detail[i] : '?';
  }
  return problem;
}

Status status_of(const Problem& problem) {
  const auto last = static_cast<std::uint32_t>(Status::kInternal);
  if (problem.code == 0 || problem.code > last) return Status::kRejected;
  return static_cast<Status>(problem.code);
}

}  // namespace skep::wire

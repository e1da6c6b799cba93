#include "test_board.h"

#include "skep/port_baremetal/line.h"

namespace skep::firmware_test {

using port_baremetal::Line;

void report(std::initializer_list<Word> words) {
  Line line;
  for (const Word& word : words) {
    const bool is_first = &word == words.begin();
    if (word.number() != nullptr) {
      line.field(word.text(), *word.number());
    } else {
      line.text(is_first ? "" : " ").text(word.text());
    }
  }
  line.end();
}

void report_hex(std::string_view name, Bytes bytes) {
  Line().text(name).text("=").hex(bytes).end();
}

void finish(bool passed) {
  report({passed ? "passed" : "FAILED"});
  board::exit(passed ? 0 : 1);
}

void require(bool condition, std::string_view what) {
  if (condition) return;
  report({"failed:", what});
  finish(false);
}

void require(Status status, std::string_view what) {
  if (status == Status::kOk) return;
  report({"failed:", what, status});
  finish(false);
}

std::uint32_t instructions_in(std::uint64_t ticks) {
  constexpr std::uint64_t kInstructionsPerSecond = 15'625'000;  // 1 s / 64 ns
  return static_cast<std::uint32_t>(ticks * kInstructionsPerSecond / board::ticks_per_second());
}

}  // namespace skep::firmware_test

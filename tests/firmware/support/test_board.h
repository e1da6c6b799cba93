// What a test image asks of the board that it runs on: a line of output, time in instructions, an
// end.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string_view>

#include "skep/bytes.h"
#include "skep/port_baremetal/board.h"
#include "skep/status.h"

namespace skep::firmware_test {

/// One word of a report line: text, or "name=number".
class Word {
 public:
  Word(std::string_view text) : text_(text) {}       // NOLINT
  Word(const char* text) : text_(text) {}            // NOLINT
  Word(Status status) : text_(to_string(status)) {}  // NOLINT
  Word(std::string_view name, std::uint64_t number)
      : text_(name), number_(number), is_number_(true) {}

  [[nodiscard]] std::string_view text() const { return text_; }
  [[nodiscard]] const std::uint64_t* number() const { return is_number_ ? &number_ : nullptr; }

 private:
  std::string_view text_;
  std::uint64_t number_ = 0;
  bool is_number_ = false;
};

/// Prints the words with spaces between them, and the end of the line, on the UART.
void report(std::initializer_list<Word> words);

/// As "name=0123…", two digits a byte.
void report_hex(std::string_view name, Bytes bytes);

/// Ends the run: QEMU exits with 0 or 1. Prints "passed" or "FAILED" first.
[[noreturn]] void finish(bool passed);

/// Ends the run as failed, with the reason, unless `condition` holds.
void require(bool condition, std::string_view what);
void require(Status status, std::string_view what);

template <typename T>
T take(Result<T> result, std::string_view what) {
  require(result.status(), what);
  return std::move(*result);
}

/// Ticks of the board's timer as instructions: with QEMU's -icount shift=6 one takes 64 ns.
[[nodiscard]] std::uint32_t instructions_in(std::uint64_t ticks);

/// Instructions that `work` takes, interrupts masked. Repeatable, exact to one.
template <typename Work>
std::uint32_t instructions_of(Work work) {
  const std::uint32_t masked = board::mask_interrupts();
  const std::uint64_t start = board::ticks();
  const std::uint64_t before = board::ticks();
  work();
  const std::uint64_t after = board::ticks();
  board::restore_interrupts(masked);
  const std::uint64_t of_reading = before - start;
  return instructions_in(after - before - of_reading);
}

}  // namespace skep::firmware_test

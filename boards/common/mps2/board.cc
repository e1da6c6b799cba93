// An MPS2 board under QEMU: its start and its end, and the host's randomness.
#include "skep/port_baremetal/board.h"

#include <array>
#include <string_view>

#include "board_map.h"
#include "mps2.h"
#include "semihosting.h"

namespace skep::board {
namespace {

constexpr std::size_t kLongestPath = 255;

// Another file by the argument entropy=<path>: one that cannot be read is a board without a source.
semihosting::File open_entropy_source() {
  std::array<char, kLongestPath + 1> buffer;
  const std::string_view path = semihosting::argument("entropy", buffer);
  return {path.empty() ? "/dev/urandom" : path, semihosting::Mode::kRead};
}

}  // namespace

const char* name() { return kBoardName; }

void start_hardware() {
  start_uart();
  start_timer();
}

// The board has no source of its own, so this image must never leave the emulator.
Status fill_entropy(MutableBytes out) {
  static semihosting::File source = open_entropy_source();
  return source.is_open() && source.read(out) ? Status::kOk : Status::kNoEntropy;
}

void exit(int code) { semihosting::exit(code); }

}  // namespace skep::board

// The hardware random number generator, with its bias correction on.
#include <cstdint>

#include "board_map.h"
#include "registers.h"
#include "skep/port_baremetal/board.h"

namespace skep::board {
namespace {

constexpr std::uint32_t kStart = kRandom + 0x000;
constexpr std::uint32_t kStop = kRandom + 0x004;
constexpr std::uint32_t kValueReady = kRandom + 0x100;
constexpr std::uint32_t kConfig = kRandom + 0x504;
constexpr std::uint32_t kValue = kRandom + 0x508;
constexpr std::uint32_t kBiasCorrection = 1;

// A byte takes 120 us on average, with bias correction "undefined" at most (product
// specification 6.19.1): two hundred times that is a generator that stands still.
constexpr std::uint32_t kMostPolls = 1'000'000;

// Repetition count test (NIST SP 800-90B section 4.4.1): six equal bytes in a row come from a
// working generator once in 2^40 bytes.
constexpr std::uint32_t kMostEqualBytes = 5;

bool next_byte(std::uint8_t& byte) {
  for (std::uint32_t i = 0; i < kMostPolls; ++i) {
    if (reg(kValueReady) == 0) continue;
    reg(kValueReady) = 0;
    byte = static_cast<std::uint8_t>(reg(kValue));
    return true;
  }
  return false;
}

bool fill(MutableBytes out) {
  static std::uint8_t last = 0;
  static std::uint32_t equal_bytes = 0;
  for (std::uint8_t& byte : out) {
    if (!next_byte(byte)) return false;
    equal_bytes = byte == last ? equal_bytes + 1 : 1;
    last = byte;
    if (equal_bytes > kMostEqualBytes) return false;
  }
  return true;
}

}  // namespace

Status fill_entropy(MutableBytes out) {
  reg(kConfig) = kBiasCorrection;
  reg(kValueReady) = 0;
  reg(kStart) = 1;
  const bool is_good = fill(out);
  reg(kStop) = 1;
  return is_good ? Status::kOk : Status::kNoEntropy;
}

}  // namespace skep::board

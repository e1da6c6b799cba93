// The board as the SDK's clock and entropy.
#pragma once

#include "skep/platform.h"
#include "skep/port_baremetal/board.h"

namespace skep::port_baremetal {

class BoardClock final : public Clock {
 public:
  [[nodiscard]] std::uint64_t now_ms() override {
    return board::ticks() * 1000U / board::ticks_per_second();
  }
};

class BoardEntropy final : public Entropy {
 public:
  Status fill(MutableBytes out) override { return board::fill_entropy(out); }
};

}  // namespace skep::port_baremetal

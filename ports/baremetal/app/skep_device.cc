// The SDK as the firmware of a bare board that learns from the samples in its flash.
#include <array>
#include <cstddef>
#include <optional>

#include "flash_parts.h"
#include "node.h"
#include "skep/port_baremetal/board.h"
#include "skep/port_baremetal/line.h"

#ifndef SKEP_WORKSPACE_BYTES
#define SKEP_WORKSPACE_BYTES (18 * 1024)
#endif

namespace skep::port_baremetal {
namespace {

alignas(8) std::array<std::byte, SKEP_WORKSPACE_BYTES> workspace;
std::optional<FlashSamples> samples;

void start() {
  node::open(workspace);
  samples.emplace(node::flash(), node::provisioning());
  node::start(*samples, nullptr);
  Line line;
  node::say_booted(line);
  line.field("samples", samples->count()).end();
}

[[noreturn]] void serve() {
  for (;;) {
    // Woken at least every 20 ms: soon enough for what arrives, and for every wait.
    if (node::poll() != 0) board::wait_for_interrupt();
  }
}

}  // namespace
}  // namespace skep::port_baremetal

int main() {
  skep::port_baremetal::start();
  skep::port_baremetal::serve();
}

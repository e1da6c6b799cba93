// The host's random number generator.
#pragma once

#include "skep/platform.h"

namespace skep::port_host {

/// getrandom(2). Stateless; any thread. Early after the machine's start it blocks until the
/// kernel's generator is seeded, which on a host with devices to run is long past.
class SystemEntropy final : public Entropy {
 public:
  /// Errors: kNoEntropy if the kernel refuses.
  Status fill(MutableBytes out) override;
};

}  // namespace skep::port_host

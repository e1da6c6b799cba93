// Zephyr's cryptographically secure random numbers.
#pragma once

#include "skep/platform.h"

namespace skep::port_zephyr {

/// sys_csrand_get(): the board's entropy driver, or a CTR-DRBG that it seeds. Mbed TLS draws on
/// the same source. Generators that Zephyr has for tests are refused when this is compiled.
/// Stateless; any thread.
class CsprngEntropy final : public Entropy {
 public:
  /// Errors: kNoEntropy if the driver is not ready or fails.
  Status fill(MutableBytes out) override;
};

}  // namespace skep::port_zephyr

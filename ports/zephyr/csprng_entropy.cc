#include "skep/port_zephyr/csprng_entropy.h"

#include <zephyr/device.h>
#include <zephyr/random/random.h>

#if !defined(CONFIG_CSPRNG_ENABLED)
#error "Skep needs an entropy driver: choose zephyr,entropy in the devicetree."
#endif
#if defined(CONFIG_TEST_CSPRNG_GENERATOR) || defined(CONFIG_FAKE_ENTROPY_NATIVE_SIM) || \
    defined(CONFIG_MBEDTLS_PSA_CRYPTO_EXTERNAL_RNG_ALLOW_NON_CSPRNG)
#error "Skep makes no keys from predictable numbers: on the native simulator use skep,host-entropy."
#endif

namespace skep::port_zephyr {

Status CsprngEntropy::fill(MutableBytes out) {
  // Zephyr asserts that the driver is ready, and asserts are usually off.
  if (!device_is_ready(DEVICE_DT_GET(DT_CHOSEN(zephyr_entropy)))) return Status::kNoEntropy;
  if (out.empty()) return Status::kOk;
  return sys_csrand_get(out.data(), out.size()) == 0 ? Status::kOk : Status::kNoEntropy;
}

}  // namespace skep::port_zephyr

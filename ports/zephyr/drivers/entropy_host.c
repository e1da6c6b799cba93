/* Zephyr entropy driver of emulated boards: the entropy is the host's.
 *
 * C and not C++, because Zephyr's device macros are C initialisers.
 */
#define DT_DRV_COMPAT skep_host_entropy

#include "entropy_host.h"

#include <errno.h>
#include <zephyr/device.h>
#include <zephyr/drivers/entropy.h>

static int get_entropy(const struct device* dev, uint8_t* buffer, uint16_t length) {
  (void)dev;
  return skep_host_entropy(buffer, length) == 0 ? 0 : -EIO;
}

static int get_entropy_isr(const struct device* dev, uint8_t* buffer, uint16_t length,
                           uint32_t flags) {
  (void)flags;
  const int result = get_entropy(dev, buffer, length);
  return result == 0 ? length : result;
}

static DEVICE_API(entropy, host_entropy_api) = {
    .get_entropy = get_entropy,
    .get_entropy_isr = get_entropy_isr,
};

DEVICE_DT_INST_DEFINE(0, NULL, NULL, NULL, NULL, PRE_KERNEL_1, CONFIG_ENTROPY_INIT_PRIORITY,
                      &host_entropy_api);

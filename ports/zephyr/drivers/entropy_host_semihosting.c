/* QEMU's side: the host's /dev/urandom, read through semihosting. It needs
 * `-semihosting-config enable=on,target=native`; without it the first call stops in a fault. */
#include <zephyr/arch/common/semihost.h>

#include "entropy_host.h"

int skep_host_entropy(void* buffer, unsigned int length) {
  const long file = semihost_open("/dev/urandom", SEMIHOST_OPEN_RB);
  if (file < 0) return -1;
  const long got = semihost_read(file, buffer, (long)length);
  const long closed = semihost_close(file);
  return got == (long)length && closed == 0 ? 0 : -1;
}

/* The native simulator's side: an ordinary Linux function. */
#include <sys/random.h>
#include <sys/types.h>

#include "entropy_host.h"

int skep_host_entropy(void* buffer, unsigned int length) {
  unsigned char* out = buffer;
  while (length > 0) {
    const ssize_t got = getrandom(out, length, 0);
    if (got <= 0) return -1;
    out += got;
    length -= (unsigned int)got;
  }
  return 0;
}

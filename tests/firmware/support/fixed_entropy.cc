// Randomness that is the same in each run, so that what depends on it (blinding, ephemeral keys)
// costs the same number of instructions. Takes the place of the port's source of entropy: an image
// that links this can keep no secret.
#include <mbedtls/entropy.h>

#include "skep/core/prng.h"

extern "C" int mbedtls_hardware_poll(void* /*context*/, unsigned char* output, size_t length,
                                     size_t* written) {
  static skep::Xorshift32 generator(1);
  for (size_t i = 0; i < length; ++i) output[i] = static_cast<unsigned char>(generator.next());
  *written = length;
  return 0;
}

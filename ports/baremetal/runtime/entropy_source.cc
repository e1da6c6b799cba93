// Where Mbed TLS gets its randomness from: the board's source. Without one psa_crypto_init()
// fails, and with it Device::start().
#include <mbedtls/entropy.h>

#include "skep/port_baremetal/board.h"

extern "C" int mbedtls_hardware_poll(void* /*context*/, unsigned char* output, size_t length,
                                     size_t* written) {
  *written = 0;
  if (skep::board::fill_entropy({output, length}) != skep::Status::kOk) {
    return MBEDTLS_ERR_ENTROPY_SOURCE_FAILED;
  }
  *written = length;
  return 0;
}

#include "skep/pki/secret_bytes.h"

#include <mbedtls/platform_util.h>

namespace skep::pki {

void wipe(void* memory, std::size_t size_bytes) {
  if (size_bytes > 0) mbedtls_platform_zeroize(memory, size_bytes);
}

}  // namespace skep::pki

// What lwIP wants to know about compiler and system. Plain C.
#ifndef SKEP_ARCH_CC_H
#define SKEP_ARCH_CC_H

#include <stdint.h>

// Randomness of the board (network.cc): port numbers, message ids, tokens.
#ifdef __cplusplus
extern "C" {
#endif
uint32_t skep_network_random(void);
#ifdef __cplusplus
}
#endif
#define LWIP_RAND() skep_network_random()

#define LWIP_PLATFORM_DIAG(message) \
  do {                              \
  } while (0)
#define LWIP_PLATFORM_ASSERT(message) \
  do {                                \
  } while (0)

#endif  // SKEP_ARCH_CC_H

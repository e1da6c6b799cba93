// Mbed TLS's retransmission timer in milliseconds of lwIP's clock (network.cc). Plain C.
#ifndef SKEP_TIMING_ALT_H
#define SKEP_TIMING_ALT_H

#include <stdint.h>

struct mbedtls_timing_hr_time {
  uint32_t start_ms;
};

typedef struct mbedtls_timing_delay_context {
  uint32_t start_ms;
  uint32_t intermediate_ms;
  uint32_t final_ms;
} mbedtls_timing_delay_context;

unsigned long mbedtls_timing_get_timer(struct mbedtls_timing_hr_time* timer, int reset);
void mbedtls_timing_set_delay(void* context, uint32_t intermediate_ms, uint32_t final_ms);
int mbedtls_timing_get_delay(void* context);

#endif  // SKEP_TIMING_ALT_H

// Mbed TLS's timer for retransmission of handshake flights, on lwIP's clock.
#include <lwip/sys.h>
#include <mbedtls/timing.h>

#include <cstdint>

extern "C" {

void mbedtls_timing_set_delay(void* context, std::uint32_t intermediate_ms,
                              std::uint32_t final_ms) {
  auto* delay = static_cast<mbedtls_timing_delay_context*>(context);
  *delay = {.start_ms = sys_now(), .intermediate_ms = intermediate_ms, .final_ms = final_ms};
}

// −1: no delay set, 2: it is over, 1: half of it is, 0: neither (mbedtls/ssl.h).
int mbedtls_timing_get_delay(void* context) {
  const auto* delay = static_cast<const mbedtls_timing_delay_context*>(context);
  if (delay->final_ms == 0) return -1;
  const std::uint32_t elapsed_ms = sys_now() - delay->start_ms;
  if (elapsed_ms >= delay->final_ms) return 2;
  return elapsed_ms >= delay->intermediate_ms ? 1 : 0;
}

}  // extern "C"

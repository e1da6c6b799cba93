// A CoAP server over DTLS on loopback, in the test's own thread.
#pragma once

#include <coap3/coap.h>

#include <cstdint>
#include <memory>
#include <vector>

#include "skep/transport_testing/certificates.h"

namespace skep::transport_testing {

/// GET /model: `model`, block-wise with ETag. GET /round: `round`, observable. POST /updates:
/// appends the body to `posted`, answers 2.04 with its length as text. GET /busy: 5.03 with
/// Max-Age 300.
/// libcoap keeps process-wide state: one thread, which calls poll().
class CoapServer {
 public:
  /// Listens on an ephemeral port of 127.0.0.1. Aborts if it cannot.
  CoapServer(const Credential& own, const Credential& authority);

  [[nodiscard]] std::uint16_t port() const { return port_; }
  void poll();
  /// Sends `round` to all observers.
  void notify();

  std::vector<std::uint8_t> model;
  std::vector<std::uint8_t> round;
  std::vector<std::vector<std::uint8_t>> posted;

 private:
  void add(const char* path, coap_request_t method, coap_method_handler_t handler);
  static CoapServer& of(coap_resource_t* resource);
  static void get_model(coap_resource_t* resource, coap_session_t* session,
                        const coap_pdu_t* request, const coap_string_t* query,
                        coap_pdu_t* response);
  static void get_round(coap_resource_t* resource, coap_session_t* session,
                        const coap_pdu_t* request, const coap_string_t* query,
                        coap_pdu_t* response);
  static void post_update(coap_resource_t* resource, coap_session_t* session,
                          const coap_pdu_t* request, const coap_string_t* query,
                          coap_pdu_t* response);

  struct FreeContext {
    void operator()(coap_context_t* context) const { coap_free_context(context); }
  };
  Credential own_;
  Credential authority_;
  std::unique_ptr<coap_context_t, FreeContext> context_;
  coap_resource_t* round_resource_ = nullptr;
  std::uint16_t port_ = 0;
};

}  // namespace skep::transport_testing

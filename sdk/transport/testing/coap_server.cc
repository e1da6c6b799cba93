#include "skep/transport_testing/coap_server.h"

#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <string>

namespace skep::transport_testing {
namespace {

void require(bool condition, const char* what) {
  if (condition) return;
  std::fprintf(stderr, "cannot start the test's server: %s\n", what);
  std::abort();
}

// A loopback port that the system found free a moment ago.
coap_address_t unused_address() {
  coap_address_t address;
  coap_address_init(&address);
  address.size = sizeof(address.addr.sin);
  address.addr.sin.sin_family = AF_INET;
  address.addr.sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const int probe = socket(AF_INET, SOCK_DGRAM, 0);
  require(bind(probe, &address.addr.sa, address.size) == 0, "no port");
  require(getsockname(probe, &address.addr.sa, &address.size) == 0, "no port");
  close(probe);
  return address;
}

}  // namespace

CoapServer::CoapServer(const Credential& own, const Credential& authority)
    : own_(own), authority_(authority) {
  coap_startup();
  context_.reset(coap_new_context(nullptr));
  require(context_ != nullptr, "no context");
  coap_context_set_block_mode(context_.get(), COAP_BLOCK_USE_LIBCOAP | COAP_BLOCK_SINGLE_BODY);

  coap_dtls_pki_t pki{};
  pki.version = COAP_DTLS_PKI_SETUP_VERSION;
  pki.verify_peer_cert = 1;
  pki.check_common_ca = 1;
  pki.cert_chain_validation = 1;
  pki.cert_chain_verify_depth = 1;
  pki.pki_key.key_type = COAP_PKI_KEY_ASN1;
  coap_pki_key_asn1_t& key = pki.pki_key.key.asn1;
  key.ca_cert = authority_.certificate.data();
  key.ca_cert_len = authority_.certificate.size();
  key.public_cert = own_.certificate.data();
  key.public_cert_len = own_.certificate.size();
  key.private_key = own_.private_key_der.data();
  key.private_key_len = own_.private_key_der.size();
  key.private_key_type = COAP_ASN1_PKEY_EC;
  require(coap_context_set_pki(context_.get(), &pki) != 0, "credentials");

  const coap_address_t address = unused_address();
  port_ = coap_address_get_port(&address);
  require(coap_new_endpoint(context_.get(), &address, COAP_PROTO_DTLS) != nullptr, "no endpoint");
  add("model", COAP_REQUEST_GET, &get_model);
  add("updates", COAP_REQUEST_POST, &post_update);
  add("busy", COAP_REQUEST_GET,
      [](coap_resource_t*, coap_session_t*, const coap_pdu_t*, const coap_string_t*,
         coap_pdu_t* response) {
        coap_pdu_set_code(response, COAP_RESPONSE_CODE_SERVICE_UNAVAILABLE);
        constexpr std::array<std::uint8_t, 2> kMaxAge = {0x01, 0x2C};
        coap_add_option(response, COAP_OPTION_MAXAGE, kMaxAge.size(), kMaxAge.data());
      });
  add("round", COAP_REQUEST_GET, &get_round);
  round_resource_ = coap_get_resource_from_uri_path(context_.get(), coap_make_str_const("round"));
  coap_resource_set_get_observable(round_resource_, 1);
}

void CoapServer::add(const char* path, coap_request_t method, coap_method_handler_t handler) {
  coap_resource_t* resource = coap_resource_init(coap_make_str_const(path), 0);
  coap_register_request_handler(resource, method, handler);
  coap_resource_set_userdata(resource, this);
  coap_add_resource(context_.get(), resource);
}

CoapServer& CoapServer::of(coap_resource_t* resource) {
  return *static_cast<CoapServer*>(coap_resource_get_userdata(resource));
}

void CoapServer::poll() { coap_io_process(context_.get(), COAP_IO_NO_WAIT); }

void CoapServer::notify() { coap_resource_notify_observers(round_resource_, nullptr); }

void CoapServer::get_model(coap_resource_t* resource, coap_session_t* session,
                           const coap_pdu_t* request, const coap_string_t* query,
                           coap_pdu_t* response) {
  const CoapServer& server = of(resource);
  coap_pdu_set_code(response, COAP_RESPONSE_CODE_CONTENT);
  coap_add_data_large_response(resource, session, request, response, query, 42, -1, 0x1234,
                               server.model.size(), server.model.data(), nullptr, nullptr);
}

void CoapServer::get_round(coap_resource_t* resource, coap_session_t* /*session*/,
                           const coap_pdu_t* /*request*/, const coap_string_t* /*query*/,
                           coap_pdu_t* response) {
  const CoapServer& server = of(resource);
  coap_pdu_set_code(response, COAP_RESPONSE_CODE_CONTENT);
  coap_add_data(response, server.round.size(), server.round.data());
}

void CoapServer::post_update(coap_resource_t* resource, coap_session_t* /*session*/,
                             const coap_pdu_t* request, const coap_string_t* /*query*/,
                             coap_pdu_t* response) {
  std::size_t length = 0;
  std::size_t offset = 0;
  std::size_t total = 0;
  const std::uint8_t* data = nullptr;
  coap_get_data_large(request, &length, &data, &offset, &total);
  of(resource).posted.emplace_back(data, data + length);
  const std::string answer = std::to_string(length);
  coap_pdu_set_code(response, COAP_RESPONSE_CODE_CHANGED);
  coap_add_data(response, answer.size(), reinterpret_cast<const std::uint8_t*>(answer.data()));
}

}  // namespace skep::transport_testing

#include "est_resources.h"

#include <mbedtls/ssl.h>
#include <mbedtls/ssl_ciphersuites.h>
#include <spdlog/spdlog.h>

#include <ctime>
#include <exception>
#include <stdexcept>
#include <string_view>
#include <utility>

#include "coap_messages.h"
#include "skep/pki/certs_only.h"
#include "skep/wire/response_code.h"

namespace skep::app {
namespace {

// Content formats of RFC 9148, section 8.1.
constexpr std::uint16_t kPkcs7CertsOnly = 281;
constexpr std::uint16_t kPkcs10 = 286;
constexpr std::uint16_t kPkixCertificate = 287;

constexpr std::uint8_t kNotAcceptable = wire::coap_code(4, 6);
constexpr std::uint8_t kUnsupportedFormat = wire::coap_code(4, 15);
constexpr unsigned kLargestSzx = 6;

std::int64_t unix_now_s() { return static_cast<std::int64_t>(std::time(nullptr)); }

// Empty if libcoap had no memory for it.
std::string_view view_of(const coap_bin_const_t* text) {
  if (text == nullptr) return {};
  return {reinterpret_cast<const char*>(text->s), text->length};
}

void set_diagnostic(coap_pdu_t* response, std::uint8_t code, const std::string& text,
                    std::uint32_t retry_after_s = 0) {
  coap_pdu_set_code(response, static_cast<coap_pdu_code_t>(code));
  if (retry_after_s != 0) add_uint_option(response, COAP_OPTION_MAXAGE, retry_after_s);
  coap_add_data(response, text.size(), reinterpret_cast<const std::uint8_t*>(text.data()));
}

// None if the client accepts neither of the two; without Accept RFC 9148, section 5.3, wants
// PKCS#7.
std::optional<std::uint16_t> accepted_format(const coap_pdu_t* request) {
  coap_opt_iterator_t iterator;
  if (coap_check_option(request, COAP_OPTION_ACCEPT, &iterator) == nullptr) return kPkcs7CertsOnly;
  const auto format = uint_option(request, COAP_OPTION_ACCEPT);
  if (format == kPkcs7CertsOnly || format == kPkixCertificate) {
    return static_cast<std::uint16_t>(*format);
  }
  return std::nullopt;
}

}  // namespace

// Nothing may be thrown through libcoap.
struct EstResources::Callbacks {
  template <void (EstResources::*kHandle)(const Request&)>
  static void handle(coap_resource_t* resource, coap_session_t* session, const coap_pdu_t* request,
                     const coap_string_t* query, coap_pdu_t* response) {
    try {
      auto& self = *static_cast<EstResources*>(coap_resource_get_userdata(resource));
      (self.*kHandle)({resource, session, request, query, response});
    } catch (const std::exception& error) {
      spdlog::error("an enrolment failed: {}", error.what());
      set_diagnostic(response, wire::coap_code(5, 0), "the gateway failed, its log says why");
    }
  }

  static const coap_bin_const_t* key(coap_bin_const_t* identity, coap_session_t* session,
                                     void* self) {
    try {
      return static_cast<EstResources*>(self)->session_key(session, identity);
    } catch (const std::exception& error) {
      spdlog::error("a token could not be looked up: {}", error.what());
      return nullptr;
    }
  }
};

EstResources::EstResources(coap_context_t* context, enrolment::Registrar& registrar,
                           SessionDirectory& sessions, Refuse refuse, Wait wait)
    : registrar_(registrar),
      sessions_(sessions),
      refuse_(std::move(refuse)),
      wait_(std::move(wait)) {
  coap_dtls_spsk_t psk{};
  psk.version = COAP_DTLS_SPSK_SETUP_VERSION;
  psk.validate_id_call_back = &Callbacks::key;
  psk.id_call_back_arg = this;
  if (coap_context_set_psk2(context, &psk) == 0) {
    throw std::runtime_error("DTLS cannot have pre-shared keys");
  }
  const auto add = [&](const char* path, const char* type, coap_request_t method,
                       coap_method_handler_t handler) {
    coap_resource_t* resource = coap_resource_init(coap_make_str_const(path), 0);
    if (resource == nullptr) throw std::runtime_error("libcoap has no memory for a resource");
    coap_resource_set_userdata(resource, this);
    coap_register_request_handler(resource, method, handler);
    // They are listed from the last to the first.
    coap_add_attr(resource, coap_make_str_const("ct"), coap_make_str_const("\"281 287\""), 0);
    coap_add_attr(resource, coap_make_str_const("rt"), coap_make_str_const(type), 0);
    coap_add_resource(context, resource);
  };
  add(".well-known/est/crts", "\"ace.est.crts\"", COAP_REQUEST_GET,
      &Callbacks::handle<&EstResources::get_ca>);
  add(".well-known/est/sen", "\"ace.est.sen\"", COAP_REQUEST_POST,
      &Callbacks::handle<&EstResources::enrol>);
  add(".well-known/est/sren", "\"ace.est.sren\"", COAP_REQUEST_POST,
      &Callbacks::handle<&EstResources::renew>);
}

bool EstResources::is_by_token(coap_session_t* session) {
  coap_tls_library_t library = COAP_TLS_LIBRARY_NOTLS;
  const auto* tls =
      static_cast<const mbedtls_ssl_context*>(coap_session_get_tls(session, &library));
  if (tls == nullptr || library != COAP_TLS_LIBRARY_MBEDTLS) return false;
  const int suite = mbedtls_ssl_get_ciphersuite_id_from_ssl(tls);
  return suite == MBEDTLS_TLS_PSK_WITH_AES_128_CCM_8 ||
         suite == MBEDTLS_TLS_PSK_WITH_AES_128_GCM_SHA256;
}

void EstResources::expire_uploads(std::int64_t now_s) {
  now_s_ = now_s;
  for (auto& [session, upload] : uploads_) upload.expire(now_s);
}

// Called during the handshake, when nothing proves yet that the peer has the token.
const coap_bin_const_t* EstResources::session_key(coap_session_t* session,
                                                  const coap_bin_const_t* identity) {
  const std::string_view token = view_of(identity);
  try {
    key_.emplace(registrar_.session_key(token, unix_now_s()));
  } catch (const enrolment::EnrolmentError& error) {
    // What is no token of ours may be any bytes: they are not repeated.
    const bool known = error.status() == Status::kRevoked;
    refuse_(session,
            {"enrolment", known ? "token " + std::string(token) : "", remote_of(session),
             error.status(), error.what()},
            /*close=*/false);
    return nullptr;
  }
  key_view_ = {.length = key_->size(), .s = key_->data()};
  return &key_view_;
}

std::optional<EstResources::Client> EstResources::identify_or_refuse(const Request& request) {
  if (is_by_token(request.session)) {
    return within_limits(
        request, {.token = std::string(view_of(coap_session_get_psk_identity(request.session))),
                  .device = {}});
  }
  const Identification who = sessions_.identify(request.session);
  if (who.session != nullptr) return within_limits(request, {.token = {}, .device = who.device});
  refuse_(request.session,
          {"session", who.device, remote_of(request.session), who.status, who.detail},
          /*close=*/true);
  set_diagnostic(request.response, wire::response_code(who.status), who.detail);
  return std::nullopt;
}

std::optional<EstResources::Client> EstResources::within_limits(const Request& request,
                                                                Client client) {
  const std::uint32_t wait_s = wait_(request.session, client.name());
  if (wait_s == 0) return client;
  set_diagnostic(request.response, wire::kCodeTooManyRequests,
                 "too many requests, or too many that register at this address", wait_s);
  return std::nullopt;
}

// The whole body, when its last block is there; otherwise what is to be said is said.
std::optional<std::vector<std::uint8_t>> EstResources::receive(const Request& request) {
  if (uint_option(request.pdu, COAP_OPTION_CONTENT_FORMAT) != kPkcs10) {
    set_diagnostic(request.response, kUnsupportedFormat, "expected content format 286 (PKCS#10)");
    return std::nullopt;
  }
  coap_block_t block{};
  coap_opt_iterator_t iterator;
  if (coap_check_option(request.pdu, COAP_OPTION_BLOCK1, &iterator) != nullptr &&
      (coap_get_block(request.pdu, COAP_OPTION_BLOCK1, &block) == 0 || block.szx > kLargestSzx)) {
    set_diagnostic(request.response, wire::coap_code(4, 0), "Block1: not a valid block option");
    return std::nullopt;
  }
  auto& upload =
      uploads_.try_emplace(request.session, pki::kMaxCertificateRequestBytes).first->second;
  const UploadStep step =
      upload.add({.number = block.num,
                  .more = block.m != 0,
                  .offset = std::size_t{block.num} << (block.szx + 4U),
                  .data = payload_of(request.pdu),
                  .announced_bytes = uint_option(request.pdu, COAP_OPTION_SIZE1).value_or(0),
                  .message_id = static_cast<std::uint16_t>(coap_pdu_get_mid(request.pdu))},
                 now_s_);
  if (step == UploadStep::kComplete) {
    auto body = upload.take_body();
    // It is answered at once. Who does not hear that asks again, and gets the same certificate.
    uploads_.erase(request.session);
    return body;
  }
  if (step == UploadStep::kContinue) {
    coap_pdu_set_code(request.response, COAP_RESPONSE_CODE_CONTINUE);
  } else if (step == UploadStep::kGap) {
    coap_pdu_set_code(request.response, COAP_RESPONSE_CODE_INCOMPLETE);
  } else {
    set_diagnostic(
        request.response, wire::coap_code(4, 13),
        "a request has at most " + std::to_string(pki::kMaxCertificateRequestBytes) + " bytes");
  }
  return std::nullopt;
}

// `issue` gives the certificate (DER), or throws EnrolmentError.
template <typename Issue>
void EstResources::answer_with(const Request& request, const Client& client, Issue issue) {
  const auto format = accepted_format(request.pdu);
  if (!format) {
    return set_diagnostic(request.response, kNotAcceptable,
                          "expected Accept 281 (PKCS#7) or 287 (one certificate)");
  }
  try {
    std::vector<std::uint8_t> body = issue();
    if (*format == kPkcs7CertsOnly) body = pki::certs_only(body);
    auto* kept = new std::vector<std::uint8_t>(std::move(body));
    coap_add_data_large_response(
        request.resource, request.session, request.pdu, request.response, request.query, *format,
        -1, 0, kept->size(), kept->data(),
        [](coap_session_t* /*session*/, void* owner) {
          delete static_cast<std::vector<std::uint8_t>*>(owner);
        },
        kept);
  } catch (const enrolment::EnrolmentError& error) {
    if (error.status() == Status::kBusy) {
      set_diagnostic(request.response, wire::kCodeTooManyRequests, error.what(),
                     enrolment::kMinRenewalIntervalS);
    } else {
      set_diagnostic(request.response, wire::response_code(error.status()), error.what());
    }
    refuse_(request.session,
            {"enrolment", client.name(), remote_of(request.session), error.status(), error.what()},
            /*close=*/false);
  }
}

void EstResources::get_ca(const Request& request) {
  const auto client = identify_or_refuse(request);
  if (!client) return;
  coap_pdu_set_code(request.response, COAP_RESPONSE_CODE_CONTENT);
  answer_with(request, *client, [this] { return registrar_.ca().der; });
}

void EstResources::enrol(const Request& request) {
  const auto client = identify_or_refuse(request);
  if (!client) return;
  const auto body = receive(request);
  if (!body) return;
  coap_pdu_set_code(request.response, COAP_RESPONSE_CODE_CHANGED);
  answer_with(request, *client, [&] {
    if (client->token.empty()) {
      throw enrolment::EnrolmentError(Status::kWrongDevice,
                                      "a device that has a certificate renews it: /sren");
    }
    return registrar_.enrol(client->token, *body, remote_of(request.session), unix_now_s());
  });
}

void EstResources::renew(const Request& request) {
  const auto client = identify_or_refuse(request);
  if (!client) return;
  const auto body = receive(request);
  if (!body) return;
  coap_pdu_set_code(request.response, COAP_RESPONSE_CODE_CHANGED);
  answer_with(request, *client, [&] {
    if (client->device.empty()) {
      throw enrolment::EnrolmentError(Status::kWrongDevice,
                                      "a token is for a first certificate: /sen");
    }
    return registrar_.renew(client->device, *body, remote_of(request.session), unix_now_s());
  });
}

}  // namespace skep::app

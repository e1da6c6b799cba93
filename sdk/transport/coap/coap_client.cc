#include "skep/transport_coap/coap_client.h"

#include <coap3/coap.h>
#include <mbedtls/platform_util.h>
#include <mbedtls/ssl.h>

#include <algorithm>
#include <bit>
#include <cstring>

#include "coap_platform.h"
#include "skep/config.h"

namespace skep::transport {
namespace {

constexpr std::size_t kScalarBytes = 32;

// Block 0 of our size (RFC 7959 section 2.2), or the gateway would choose and our buffers be too
// small.
constexpr unsigned kBlockSzx = std::countr_zero(kCoapBlockBytes) - 4;

// ECPrivateKey ::= SEQUENCE { 1, OCTET STRING scalar, [0] prime256v1 } (RFC 5915 section 3).
constexpr std::array<std::uint8_t, 7> kDerPrefix = {0x30, 0x31, 0x02, 0x01, 0x01, 0x04, 0x20};
constexpr std::array<std::uint8_t, 12> kDerSuffix = {0xa0, 0x0a, 0x06, 0x08, 0x2a, 0x86,
                                                     0x48, 0xce, 0x3d, 0x03, 0x01, 0x07};

// Mbed TLS (since 3.6.3) verifies a server only if it was told a host name, which reaches it as
// the SNI; libcoap then leaves the comparison of names to a callback, which we do not set. Who is
// a gateway is decided by the CA and the key usage: gateways have addresses, not names.
char gateway_sni[] = "skep-gateway";

coap_fixed_point_t to_fixed_point(std::uint32_t milliseconds) {
  return {static_cast<std::uint16_t>(milliseconds / 1000U),
          static_cast<std::uint16_t>(milliseconds % 1000U)};
}

coap_pdu_code_t request_code(Method method) {
  switch (method) {
    case Method::kPost:
      return COAP_REQUEST_CODE_POST;
    case Method::kDelete:
      return COAP_REQUEST_CODE_DELETE;
    case Method::kGet:
      break;
  }
  return COAP_REQUEST_CODE_GET;
}

Status to_status(coap_nack_reason_t reason) {
  switch (reason) {
    case COAP_NACK_TOO_MANY_RETRIES:
      return Status::kTimeout;
    case COAP_NACK_RST:
      return Status::kRejected;
    case COAP_NACK_BAD_RESPONSE:
      return Status::kMalformed;
    default:
      return Status::kUnreachable;
  }
}

// Each part of `text` between separators becomes one option.
bool add_parts(coap_optlist_t** options, std::uint16_t number, const char* text, char separator) {
  while (*text != '\0') {
    const char* end = std::strchr(text, separator);
    const std::size_t length =
        end == nullptr ? std::strlen(text) : static_cast<std::size_t>(end - text);
    if (coap_insert_optlist(
            options,
            coap_new_optlist(number, length, reinterpret_cast<const std::uint8_t*>(text))) == 0) {
      return false;
    }
    text += length + (end == nullptr ? 0 : 1);
  }
  return true;
}

bool add_uint(coap_optlist_t** options, std::uint16_t number, unsigned value) {
  std::array<std::uint8_t, 4> bytes{};
  const unsigned length = coap_encode_var_safe(bytes.data(), bytes.size(), value);
  return coap_insert_optlist(options, coap_new_optlist(number, length, bytes.data())) != 0;
}

}  // namespace

// libcoap hands back the client through the context's application pointer.
struct CoapClient::Callbacks {
  static CoapClient* client_of(coap_session_t* session) {
    return static_cast<CoapClient*>(coap_get_app_data(coap_session_get_context(session)));
  }

  static coap_response_t on_response(coap_session_t* session, const coap_pdu_t* /*sent*/,
                                     const coap_pdu_t* received, coap_mid_t /*id*/) {
    client_of(session)->on_pdu(received);
    return COAP_RESPONSE_OK;
  }

  static void on_nack(coap_session_t* session, const coap_pdu_t* sent, coap_nack_reason_t reason,
                      coap_mid_t /*id*/) {
    // After an ICMP error libcoap goes on retransmitting: the gateway may be restarting.
    if (reason != COAP_NACK_ICMP_ISSUE) client_of(session)->on_nack(sent, to_status(reason));
  }

  static int on_event(coap_session_t* session, coap_event_t event) {
    CoapClient* client = client_of(session);
    switch (event) {
      case COAP_EVENT_DTLS_CLOSED:
      case COAP_EVENT_DTLS_ERROR:
        client->on_session_lost(Status::kUnreachable);
        break;
      default:
        break;
    }
    return 0;
  }
};

CoapClient::CoapClient(const CoapEndpoint& endpoint, const CoapTiming& timing)
    : endpoint_(endpoint), timing_(timing) {}

CoapClient::~CoapClient() {
  close();
  mbedtls_platform_zeroize(private_key_der_.data(), private_key_der_.size());
}

Status CoapClient::open(ResponseHandler& handler) {
  close();
  if (endpoint_.device_private_key.size() != kScalarBytes) return Status::kInvalidArgument;
  auto* cursor = std::copy(kDerPrefix.begin(), kDerPrefix.end(), private_key_der_.data());
  cursor =
      std::copy(endpoint_.device_private_key.begin(), endpoint_.device_private_key.end(), cursor);
  std::copy(kDerSuffix.begin(), kDerSuffix.end(), cursor);

  coap_startup();
  context_ = coap_new_context(nullptr);
  if (context_ == nullptr) return Status::kNoMemory;
  prepare_context(context_);
  coap_set_app_data(context_, this);
  coap_context_set_block_mode(context_, COAP_BLOCK_USE_LIBCOAP);
  coap_context_set_max_block_size(context_, kCoapBlockBytes);
  coap_register_response_handler(context_, &Callbacks::on_response);
  coap_register_nack_handler(context_, &Callbacks::on_nack);
  coap_register_event_handler(context_, &Callbacks::on_event);

  handler_ = &handler;
  state_ = SessionState::kHandshaking;
  const Status status = make_session();
  if (status != Status::kOk) close();
  return status;
}

Status CoapClient::make_session() {
  coap_address_t address;
  if (!make_address(endpoint_, address)) return Status::kInvalidArgument;

  coap_dtls_pki_t pki{};
  pki.version = COAP_DTLS_PKI_SETUP_VERSION;
  pki.verify_peer_cert = 1;
  pki.check_common_ca = 1;
  pki.cert_chain_validation = 1;
  pki.cert_chain_verify_depth = 1;
  pki.use_cid = 1;
  pki.client_sni = gateway_sni;
  pki.pki_key.key_type = COAP_PKI_KEY_ASN1;
  coap_pki_key_asn1_t& key = pki.pki_key.key.asn1;
  key.ca_cert = endpoint_.ca_certificate.data();
  key.ca_cert_len = endpoint_.ca_certificate.size();
  key.public_cert = endpoint_.device_certificate.data();
  key.public_cert_len = endpoint_.device_certificate.size();
  key.private_key = private_key_der_.data();
  key.private_key_len = private_key_der_.size();
  key.private_key_type = COAP_ASN1_PKEY_EC;

  session_ = coap_new_client_session_pki(context_, nullptr, &address, COAP_PROTO_DTLS, &pki);
  if (session_ == nullptr) return Status::kUnreachable;
  coap_session_set_ack_timeout(session_, to_fixed_point(timing_.ack_timeout_ms));
  coap_session_set_max_retransmit(session_, timing_.max_retransmit);
  return Status::kOk;
}

void CoapClient::close() {
  for (Pending& pending : pending_) pending = Pending{};
  // Freeing the context frees the session, and sends the DTLS close_notify.
  if (context_ != nullptr) coap_free_context(context_);
  context_ = nullptr;
  session_ = nullptr;
  handler_ = nullptr;
  state_ = SessionState::kClosed;
}

Status CoapClient::fill_options(const Request& request, coap_pdu_t* pdu) const {
  coap_optlist_t* options = nullptr;
  bool ok = add_parts(&options, COAP_OPTION_URI_PATH, request.path, '/') &&
            add_parts(&options, COAP_OPTION_URI_QUERY, request.query, '&');
  if (request.observe) ok = ok && add_uint(&options, COAP_OPTION_OBSERVE, COAP_OBSERVE_ESTABLISH);
  if (request.method == Method::kGet) ok = ok && add_uint(&options, COAP_OPTION_BLOCK2, kBlockSzx);
  if (!request.etag.empty()) {
    ok = ok && coap_insert_optlist(&options, coap_new_optlist(COAP_OPTION_ETAG, request.etag.size(),
                                                              request.etag.data())) != 0;
  }
  if (!request.body.empty()) {
    ok = ok && add_uint(&options, COAP_OPTION_CONTENT_FORMAT, kOctetStream);
  }
  ok = ok && coap_add_optlist_pdu(pdu, &options) != 0;
  coap_delete_optlist(options);
  return ok ? Status::kOk : Status::kNoMemory;
}

Status CoapClient::send(RequestId id, const Request& request) {
  if (id >= kMaxRequests || pending_[id].active || request.etag.size() > kMaxEtagBytes) {
    return Status::kInvalidArgument;
  }
  if (state_ != SessionState::kEstablished) return Status::kUnreachable;

  coap_pdu_t* pdu = coap_new_pdu(COAP_MESSAGE_CON, request_code(request.method), session_);
  if (pdu == nullptr) return Status::kNoMemory;
  Pending pending{.active = true, .observe = request.observe, .token_bytes = 0, .token = {}};
  std::size_t token_bytes = 0;
  coap_session_new_token(session_, &token_bytes, pending.token.data());
  pending.token_bytes = static_cast<std::uint8_t>(token_bytes);
  if (coap_add_token(pdu, token_bytes, pending.token.data()) == 0 ||
      fill_options(request, pdu) != Status::kOk ||
      (!request.body.empty() &&
       coap_add_data_large_request(session_, pdu, request.body.size(), request.body.data(), nullptr,
                                   nullptr) == 0)) {
    coap_delete_pdu(pdu);
    return Status::kNoMemory;
  }
  // Not before it is sent: a failure to send is this call's result, not a callback too.
  if (coap_send(session_, pdu) == COAP_INVALID_MID) return Status::kUnreachable;
  pending_[id] = pending;
  return Status::kOk;
}

void CoapClient::cancel(RequestId id) {
  if (id >= kMaxRequests || !pending_[id].active) return;
  Pending pending = pending_[id];
  pending_[id] = Pending{};
  if (pending.observe && state_ == SessionState::kEstablished) {
    coap_binary_t token{.length = pending.token_bytes, .s = pending.token.data()};
    coap_cancel_observe(session_, &token, COAP_MESSAGE_CON);
  }
}

void CoapClient::poll() {
  if (context_ == nullptr) return;
  coap_io_process(context_, COAP_IO_NO_WAIT);
  // libcoap on Mbed TLS has no event for a handshake whose last flight is the server's.
  if (state_ == SessionState::kHandshaking &&
      coap_session_get_state(session_) == COAP_SESSION_STATE_ESTABLISHED) {
    state_ = SessionState::kEstablished;
  }
}

std::uint32_t CoapClient::next_timeout_ms() {
  if (context_ == nullptr) return UINT32_MAX;
  // The handler may hear of a failure in this: then there is work at once.
  has_news_ = false;
  const unsigned timeout_ms = do_due_work(context_);
  if (has_news_) return 0;
  return timeout_ms == 0 ? UINT32_MAX : timeout_ms;
}

Bytes CoapClient::peer_certificate() const {
  if (state_ != SessionState::kEstablished) return {};
  coap_tls_library_t library = COAP_TLS_LIBRARY_NOTLS;
  const auto* tls =
      static_cast<const mbedtls_ssl_context*>(coap_session_get_tls(session_, &library));
  if (tls == nullptr || library != COAP_TLS_LIBRARY_MBEDTLS) return {};
  const mbedtls_x509_crt* certificate = mbedtls_ssl_get_peer_cert(tls);
  return certificate == nullptr ? Bytes{} : Bytes(certificate->raw.p, certificate->raw.len);
}

int CoapClient::wait_fd() const { return context_ == nullptr ? -1 : wait_descriptor(context_); }

int CoapClient::find(Bytes token) const {
  for (std::size_t i = 0; i < pending_.size(); ++i) {
    const Pending& pending = pending_[i];
    if (pending.active &&
        std::ranges::equal(token, std::span(pending.token.data(), pending.token_bytes))) {
      return static_cast<int>(i);
    }
  }
  return -1;
}

void CoapClient::on_pdu(const coap_pdu_t* pdu) {
  const coap_bin_const_t token = coap_pdu_get_token(pdu);
  const int index = find({token.s, token.length});
  if (index < 0) return;  // an answer to something cancelled
  const auto id = static_cast<RequestId>(index);

  Response response;
  response.code = static_cast<std::uint8_t>(coap_pdu_get_code(pdu));
  std::size_t length = 0;
  std::size_t offset = 0;
  std::size_t total = 0;
  const std::uint8_t* data = nullptr;
  if (coap_get_data_large(pdu, &length, &data, &offset, &total) != 0) {
    response.payload = {data, length};
    response.offset = static_cast<std::uint32_t>(offset);
    response.total_bytes = static_cast<std::uint32_t>(total);
  }
  coap_block_t block{};
  if (coap_get_block(pdu, COAP_OPTION_BLOCK2, &block) != 0) response.last = block.m == 0;
  coap_opt_iterator_t iterator;
  if (const coap_opt_t* etag = coap_check_option(pdu, COAP_OPTION_ETAG, &iterator)) {
    response.etag = {coap_opt_value(etag), coap_opt_length(etag)};
  }
  if (const coap_opt_t* age = coap_check_option(pdu, COAP_OPTION_MAXAGE, &iterator)) {
    response.max_age_s = coap_decode_var_bytes(coap_opt_value(age), coap_opt_length(age));
  }
  // An observation goes on after a success; an error ends it (RFC 7641 section 3.2).
  const bool ends = response.last && !(pending_[id].observe && is_success(response.code));
  if (ends) pending_[id] = Pending{};
  has_news_ = true;
  handler_->on_response(id, response);
}

void CoapClient::on_nack(const coap_pdu_t* pdu, Status status) {
  // A message that went unanswered through all its retransmissions, be it one that is no longer
  // waited for, shows that the peer is gone: those behind it would each wait as long.
  if (status == Status::kUnreachable || status == Status::kTimeout) {
    on_session_lost(status);
    return;
  }
  if (pdu == nullptr) return;
  const coap_bin_const_t token = coap_pdu_get_token(pdu);
  const int index = find({token.s, token.length});
  if (index < 0) return;
  pending_[static_cast<std::size_t>(index)] = Pending{};
  has_news_ = true;
  handler_->on_failure(static_cast<RequestId>(index), status);
}

void CoapClient::on_session_lost(Status status) {
  if (state_ == SessionState::kClosed) return;
  state_ = SessionState::kClosed;
  has_news_ = true;
  for (std::size_t i = 0; i < pending_.size(); ++i) {
    if (!pending_[i].active) continue;
    pending_[i] = Pending{};
    handler_->on_failure(static_cast<RequestId>(i), status);
  }
}

}  // namespace skep::transport

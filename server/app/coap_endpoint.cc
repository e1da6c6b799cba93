#include "coap_endpoint.h"

#include <arpa/inet.h>
#include <mbedtls/ssl.h>
#include <mbedtls/x509_crt.h>
#include <netinet/in.h>
#include <spdlog/spdlog.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <exception>
#include <optional>
#include <stdexcept>
#include <string_view>
#include <utility>

#include "coap_messages.h"
#include "skep/config.h"
#include "skep/pki/files.h"
#include "skep/wire/codec.h"
#include "skep/wire/resources.h"
#include "skep/wire/response_code.h"

namespace skep::app {
namespace {

constexpr std::size_t kMaxPemBytes = 64U << 10U;
constexpr std::uint32_t kLargestBlockOptionSzx = 6;

std::string_view view_of(const coap_string_t* text) {
  if (text == nullptr) return {};
  return {reinterpret_cast<const char*>(text->s), text->length};
}

/// What a device asks of the model resource.
struct ModelQuery {
  std::uint32_t version = 0;
  std::uint32_t base_version = 0;  ///< That it has and wants a patch from; 0 = none.
};

// `prefix` and a decimal number ≥ 1 without sign, blanks or leading zeros; takes them from `text`.
std::optional<std::uint32_t> take_version(std::string_view& text, std::string_view prefix) {
  if (!text.starts_with(prefix)) return std::nullopt;
  text.remove_prefix(prefix.size());
  std::uint32_t version = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), version);
  if (error != std::errc() || text.front() == '0') return std::nullopt;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return version;
}

// "v=N" or "v=N&from=M".
std::optional<ModelQuery> parse_model_query(std::string_view text) {
  const auto version = take_version(text, wire::kModelVersionQuery);
  if (!version) return std::nullopt;
  if (text.empty()) return ModelQuery{.version = *version, .base_version = 0};
  const auto base_version = take_version(text, wire::kBaseVersionQuery);
  if (!base_version || !text.empty()) return std::nullopt;
  return ModelQuery{.version = *version, .base_version = *base_version};
}

coap_address_t to_coap_address(const CoapAddress& address) {
  coap_address_t result;
  coap_address_init(&result);
  if (inet_pton(AF_INET, address.listen.c_str(), &result.addr.sin.sin_addr) == 1) {
    result.addr.sin.sin_family = AF_INET;
    result.size = sizeof(result.addr.sin);
  } else if (inet_pton(AF_INET6, address.listen.c_str(), &result.addr.sin6.sin6_addr) == 1) {
    result.addr.sin6.sin6_family = AF_INET6;
    result.size = sizeof(result.addr.sin6);
  } else {
    throw std::runtime_error(address.listen + " is not an IP address");
  }
  coap_address_set_port(&result, address.port);
  return result;
}

// libcoap shares its port (SO_REUSEADDR): a second daemon would take the first one's datagrams.
void check_port_is_free(const coap_address_t& address, const CoapAddress& name) {
  const int fd = ::socket(address.addr.sa.sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  const bool ok = fd >= 0 && ::bind(fd, &address.addr.sa, address.size) == 0;
  const int error = errno;
  if (fd >= 0) ::close(fd);
  if (!ok) {
    throw std::runtime_error("cannot listen on UDP " + name.listen + " port " +
                             std::to_string(name.port) + ": " + std::strerror(error));
  }
}

std::vector<std::uint8_t> read_pem(const std::filesystem::path& path) {
  auto pem = pki::read_file(path, kMaxPemBytes);
  pem.push_back('\0');  // Mbed TLS wants PEM as a string
  return pem;
}

// "127.0.0.1:5684 DTLS" → 5684.
std::uint16_t port_of(const coap_endpoint_t* endpoint) {
  const std::string_view text = coap_endpoint_str(endpoint);
  const auto blank = text.rfind(' ');
  const auto colon = text.rfind(':', blank);
  std::uint16_t port = 0;
  if (blank == std::string_view::npos || colon == std::string_view::npos ||
      std::from_chars(text.data() + colon + 1, text.data() + blank, port).ec != std::errc()) {
    throw std::runtime_error("libcoap does not tell the port: " + std::string(text));
  }
  return port;
}

}  // namespace

// Nothing may be thrown through libcoap.
struct CoapEndpoint::Callbacks {
  static CoapEndpoint& self(const coap_session_t* session) {
    return *static_cast<CoapEndpoint*>(coap_get_app_data(coap_session_get_context(session)));
  }

  template <typename Handler>
  static void guarded(coap_pdu_t* response, Handler handler) {
    try {
      handler();
    } catch (const std::exception& error) {
      spdlog::error("a request failed: {}", error.what());
      set_problem(response, Status::kInternal, "the gateway failed, its log says why", 0);
    }
  }

  static void round(coap_resource_t* resource, coap_session_t* session, const coap_pdu_t* request,
                    const coap_string_t* query, coap_pdu_t* response) {
    guarded(response,
            [&] { self(session).get_round(resource, session, request, query, response); });
  }
  static void model(coap_resource_t* /*resource*/, coap_session_t* session,
                    const coap_pdu_t* request, const coap_string_t* query, coap_pdu_t* response) {
    guarded(response, [&] { self(session).get_model(session, request, query, response); });
  }
  static void update(coap_resource_t* /*resource*/, coap_session_t* session,
                     const coap_pdu_t* request, const coap_string_t* /*query*/,
                     coap_pdu_t* response) {
    guarded(response, [&] { self(session).post_update(session, request, response); });
  }
  static void time(coap_resource_t* /*resource*/, coap_session_t* session,
                   const coap_pdu_t* request, const coap_string_t* /*query*/,
                   coap_pdu_t* response) {
    guarded(response, [&] { self(session).post_time(session, request, response); });
  }
  static void unknown(coap_resource_t* /*resource*/, coap_session_t* /*session*/,
                      const coap_pdu_t* /*request*/, const coap_string_t* /*query*/,
                      coap_pdu_t* response) {
    set_problem(response, Status::kNotFound, "no such resource", 0);
  }
  // Of a chain, the device's own certificate is at depth 0. What Mbed TLS found stays in `flags`.
  static int verify(void* session, mbedtls_x509_crt* certificate, int depth, std::uint32_t* flags) {
    if (depth != 0 || *flags != 0) return 0;
    auto* of = static_cast<coap_session_t*>(session);
    try {
      self(of).judge_certificate(of, {certificate->raw.p, certificate->raw.len}, *flags);
    } catch (const std::exception& error) {
      spdlog::error("a certificate could not be judged: {}", error.what());
      *flags |= MBEDTLS_X509_BADCERT_OTHER;
    }
    return 0;
  }
  static int hello(coap_context_t* context, const coap_address_t* remote, const std::uint8_t* data,
                   std::size_t length, std::uint8_t* reply, std::size_t* reply_length) {
    const std::span<std::uint8_t> room(reply, std::exchange(*reply_length, 0));
    try {
      auto& endpoint = *static_cast<CoapEndpoint*>(coap_get_app_data(context));
      return endpoint.on_hello(*remote, {data, length}, room, *reply_length) ? 1 : 0;
    } catch (const std::exception& error) {
      spdlog::error("a handshake could not be judged: {}", error.what());
      return 0;
    }
  }
  static int event(coap_session_t* session, coap_event_t event) {
    try {
      self(session).on_event(session, event);
    } catch (const std::exception& error) {
      spdlog::error("a session failed: {}", error.what());
      self(session).refused_.push_back(session);
    }
    return 0;
  }
};

CoapEndpoint::CoapEndpoint(const CoapAddress& address, const pki::FederationPaths& paths,
                           const std::filesystem::path& database,
                           coordinator::Coordinator& coordinator, intake::Intake& intake,
                           AuditLog& audit_log, TimeSigner time_signer,
                           enrolment::Registrar* registrar, const CoapSettings& settings)
    : coordinator_(coordinator),
      intake_(intake),
      audit_log_(audit_log),
      session_limits_(settings.limits),
      registrations_(settings.limits),
      budget_(settings.limits.requests_per_minute),
      sessions_(database),
      models_(coordinator, settings.patch_depth),
      time_signer_(std::move(time_signer)),
      listen_(address.listen) {
  coap_startup();
  context_.reset(coap_new_context(nullptr));
  if (context_ == nullptr) throw std::runtime_error("libcoap has no memory for a context");
  coap_set_app_data(context_.get(), this);
  coap_context_set_block_mode(context_.get(), COAP_BLOCK_USE_LIBCOAP);
  coap_context_set_hello_handler(context_.get(), &Callbacks::hello, hello_verifier_.cookies());
  coap_context_set_max_handshake_sessions(context_.get(), settings.limits.handshakes);
  // One below the limit of all: while there are idle ones, the oldest makes room.
  coap_context_set_max_idle_sessions(context_.get(), std::max(settings.limits.sessions, 2U) - 1);
  coap_context_set_session_timeout(context_.get(), kSessionTimeoutS);
  coap_register_event_handler(context_.get(), &Callbacks::event);
  set_up_dtls(paths);
  add_resources();
  if (registrar != nullptr) {
    est_.emplace(
        context_.get(), *registrar, sessions_,
        [this](coap_session_t* session, const AuditEntry& entry, bool close) {
          record_refusal(entry);
          if (close) close_later(session);
        },
        [this](coap_session_t* session, const std::string& client) {
          return enrolment_wait(session, client);
        });
  }
  open_endpoint(address);
}

CoapEndpoint::~CoapEndpoint() {
  for (auto& [token, pending] : pending_) coap_session_release(pending.session);
}

void CoapEndpoint::set_up_dtls(const pki::FederationPaths& paths) {
  ca_pem_ = read_pem(paths.ca_certificate());
  certificate_pem_ = read_pem(paths.gateway_certificate());
  const pki::SecretBytes key = pki::load_private_pem(paths.gateway_key(), paths.passphrase.get());
  key_pem_ = std::make_unique<pki::SecretBytes>(key.size() + 1);
  std::ranges::copy(key.bytes(), key_pem_->data());

  coap_dtls_pki_t pki{};
  pki.version = COAP_DTLS_PKI_SETUP_VERSION;
  pki.verify_peer_cert = 1;
  pki.check_common_ca = 1;
  pki.cert_chain_validation = 1;
  pki.cert_chain_verify_depth = 1;
  pki.pki_key.key_type = COAP_PKI_KEY_PEM_BUF;
  coap_pki_key_pem_buf_t& pem = pki.pki_key.key.pem_buf;
  pem.ca_cert = ca_pem_.data();
  pem.ca_cert_len = ca_pem_.size();
  pem.public_cert = certificate_pem_.data();
  pem.public_cert_len = certificate_pem_.size();
  pem.private_key = key_pem_->data();
  pem.private_key_len = key_pem_->size();
  if (coap_context_set_pki(context_.get(), &pki) == 0) {
    throw std::runtime_error("DTLS does not accept " + paths.gateway_certificate().string() +
                             " with its key and " + paths.ca_certificate().string());
  }
}

void CoapEndpoint::open_endpoint(const CoapAddress& address) {
  const coap_address_t local = to_coap_address(address);
  check_port_is_free(local, address);
  const coap_endpoint_t* endpoint = coap_new_endpoint(context_.get(), &local, COAP_PROTO_DTLS);
  if (endpoint == nullptr) {
    throw std::runtime_error("cannot listen on UDP " + address.listen + " port " +
                             std::to_string(address.port));
  }
  port_ = port_of(endpoint);
}

void CoapEndpoint::add_resources() {
  const auto add = [this](const char* path, int flags, coap_request_t method,
                          coap_method_handler_t handler) {
    coap_resource_t* resource = coap_resource_init(coap_make_str_const(path), flags);
    if (resource == nullptr) throw std::runtime_error("libcoap has no memory for a resource");
    coap_register_request_handler(resource, method, handler);
    coap_add_resource(context_.get(), resource);
    return resource;
  };
  // Confirmable notifications: an observer that does not acknowledge is forgotten.
  round_resource_ =
      add(wire::kRoundPath, COAP_RESOURCE_FLAGS_NOTIFY_CON, COAP_REQUEST_GET, &Callbacks::round);
  coap_resource_set_get_observable(round_resource_, 1);
  add(wire::kModelPath, 0, COAP_REQUEST_GET, &Callbacks::model);
  add(wire::kUpdatesPath, 0, COAP_REQUEST_POST, &Callbacks::update);
  add(wire::kTimePath, 0, COAP_REQUEST_POST, &Callbacks::time);

  coap_resource_t* unknown = coap_resource_unknown_init(&Callbacks::unknown);
  if (unknown == nullptr) throw std::runtime_error("libcoap has no memory for a resource");
  for (const coap_request_t method : {COAP_REQUEST_GET, COAP_REQUEST_POST, COAP_REQUEST_DELETE}) {
    coap_register_request_handler(unknown, method, &Callbacks::unknown);
  }
  coap_add_resource(context_.get(), unknown);
}

int CoapEndpoint::wait_fd() const { return coap_context_get_coap_fd(context_.get()); }

std::string CoapEndpoint::uri() const {
  const bool ipv6 = listen_.find(':') != std::string::npos;
  return "coaps://" + (ipv6 ? "[" + listen_ + "]" : listen_) + ":" + std::to_string(port_);
}

void CoapEndpoint::process(std::int64_t now_s) {
  if (std::exchange(now_s_, now_s) != now_s) {
    sessions_.expire_uploads(now_s);
    if (est_) est_->expire_uploads(now_s);
    budget_.expire(now_s);
    session_limits_.forgive(now_s);
    close_overdue_handshakes();
  }
  close_revoked_sessions();
  coap_io_process(context_.get(), COAP_IO_NO_WAIT);
  admit_new_sessions();
  close_refused_sessions();
  counters_.sessions = sessions_.size();
  counters_.handshakes = session_limits_.handshakes();
}

bool CoapEndpoint::on_hello(const coap_address_t& remote, Bytes datagram,
                            std::span<std::uint8_t> reply, std::size_t& reply_bytes) {
  // As libcoap tells Mbed TLS who the client is, padding included.
  coap_address_t peer;
  coap_address_copy(&peer, &remote);
  const HelloJudgement judgement = hello_verifier_.judge(
      datagram, {reinterpret_cast<const std::uint8_t*>(&peer), sizeof(peer)}, reply);
  reply_bytes = judgement.reply_bytes;
  if (judgement.verdict == HelloVerdict::kUnverified) ++counters_.cookies;
  if (judgement.verdict != HelloVerdict::kVerified) return false;
  const char* objection = session_limits_.objection(peer_address(remote));
  if (objection == nullptr) return true;
  ++counters_.handshakes_refused;
  record_limit({"handshake", "", text_of(remote), Status::kBusy, objection});
  return false;
}

void CoapEndpoint::close_overdue_handshakes() {
  const auto overdue = session_limits_.overdue(now_s_);
  for (coap_session_t* session : arriving_) {
    if (std::ranges::find(overdue, session) == overdue.end()) continue;
    if (std::ranges::find(refused_, session) != refused_.end()) continue;
    ++counters_.handshakes_timed_out;
    close_later(session);
  }
  close_refused_sessions();
}

void CoapEndpoint::notify_plan_changed() {
  coap_resource_notify_observers(round_resource_, nullptr);
}

void CoapEndpoint::on_event(coap_session_t* session, coap_event_t event) {
  switch (event) {
    case COAP_EVENT_SERVER_SESSION_NEW:
      arriving_.push_back(session);
      session_limits_.begin(session, peer_address(*coap_session_get_addr_remote(session)), now_s_);
      break;
    case COAP_EVENT_DTLS_ERROR:
      spdlog::info("DTLS handshake or session of {} failed", remote_of(session));
      sessions_.remove(session);
      break;
    case COAP_EVENT_DTLS_CLOSED:
      sessions_.remove(session);
      break;
    case COAP_EVENT_SERVER_SESSION_DEL:
      sessions_.remove(session);
      if (est_) est_->forget(session);
      session_limits_.end(session, now_s_);
      std::erase(arriving_, session);
      std::erase(refused_, session);
      break;
    default:
      break;
  }
}

void CoapEndpoint::close_revoked_sessions() {
  for (const auto& [session, device] : sessions_.take_revoked()) {
    record_refusal({"session", device, remote_of(session), Status::kRevoked,
                    "the device's certificate is revoked: its session is closed"});
    close_later(session);
  }
  close_refused_sessions();
}

// libcoap asks about a certificate only when it has something against it itself, so Mbed TLS asks
// us directly. It does so before the first certificate can arrive: the session is made from the
// first datagram of a handshake, and process() handles one datagram of an endpoint at a time.
// libcoap's own function would only let pass what set_up_dtls() does not allow.
void CoapEndpoint::watch_certificates(coap_session_t* session) {
  coap_tls_library_t library = COAP_TLS_LIBRARY_NOTLS;
  auto* tls = static_cast<mbedtls_ssl_context*>(coap_session_get_tls(session, &library));
  if (tls == nullptr || library != COAP_TLS_LIBRARY_MBEDTLS) return;
  mbedtls_ssl_set_verify(tls, &Callbacks::verify, session);
}

void CoapEndpoint::judge_certificate(coap_session_t* session, Bytes certificate_der,
                                     std::uint32_t& flags) {
  const Identification who = sessions_.judge_certificate(certificate_der);
  if (who.status == Status::kOk) return;
  flags |=
      who.status == Status::kRevoked ? MBEDTLS_X509_BADCERT_REVOKED : MBEDTLS_X509_BADCERT_OTHER;
  record_refusal({"handshake", who.device, remote_of(session), who.status, who.detail});
}

// With Mbed TLS, libcoap raises no event when a DTLS handshake is complete.
void CoapEndpoint::admit_new_sessions() {
  for (std::size_t i = 0; i < arriving_.size();) {
    coap_session_t* session = arriving_[i];
    watch_certificates(session);
    if (coap_session_get_state(session) != COAP_SESSION_STATE_ESTABLISHED) {
      ++i;
      continue;
    }
    arriving_.erase(arriving_.begin() + static_cast<std::ptrdiff_t>(i));
    session_limits_.establish(session);
    admit(session);
  }
}

void CoapEndpoint::admit(coap_session_t* session) {
  if (est_ && EstResources::is_by_token(session)) return;  // for each request to be judged
  const Identification who = sessions_.identify(session);
  if (who.session == nullptr) {
    // If it was quick to ask, the refusal of its request has been recorded already.
    if (std::ranges::find(refused_, session) != refused_.end()) return;
    record_refusal({"session", who.device, remote_of(session), who.status, who.detail});
    refused_.push_back(session);
  } else if (coap_session_t* surplus =
                 sessions_.surplus_session(who.device, kMaxSessionsPerDevice)) {
    refused_.push_back(surplus);
  }
}

void CoapEndpoint::record_refusal(const AuditEntry& entry) {
  audit_log_.refused(entry, coordinator_.signed_plan()->round);
}

void CoapEndpoint::close_later(coap_session_t* session) {
  if (std::ranges::find(refused_, session) == refused_.end()) refused_.push_back(session);
}

void CoapEndpoint::record_limit(const AuditEntry& entry) {
  audit_log_.limited(entry, coordinator_.signed_plan()->round);
}

void CoapEndpoint::close_refused_sessions() {
  for (coap_session_t* session : std::exchange(refused_, {})) {
    sessions_.remove(session);
    coap_session_disconnected(session, COAP_NACK_TLS_FAILED);
  }
}

DeviceSession* CoapEndpoint::identify_or_refuse(coap_session_t* session, coap_pdu_t* response) {
  const Identification who = sessions_.identify(session);
  if (who.session == nullptr) {
    record_refusal({"session", who.device, remote_of(session), who.status, who.detail});
    close_later(session);
    set_problem(response, who.status, who.detail, 0);
    return nullptr;
  }
  return is_within_limits(*who.session, session, response) ? who.session : nullptr;
}

// The session of a device that has to wait stays: another handshake would cost both more than the
// next request does.
bool CoapEndpoint::is_within_limits(DeviceSession& device, coap_session_t* session,
                                    coap_pdu_t* response) {
  if (const std::uint32_t wait_s = budget_.spend(device.device, now_s_); wait_s != 0) {
    ++counters_.requests_refused;
    refuse_for_now(device, session, response, wait_s, "more requests than a device may make");
    return false;
  }
  if (device.registered) return true;
  const std::uint32_t wait_s =
      registrations_.admit(peer_address(*coap_session_get_addr_remote(session)), device.device,
                           device.took_part, now_s_);
  if (wait_s != 0) {
    ++counters_.registrations_refused;
    refuse_for_now(device, session, response, wait_s, "too many devices register at this address");
    return false;
  }
  device.registered = true;
  return true;
}

// A token counts as one that registers, whatever it is for: each device that it admits counts when
// it first comes with its certificate.
std::uint32_t CoapEndpoint::enrolment_wait(coap_session_t* session, const std::string& client) {
  std::uint32_t wait_s = budget_.spend(client, now_s_);
  if (wait_s != 0) {
    ++counters_.requests_refused;
  } else {
    wait_s = registrations_.admit(peer_address(*coap_session_get_addr_remote(session)), client,
                                  /*known=*/false, now_s_);
    if (wait_s != 0) ++counters_.registrations_refused;
  }
  if (wait_s != 0) {
    record_limit({"enrolment", client, remote_of(session), Status::kBusy,
                  "more requests than a client may make, or too many register at this address"});
  }
  return wait_s;
}

void CoapEndpoint::refuse_for_now(const DeviceSession& device, coap_session_t* session,
                                  coap_pdu_t* response, std::uint32_t retry_after_s,
                                  const char* detail) {
  record_limit({"session", device.device, remote_of(session), Status::kBusy, detail});
  set_problem(response, wire::kCodeTooManyRequests, Status::kBusy, detail, retry_after_s);
}

void CoapEndpoint::count_download(std::uint32_t round, std::size_t bytes) {
  counters_.bytes_down += bytes;
  coordinator_.count_download(round, bytes);
}

void CoapEndpoint::get_round(coap_resource_t* resource, coap_session_t* session,
                             const coap_pdu_t* request, const coap_string_t* query,
                             coap_pdu_t* response) {
  if (identify_or_refuse(session, response) == nullptr) return;
  // libcoap slices this one, because it also prepares the notifications; it needs the bytes until
  // the last block was fetched.
  using SharedPlan = std::shared_ptr<const coordinator::PublishedPlan>;
  auto* plan = new SharedPlan(coordinator_.signed_plan());
  const std::size_t size = (*plan)->bytes.size();
  count_download((*plan)->round, size);
  coap_pdu_set_code(response, static_cast<coap_pdu_code_t>(wire::kCodeContent));
  coap_add_data_large_response(
      resource, session, request, response, query, wire::kContentFormat, -1, 0, size,
      (*plan)->bytes.data(),
      [](coap_session_t* /*session*/, void* owner) { delete static_cast<SharedPlan*>(owner); },
      plan);
}

void CoapEndpoint::get_model(coap_session_t* session, const coap_pdu_t* request,
                             const coap_string_t* query, coap_pdu_t* response) {
  if (identify_or_refuse(session, response) == nullptr) return;
  const auto asked = parse_model_query(view_of(query));
  if (!asked) {
    set_problem(response, Status::kInvalidArgument,
                "query: expected v=N or v=N&from=M with model versions", 0);
    return;
  }
  const ServedModel* model = models_.find(asked->version);
  if (model == nullptr) {
    set_problem(response, Status::kNotFound,
                "there is no released model version " + std::to_string(asked->version), 0);
    return;
  }
  const ServedPatch* patch =
      asked->base_version == 0 ? nullptr : models_.find_patch(*model, asked->base_version);
  const auto& etag = patch == nullptr ? model->etag : patch->etag;
  // Who has the package needs no patch to it.
  for (const auto& current : {model->etag, etag}) {
    if (!has_etag(request, current)) continue;
    coap_pdu_set_code(response, static_cast<coap_pdu_code_t>(wire::kCodeValid));
    coap_add_option(response, COAP_OPTION_ETAG, current.size(), current.data());
    return;
  }
  const SentBlock sent =
      set_block_of(response, request, patch == nullptr ? *model->package : patch->patch, etag);
  count_download(coordinator_.signed_plan()->round, sent.bytes);
  (patch == nullptr ? counters_.package_bytes : counters_.patch_bytes) += sent.bytes;
  if (sent.is_last) ++(patch == nullptr ? counters_.packages : counters_.patches);
}

void CoapEndpoint::post_update(coap_session_t* session, const coap_pdu_t* request,
                               coap_pdu_t* response) {
  DeviceSession* sender = identify_or_refuse(session, response);
  if (sender == nullptr) return;
  coap_block_t block{};
  coap_opt_iterator_t iterator;
  if (coap_check_option(request, COAP_OPTION_BLOCK1, &iterator) != nullptr &&
      (coap_get_block(request, COAP_OPTION_BLOCK1, &block) == 0 ||
       block.szx > kLargestBlockOptionSzx)) {
    return set_problem(response, Status::kInvalidArgument, "Block1: not a valid block option", 0);
  }
  const UploadStep step =
      sender->upload.add({.number = block.num,
                          .more = block.m != 0,
                          .offset = std::size_t{block.num} << (block.szx + 4U),
                          .data = payload_of(request),
                          .announced_bytes = uint_option(request, COAP_OPTION_SIZE1).value_or(0),
                          .message_id = static_cast<std::uint16_t>(coap_pdu_get_mid(request))},
                         now_s_);
  switch (step) {
    case UploadStep::kContinue:
      coap_pdu_set_code(response, COAP_RESPONSE_CODE_CONTINUE);
      break;
    case UploadStep::kComplete:
      submit(*sender, session, request, response);
      break;
    case UploadStep::kRepeatedLast:
      break;  // code 0: libcoap sends an empty acknowledgement
    case UploadStep::kGap:
      coap_pdu_set_code(response, COAP_RESPONSE_CODE_INCOMPLETE);
      break;
    case UploadStep::kTooLarge:
      set_problem(response, Status::kTooLarge,
                  "update: at most " + std::to_string(kMaxUpdateBytes) + " bytes", 0);
      break;
  }
}

void CoapEndpoint::post_time(coap_session_t* session, const coap_pdu_t* request,
                             coap_pdu_t* response) {
  if (identify_or_refuse(session, response) == nullptr) return;
  const Bytes nonce = payload_of(request);
  if (nonce.size() != wire::kNonceBytes) {
    return set_problem(response, Status::kMalformed,
                       "nonce: expected " + std::to_string(wire::kNonceBytes) + " bytes", 0);
  }
  const std::vector<std::uint8_t> signed_time = time_signer_.answer(nonce);
  coap_pdu_set_code(response, static_cast<coap_pdu_code_t>(wire::kCodeContent));
  add_uint_option(response, COAP_OPTION_CONTENT_FORMAT, wire::kContentFormat);
  coap_add_data(response, signed_time.size(), signed_time.data());
}

void CoapEndpoint::submit(DeviceSession& sender, coap_session_t* session, const coap_pdu_t* request,
                          coap_pdu_t* response) {
  std::vector<std::uint8_t> body = sender.upload.take_body();
  if (sender.answer_pending) {
    sender.upload.forget_completed();
    return set_problem(response, wire::kCodeTooManyRequests, Status::kBusy,
                       "the update before this one is not answered yet", kRetryAfterS);
  }
  const std::uint64_t number = next_token_++;
  const Status status = accepting_ ? intake_.submit({.bytes = std::move(body),
                                                     .session_device = sender.device,
                                                     .session_key = sender.public_key},
                                                    number)
                                   : Status::kBusy;
  if (status != Status::kOk) {
    sender.upload.forget_completed();
    return set_problem(response, status, "the gateway is busy, try again later", kRetryAfterS);
  }
  sender.answer_pending = true;
  PendingAnswer pending;
  pending.session = coap_session_reference(session);
  pending.device = sender.device;
  const Bytes token = token_of(request);
  pending.token.assign(token.begin(), token.end());
  pending.confirmable = coap_pdu_get_type(request) == COAP_MESSAGE_CON;
  coap_block_t block{};
  pending.has_block = coap_get_block(request, COAP_OPTION_BLOCK1, &block) != 0;
  pending.block_option = block.num << 4U | block.szx;
  pending_.emplace(number, std::move(pending));
  // The response's code stays 0: libcoap acknowledges, answer() responds later.
}

void CoapEndpoint::send_answers() {
  for (const intake::Answer& each : intake_.take_answers()) {
    const auto found = pending_.find(each.token);
    if (found == pending_.end()) continue;
    const PendingAnswer pending = std::move(found->second);
    pending_.erase(found);
    if (DeviceSession* sender = sessions_.find(pending.session)) sender->answer_pending = false;
    answer(each, pending);
    coap_session_release(pending.session);
  }
}

void CoapEndpoint::answer(const intake::Answer& answer, const PendingAnswer& pending) {
  if (answer.status != Status::kOk) {
    record_refusal(
        {"update", pending.device, remote_of(pending.session), answer.status, answer.detail});
  }
  // A device that is gone asks again with the same bytes, and learns that they are stored.
  if (coap_session_get_state(pending.session) != COAP_SESSION_STATE_ESTABLISHED) return;
  coap_pdu_t* pdu = coap_new_pdu(pending.confirmable ? COAP_MESSAGE_CON : COAP_MESSAGE_NON,
                                 static_cast<coap_pdu_code_t>(wire::response_code(answer.status)),
                                 pending.session);
  if (pdu == nullptr) return spdlog::error("libcoap has no memory for an answer");
  coap_add_token(pdu, pending.token.size(), pending.token.data());
  if (answer.status == Status::kOk) {
    std::array<std::uint8_t, wire::kMaxReceiptBytes> body{};
    const auto size = wire::encode(answer.receipt, body);
    add_uint_option(pdu, COAP_OPTION_CONTENT_FORMAT, wire::kContentFormat);
    if (pending.has_block) add_uint_option(pdu, COAP_OPTION_BLOCK1, pending.block_option);
    if (size.ok()) coap_add_data(pdu, *size, body.data());
  } else {
    set_problem(pdu, answer.status, answer.detail, kRetryAfterS);
  }
  if (coap_send(pending.session, pdu) == COAP_INVALID_MID) {
    spdlog::debug("an answer to {} could not be sent", pending.device);
  }
}

}  // namespace skep::app

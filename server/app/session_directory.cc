#include "session_directory.h"

#include <mbedtls/ssl.h>

#include <algorithm>
#include <ctime>
#include <utility>

#include "coap_messages.h"
#include "skep/config.h"
#include "skep/enrolment/certificate_text.h"

namespace skep::app {
namespace {

// The certificate that the handshake verified; empty if there is none.
Bytes peer_certificate(coap_session_t* session) {
  coap_tls_library_t library = COAP_TLS_LIBRARY_NOTLS;
  const auto* ssl =
      static_cast<const mbedtls_ssl_context*>(coap_session_get_tls(session, &library));
  if (ssl == nullptr || library != COAP_TLS_LIBRARY_MBEDTLS) return {};
  const mbedtls_x509_crt* certificate = mbedtls_ssl_get_peer_cert(ssl);
  if (certificate == nullptr) return {};
  return {certificate->raw.p, certificate->raw.len};
}

std::int64_t unix_now_s() { return static_cast<std::int64_t>(std::time(nullptr)); }

Identification refuse(Status status, std::string device, const char* detail) {
  return {.session = nullptr, .status = status, .device = std::move(device), .detail = detail};
}

}  // namespace

SessionDirectory::SessionDirectory(const std::filesystem::path& database)
    : store_(store::Store::open(database)) {}

Identification SessionDirectory::identify(coap_session_t* session) {
  const Bytes der = peer_certificate(session);
  if (der.empty()) {
    remove(session);
    return refuse(Status::kWrongDevice, "", "the session has no device certificate");
  }
  const std::int64_t last_revocation = store_.last_revocation();
  const auto found = sessions_.find(session);
  if (found != sessions_.end() && found->second.checked_revocation == last_revocation &&
      unix_now_s() <= found->second.not_after_unix_s &&
      std::ranges::equal(found->second.certificate_der, der)) {
    return {.session = &found->second, .status = Status::kOk, .device = found->second.device};
  }
  Identification result = authorise(session, der, last_revocation);
  if (result.session == nullptr) remove(session);
  return result;
}

Identification SessionDirectory::authorise(coap_session_t* session, Bytes certificate_der,
                                           std::int64_t last_revocation) {
  pki::Certificate certificate;
  const Identification judged = judge(certificate_der, certificate);
  if (judged.status != Status::kOk) return judged;
  const auto enrolled = enrolled_device(certificate, remote_of(session));
  if (!enrolled) {
    return refuse(Status::kRevoked, certificate.common_name, "the device is not enrolled");
  }
  if (enrolled->public_key != certificate.public_key) {
    return refuse(Status::kWrongDevice, certificate.common_name,
                  "the certificate's key is not the enrolled one");
  }
  const auto [entry, inserted] = sessions_.try_emplace(session);
  DeviceSession& known = entry->second;
  if (inserted || !std::ranges::equal(known.certificate_der, certificate_der)) {
    const bool answer_pending = known.answer_pending;
    known = DeviceSession{};  // another device's upload is not continued
    known.answer_pending = answer_pending;
    known.device = certificate.common_name;
    known.public_key = certificate.public_key;
    known.certificate_der.assign(certificate_der.begin(), certificate_der.end());
    known.took_part = enrolled->last_seen_unix_s != 0;
    known.order = next_order_++;
  }
  known.checked_revocation = last_revocation;
  known.not_after_unix_s = certificate.not_after_unix_s;
  return {.session = &known, .status = Status::kOk, .device = known.device};
}

// The peer has proven to have the certificate's key: if it is the one of a renewed certificate, it
// is the device's from now on.
std::optional<store::Device> SessionDirectory::enrolled_device(const pki::Certificate& certificate,
                                                               const std::string& remote) {
  auto device = store_.device(certificate.common_name);
  if (!device || device->next_certificate_der.empty() ||
      device->next_public_key != certificate.public_key) {
    return device;
  }
  store::Transaction transaction(store_);
  store_.use_next_certificate(device->name, "device " + device->name, unix_now_s());
  store_.append_audit(
      {.unix_s = unix_now_s(),
       .event = audit::Event::kKeyReplaced,
       .actor = {.kind = audit::ActorKind::kDevice, .name = device->name, .origin = remote},
       .subject = "device " + device->name,
       .before = enrolment::with_certificate("enrolled", device->certificate_der),
       .after = enrolment::with_certificate("enrolled", device->next_certificate_der)});
  transaction.commit();
  return store_.device(certificate.common_name);
}

Identification SessionDirectory::judge(Bytes certificate_der, pki::Certificate& certificate) {
  try {
    certificate = pki::parse_certificate(certificate_der);
  } catch (const pki::PkiError&) {
    return refuse(Status::kWrongDevice, "", "the certificate is not one of a device");
  }
  if (store_.is_revoked(certificate.public_key)) {
    return refuse(Status::kRevoked, certificate.common_name, "the device's certificate is revoked");
  }
  // A handshake has looked at this, too; a session may last longer than its certificate.
  if (unix_now_s() > certificate.not_after_unix_s) {
    return refuse(Status::kRevoked, certificate.common_name, "the certificate has expired");
  }
  return {.session = nullptr, .status = Status::kOk, .device = certificate.common_name};
}

Identification SessionDirectory::judge_certificate(Bytes certificate_der) {
  pki::Certificate certificate;
  return judge(certificate_der, certificate);
}

std::vector<std::pair<coap_session_t*, std::string>> SessionDirectory::take_revoked() {
  std::vector<std::pair<coap_session_t*, std::string>> revoked;
  const std::int64_t last = store_.last_revocation();
  if (last == swept_revocation_) return revoked;
  for (const auto& [session, known] : sessions_) {
    if (store_.is_revoked(known.public_key)) revoked.emplace_back(session, known.device);
  }
  swept_revocation_ = last;
  return revoked;
}

void SessionDirectory::remove(coap_session_t* session) { sessions_.erase(session); }

DeviceSession* SessionDirectory::find(coap_session_t* session) {
  const auto found = sessions_.find(session);
  return found == sessions_.end() ? nullptr : &found->second;
}

coap_session_t* SessionDirectory::surplus_session(const std::string& device, std::size_t allowed) {
  coap_session_t* oldest = nullptr;
  std::uint64_t oldest_order = 0;
  std::size_t count = 0;
  for (const auto& [session, known] : sessions_) {
    if (known.device != device) continue;
    ++count;
    if (oldest == nullptr || known.order < oldest_order) {
      oldest = session;
      oldest_order = known.order;
    }
  }
  return count > allowed ? oldest : nullptr;
}

void SessionDirectory::expire_uploads(std::int64_t now_s) {
  for (auto& [session, known] : sessions_) known.upload.expire(now_s);
}

}  // namespace skep::app

#include "skep/enrolment/registrar.h"

#include "skep/enrolment/certificate_text.h"
#include "skep/release/package.h"

namespace skep::enrolment {
namespace {

pki::CertificateRequest parse(Bytes der) {
  try {
    return pki::parse_certificate_request(der);
  } catch (const pki::PkiError& error) {
    throw EnrolmentError(Status::kMalformed, error.what());
  }
}

audit::Entry entry_of(audit::Event event, const std::string& device, const std::string& origin,
                      std::int64_t now_unix_s) {
  return {.unix_s = now_unix_s,
          .event = event,
          .actor = {.kind = audit::ActorKind::kDevice, .name = device, .origin = origin},
          .subject = "device " + device,
          .before = {},
          .after = {}};
}

}  // namespace

Registrar::Registrar(const pki::FederationPaths& paths, const std::filesystem::path& database,
                     std::uint32_t certificate_days)
    : store_(store::Store::open(database)),
      key_(pki::EnrolmentKey::load_or_create(paths.enrolment_key())),
      ca_(pki::load_certificate(paths.ca_certificate())),
      ca_key_(pki::PrivateKey::load(paths.ca_key(), paths.passphrase.get())),
      certificate_days_(certificate_days) {}

store::EnrolmentToken Registrar::require_token(std::string_view id, std::int64_t now_unix_s) {
  auto token = store_.token(id);
  if (!token) throw EnrolmentError(Status::kWrongDevice, "there is no such token");
  if (!token->is_valid(now_unix_s)) {
    throw EnrolmentError(Status::kRevoked, token->revoked_unix_s != 0 ? "the token is revoked"
                                                                      : "the token has expired");
  }
  return *std::move(token);
}

pki::SecretBytes Registrar::session_key(std::string_view token, std::int64_t now_unix_s) {
  const store::EnrolmentToken known = require_token(token, now_unix_s);
  pki::SecretBytes secret = key_.secret_of(token);
  if (release::sha256(secret.bytes()) != known.secret_sha256) {
    throw EnrolmentError(Status::kRevoked, "the token was made with another enrolment key");
  }
  return secret;
}

std::vector<std::uint8_t> Registrar::enrolled_before(const store::Enrolment& enrolment,
                                                     const pki::CertificateRequest& request) {
  const auto device = store_.device(enrolment.device);
  if (enrolment.device != request.common_name) {
    throw EnrolmentError(Status::kWrongDevice,
                         "this key is enrolled as '" + enrolment.device + "' already");
  }
  if (!device || device->revoked || device->public_key != request.public_key) {
    throw EnrolmentError(Status::kRevoked, "what this token gave is not valid any more");
  }
  return enrolment.certificate_der;
}

void Registrar::require_free_name(const store::EnrolmentToken& token, const std::string& name) {
  if (!token.device.empty() && token.device != name) {
    throw EnrolmentError(Status::kWrongDevice,
                         "the token is for '" + token.device + "', not for '" + name + "'");
  }
  const auto known = store_.device(name);
  if (known && !known->revoked) {
    throw EnrolmentError(Status::kWrongDevice, "the name '" + name + "' is taken");
  }
  if (known && token.device.empty()) {
    throw EnrolmentError(Status::kWrongDevice, "the device '" + name +
                                                   "' was revoked: it comes back with a token "
                                                   "for its name only");
  }
}

void Registrar::require_free_key(const pki::PublicKey& key, const std::string& name) {
  if (store_.is_revoked(key)) {
    throw EnrolmentError(Status::kRevoked, "this key is revoked: expected a new one");
  }
  if (const auto holder = store_.holder_of(key); holder && *holder != name) {
    throw EnrolmentError(Status::kWrongDevice, "another device has this key");
  }
}

std::vector<std::uint8_t> Registrar::enrol(std::string_view token, Bytes request,
                                           const std::string& origin, std::int64_t now_unix_s) {
  const pki::CertificateRequest asked = parse(request);
  store::Transaction transaction(store_);
  const store::EnrolmentToken known = require_token(token, now_unix_s);
  if (const auto before = store_.enrolment(token, asked.public_key)) {
    return enrolled_before(*before, asked);
  }
  if (known.uses >= known.allowed_uses) {
    throw EnrolmentError(Status::kRevoked, "the token is used up");
  }
  require_free_name(known, asked.common_name);
  require_free_key(asked.public_key, asked.common_name);
  const auto revoked = store_.device(asked.common_name);
  const pki::Certificate certificate =
      pki::issue_device(ca_, ca_key_, asked.public_key, asked.common_name, certificate_days_);

  store_.add_device({.name = asked.common_name,
                     .certificate_der = certificate.der,
                     .public_key = asked.public_key,
                     .added_unix_s = now_unix_s,
                     .added_by = "token " + known.id + " of " + known.made_by});
  store_.use_token({.token = known.id,
                    .public_key = asked.public_key,
                    .device = asked.common_name,
                    .certificate_der = certificate.der},
                   now_unix_s);
  audit::Entry entry =
      entry_of(audit::Event::kDeviceEnrolled, asked.common_name, origin, now_unix_s);
  if (revoked) entry.before = with_certificate("revoked", revoked->certificate_der);
  entry.after = with_certificate("enrolled", certificate.der) + "; token " + known.id + ", use " +
                std::to_string(known.uses + 1) + " of " + std::to_string(known.allowed_uses);
  store_.append_audit(entry);
  transaction.commit();
  return certificate.der;
}

std::vector<std::uint8_t> Registrar::renew(const std::string& device, Bytes request,
                                           const std::string& origin, std::int64_t now_unix_s) {
  const pki::CertificateRequest asked = parse(request);
  if (asked.common_name != device) {
    throw EnrolmentError(Status::kWrongDevice, "the request is for '" + asked.common_name +
                                                   "', not for '" + device + "'");
  }
  store::Transaction transaction(store_);
  require_free_key(asked.public_key, device);
  const auto known = store_.device(device);
  if (!known || known->revoked) {
    throw EnrolmentError(Status::kRevoked, "the device is not enrolled");
  }
  if (!known->next_certificate_der.empty() && known->next_public_key == asked.public_key) {
    return known->next_certificate_der;
  }
  if (known->renewed_unix_s != 0 && now_unix_s - known->renewed_unix_s < kMinRenewalIntervalS) {
    if (known->public_key == asked.public_key) return known->certificate_der;
    throw EnrolmentError(Status::kBusy, "a certificate is renewed once an hour at most");
  }
  const pki::Certificate certificate =
      pki::issue_device(ca_, ca_key_, asked.public_key, device, certificate_days_);
  store_.renew_certificate(device, certificate.der, asked.public_key, now_unix_s);
  audit::Entry entry = entry_of(audit::Event::kCertificateRenewed, device, origin, now_unix_s);
  entry.before = with_certificate("enrolled", known->certificate_der);
  entry.after = with_certificate(
      asked.public_key == known->public_key ? "the same key" : "a new key", certificate.der);
  store_.append_audit(entry);
  transaction.commit();
  return certificate.der;
}

}  // namespace skep::enrolment

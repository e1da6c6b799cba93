// Enrolment tokens, what they were used for, and certificates that are renewed.
#include <algorithm>

#include "atomic_section.h"
#include "connection.h"
#include "skep/store/store.h"

namespace skep::store {
namespace {

constexpr std::size_t kTokenIdChars = 16;

constexpr const char* kSelectTokens =
    "SELECT id, secret_sha256, device, allowed_uses, uses, made_unix_s, made_by, expires_unix_s, "
    "revoked_unix_s, revoked_by FROM enrolment_tokens ORDER BY made_unix_s, id";
constexpr const char* kSelectToken =
    "SELECT id, secret_sha256, device, allowed_uses, uses, made_unix_s, made_by, expires_unix_s, "
    "revoked_unix_s, revoked_by FROM enrolment_tokens WHERE id = ?";

EnrolmentToken read_token(const Query& row) {
  return {.id = row.text(0),
          .secret_sha256 = row.array<wire::kDigestBytes>(1),
          .device = row.text(2),
          .allowed_uses = row.u32(3),
          .uses = row.u32(4),
          .made_unix_s = row.integer(5),
          .made_by = row.text(6),
          .expires_unix_s = row.integer(7),
          .revoked_unix_s = row.integer(8),
          .revoked_by = row.text(9)};
}

bool is_hexadecimal(char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); }

[[noreturn]] void refuse(const std::string& detail) {
  throw StoreError(Status::kInvalidArgument, detail);
}

void check(const EnrolmentToken& token) {
  if (token.id.size() != kTokenIdChars || !std::ranges::all_of(token.id, is_hexadecimal)) {
    refuse("a token's id is 16 hexadecimal digits");
  }
  if (!token.device.empty() && !wire::is_valid_name(token.device.data(), token.device.size())) {
    refuse("device name \"" + token.device + "\": expected 1 to 32 of [a-z0-9-]");
  }
  const std::uint32_t most = token.device.empty() ? kMaxTokenUses : 1;
  if (token.allowed_uses == 0 || token.allowed_uses > most) {
    refuse("a token for " + std::to_string(token.allowed_uses) + " devices: expected 1 to " +
           std::to_string(most));
  }
  if (token.made_by.empty()) refuse("it must be known who makes a token");
  if (token.expires_unix_s <= token.made_unix_s) refuse("a token ends after it is made");
}

}  // namespace

void Store::add_token(const EnrolmentToken& token) {
  check(token);
  AtomicSection section(*connection_);
  if (this->token(token.id)) refuse("token " + token.id + " exists already");
  connection_
      ->query(
          "INSERT INTO enrolment_tokens (id, secret_sha256, device, allowed_uses, made_unix_s, "
          "made_by, expires_unix_s) VALUES (?, ?, ?, ?, ?, ?, ?)",
          token.id, token.secret_sha256, token.device, token.allowed_uses, token.made_unix_s,
          token.made_by, token.expires_unix_s)
      .run();
  section.commit();
}

std::optional<EnrolmentToken> Store::token(std::string_view id) {
  Query query = connection_->query(kSelectToken, id);
  if (!query.step()) return std::nullopt;
  return read_token(query);
}

std::vector<EnrolmentToken> Store::tokens() {
  std::vector<EnrolmentToken> tokens;
  Query query = connection_->query(kSelectTokens);
  while (query.step()) tokens.push_back(read_token(query));
  return tokens;
}

void Store::revoke_token(std::string_view id, std::string_view by, std::int64_t now_unix_s) {
  AtomicSection section(*connection_);
  const auto known = token(id);
  if (!known) throw StoreError(Status::kNotFound, "there is no token " + std::string(id));
  if (known->revoked_unix_s != 0) refuse("token " + known->id + " is revoked already");
  connection_
      ->query("UPDATE enrolment_tokens SET revoked_unix_s = ?, revoked_by = ? WHERE id = ?",
              now_unix_s, by, id)
      .run();
  section.commit();
}

std::vector<EnrolmentToken> Store::open_tokens(std::string_view device) {
  std::vector<EnrolmentToken> tokens = this->tokens();
  std::erase_if(tokens, [device](const EnrolmentToken& each) {
    return each.device != device || each.revoked_unix_s != 0;
  });
  return tokens;
}

void Store::use_token(const Enrolment& enrolment, std::int64_t now_unix_s) {
  AtomicSection section(*connection_);
  const auto known = token(enrolment.token);
  if (!known) throw StoreError(Status::kNotFound, "there is no token " + enrolment.token);
  if (!known->is_valid(now_unix_s) || known->uses >= known->allowed_uses) {
    throw StoreError(Status::kRevoked, "token " + known->id + " is used up, expired or revoked");
  }
  connection_->query("UPDATE enrolment_tokens SET uses = uses + 1 WHERE id = ?", known->id).run();
  connection_
      ->query("INSERT INTO enrolments (token, public_key, device, certificate) VALUES (?, ?, ?, ?)",
              enrolment.token, enrolment.public_key, enrolment.device, enrolment.certificate_der)
      .run();
  section.commit();
}

std::optional<Enrolment> Store::enrolment(std::string_view token, const PublicKey& key) {
  Query query = connection_->query(
      "SELECT token, public_key, device, certificate FROM enrolments "
      "WHERE token = ? AND public_key = ?",
      token, key);
  if (!query.step()) return std::nullopt;
  return Enrolment{.token = query.text(0),
                   .public_key = query.array<wire::kP256PointBytes>(1),
                   .device = query.text(2),
                   .certificate_der = query.blob(3)};
}

std::optional<std::string> Store::holder_of(const PublicKey& key) {
  Query query = connection_->query(
      "SELECT name FROM devices WHERE public_key = ? OR next_public_key = ?", key, key);
  if (!query.step()) return std::nullopt;
  return query.text(0);
}

void Store::renew_certificate(const std::string& device, Bytes certificate_der,
                              const PublicKey& key, std::int64_t now_unix_s) {
  AtomicSection section(*connection_);
  const auto known = this->device(device);
  if (!known) throw StoreError(Status::kNotFound, "no device \"" + device + "\" is enrolled");
  if (known->revoked || is_revoked(key)) {
    throw StoreError(Status::kRevoked, "device \"" + device + "\", or the key, is revoked");
  }
  if (const auto holder = holder_of(key); holder && *holder != device) {
    refuse("another device has this key");
  }
  if (key == known->public_key) {
    connection_
        ->query("INSERT INTO earlier_certificates (public_key, certificate) VALUES (?, ?)", key,
                known->certificate_der)
        .run();
    connection_
        ->query("UPDATE devices SET certificate = ?, renewed_unix_s = ? WHERE name = ?",
                certificate_der, now_unix_s, device)
        .run();
  } else {
    connection_
        ->query(
            "UPDATE devices SET next_certificate = ?, next_public_key = ?, renewed_unix_s = ? "
            "WHERE name = ?",
            certificate_der, key, now_unix_s, device)
        .run();
  }
  section.commit();
}

}  // namespace skep::store

#include "skep/enrolment/tokens.h"

#include "skep/release/package.h"

namespace skep::enrolment {
namespace {

std::string describe(const store::EnrolmentToken& token) {
  const std::string who = token.device.empty()
                              ? "for " + std::to_string(token.allowed_uses) + " new devices"
                              : "for device " + token.device;
  return who + ", used " + std::to_string(token.uses) + " times; expires " +
         std::to_string(token.expires_unix_s);
}

}  // namespace

MadeToken make_token(store::Store& store, const pki::EnrolmentKey& key, const TokenRequest& request,
                     const audit::Actor& who, std::int64_t now_unix_s) {
  if (request.valid_s < 1 || request.valid_s > kMaxTokenValidS) {
    throw EnrolmentError(Status::kInvalidArgument, "a token is valid for 1 second to 366 days");
  }
  const auto id = pki::new_token_id();
  MadeToken made{.token = {.id = std::string(id.begin(), id.end()),
                           .device = request.device,
                           .allowed_uses = request.devices,
                           .made_unix_s = now_unix_s,
                           .made_by = who.name,
                           .expires_unix_s = now_unix_s + request.valid_s},
                 .secret = key.secret_of({id.data(), id.size()})};
  made.token.secret_sha256 = release::sha256(made.secret.bytes());

  store::Transaction transaction(store);
  const auto known = store.device(request.device);
  if (known && !known->revoked) {
    throw EnrolmentError(Status::kInvalidArgument,
                         "the name '" + request.device +
                             "' is taken: expected a new one, or one whose device is revoked");
  }
  store.add_token(made.token);
  store.append_audit({.unix_s = now_unix_s,
                      .event = audit::Event::kTokenMade,
                      .actor = who,
                      .subject = "token " + made.token.id,
                      .before = "",
                      .after = describe(made.token)});
  transaction.commit();
  return made;
}

void revoke_token(store::Store& store, const std::string& id, const audit::Actor& who,
                  std::int64_t now_unix_s) {
  store::Transaction transaction(store);
  const auto token = store.token(id);
  store.revoke_token(id, who.name, now_unix_s);
  record_revoked_token(store, *token, who, now_unix_s);
  transaction.commit();
}

void record_revoked_token(store::Store& store, const store::EnrolmentToken& token,
                          const audit::Actor& who, std::int64_t now_unix_s) {
  store.append_audit({.unix_s = now_unix_s,
                      .event = audit::Event::kTokenRevoked,
                      .actor = who,
                      .subject = "token " + token.id,
                      .before = describe(token),
                      .after = "revoked"});
}

}  // namespace skep::enrolment

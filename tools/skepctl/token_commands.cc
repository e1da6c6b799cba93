#include <charconv>

#include "commands.h"
#include "federation_directory.h"
#include "skep/enrolment/tokens.h"
#include "text_table.h"

namespace skep::skepctl {
namespace {

namespace fs = std::filesystem;

std::int64_t unit_s(char unit) {
  switch (unit) {
    case 's':
      return 1;
    case 'm':
      return 60;
    case 'h':
      return 3'600;
    case 'd':
      return 86'400;
    default:
      return 0;
  }
}

/// "24h" → 86,400.
std::int64_t parse_duration_s(const std::string& text) {
  std::int64_t number = 0;
  const char* end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, number);
  const std::int64_t unit = rest + 1 == end ? unit_s(*rest) : 0;
  if (error != std::errc() || unit == 0 || number < 1 ||
      number > enrolment::kMaxTokenValidS / unit) {
    throw CommandError(Status::kInvalidArgument,
                       "--expires '" + text + "': expected a number and s, m, h or d, up to 366d");
  }
  return number * unit;
}

std::string state_of(const store::EnrolmentToken& token) {
  if (token.revoked_unix_s != 0) return "revoked";
  if (!token.is_valid(now_unix_s())) return "expired";
  return token.uses < token.allowed_uses ? "open" : "used up";
}

Json describe(const store::EnrolmentToken& token) {
  return {{"id", token.id},
          {"device", token.device.empty() ? Json(nullptr) : Json(token.device)},
          {"state", state_of(token)},
          {"uses", token.uses},
          {"allowed_uses", token.allowed_uses},
          {"made_unix_s", token.made_unix_s},
          {"made_by", token.made_by},
          {"expires_unix_s", token.expires_unix_s},
          {"revoked_unix_s", token.revoked_unix_s},
          {"revoked_by", token.revoked_by}};
}

}  // namespace

Answer token_new(const fs::path& directory, const TokenOptions& options) {
  const std::int64_t valid_s = parse_duration_s(options.expires);
  const FederationDirectory federation(directory);
  store::Store store = federation.open_store();
  const auto key = pki::EnrolmentKey::load_or_create(federation.paths().enrolment_key());
  const enrolment::MadeToken made =
      enrolment::make_token(store, key,
                            {.device = options.device,
                             .devices = options.batch == 0 ? 1 : options.batch,
                             .valid_s = valid_s},
                            local_operator(), now_unix_s());
  const std::string secret(reinterpret_cast<const char*>(made.secret.bytes().data()),
                           made.secret.size());
  Answer answer{describe(made.token), ""};
  answer.json["secret"] = secret;
  answer.text = "Token " + made.token.id + ", valid until " +
                format_time(made.token.expires_unix_s) + ". Its secret is shown this once:\n" +
                secret + "\n";
  return answer;
}

Answer token_list(const fs::path& directory) {
  store::Store store = FederationDirectory(directory).open_store();
  Answer answer{{{"tokens", Json::array()}}, ""};
  TextTable table({"token", "for", "state", "used", "expires", "made", "by"});
  for (const store::EnrolmentToken& token : store.tokens()) {
    answer.json["tokens"].push_back(describe(token));
    table.add({token.id, token.device.empty() ? "any new device" : token.device, state_of(token),
               std::to_string(token.uses) + " of " + std::to_string(token.allowed_uses),
               format_time(token.expires_unix_s), format_time(token.made_unix_s), token.made_by});
  }
  answer.text = table.str();
  return answer;
}

Answer token_revoke(const fs::path& directory, const std::string& id) {
  store::Store store = FederationDirectory(directory).open_store();
  enrolment::revoke_token(store, id, local_operator(), now_unix_s());
  return {{{"id", id}, {"revoked", true}},
          "Token " + id + " is revoked. Devices that are enrolled already stay so.\n"};
}

}  // namespace skep::skepctl

#include <algorithm>

#include "commands.h"
#include "federation_directory.h"
#include "skep/enrolment/certificate_text.h"
#include "skep/enrolment/tokens.h"
#include "skep/pki/federation.h"
#include "skep/pki/files.h"
#include "skep/pki/revocation_list.h"
#include "skep/release/package.h"
#include "text_table.h"

namespace skep::skepctl {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kSecondsPerDay = 86'400;

pki::GatewayEndpoint endpoint(const FederationDirectory& federation,
                              const DeviceAddOptions& options) {
  pki::GatewayEndpoint gateway{options.gateway_address,
                               options.port != 0 ? options.port : federation.port()};
  if (gateway.host.empty()) {
    const pki::Certificate certificate =
        pki::load_certificate(federation.paths().gateway_certificate());
    if (certificate.ip_addresses.empty()) {
      throw CommandError(Status::kMalformed,
                         federation.paths().gateway_certificate().string() +
                             " names no IP address: give one with --gateway-address");
    }
    gateway.host = certificate.ip_addresses.front();
  }
  return gateway;
}

void refuse_enrolled_name(store::Store& store, const std::string& name) {
  const std::optional<store::Device> known = store.device(name);
  if (!known || known->revoked) return;
  throw CommandError(Status::kInvalidArgument, "the name '" + name +
                                                   "' is taken: expected a new one, or one whose "
                                                   "device is revoked");
}

store::Device as_enrolled(const std::string& name, const pki::Certificate& certificate,
                          const audit::Actor& who) {
  store::Device device;
  device.name = name;
  device.certificate_der = certificate.der;
  device.public_key = certificate.public_key;
  device.added_unix_s = now_unix_s();
  device.added_by = who.name;
  return device;
}

/// Together, so that neither is there without the other.
void enrol(store::Store& store, const store::Device& device, const audit::Actor& who) {
  store::Transaction transaction(store);
  const auto before = store.device(device.name);
  store.add_device(device);
  store.append_audit(
      {.unix_s = device.added_unix_s,
       .event = audit::Event::kDeviceAdded,
       .actor = who,
       .subject = "device " + device.name,
       .before = before ? enrolment::with_certificate("revoked", before->certificate_der) : "",
       .after = enrolment::with_certificate("enrolled", device.certificate_der)});
  transaction.commit();
}

/// Likewise.
void revoke(store::Store& store, const store::Revocation& revocation, const audit::Actor& who) {
  store::Transaction transaction(store);
  const auto voided = store.open_tokens(revocation.device);
  store.revoke_device(revocation);
  const auto certificate_der = store.revocations(revocation.device).back().certificate_der;
  store.append_audit({.unix_s = revocation.revoked_unix_s,
                      .event = audit::Event::kDeviceRevoked,
                      .actor = who,
                      .subject = "device " + revocation.device,
                      .before = enrolment::with_certificate("enrolled", certificate_der),
                      .after = "revoked: " + std::string(store::to_string(revocation.reason)) +
                               (revocation.note.empty() ? "" : ", " + revocation.note)});
  for (const store::EnrolmentToken& token : voided) {
    enrolment::record_revoked_token(store, token, who, revocation.revoked_unix_s);
  }
  transaction.commit();
}

/// Likewise. The record has no more of the device than the log has of it already.
void forget(store::Store& store, const std::string& name, const audit::Actor& who) {
  const std::int64_t now = now_unix_s();
  store::Transaction transaction(store);
  const auto known = store.device(name);
  store.forget_device(name, now);
  store.append_audit({.unix_s = now,
                      .event = audit::Event::kDeviceForgotten,
                      .actor = who,
                      .subject = "device " + name,
                      .before = enrolment::with_certificate(known->revoked ? "revoked" : "enrolled",
                                                            known->certificate_der),
                      .after = "forgotten; its keys are revoked"});
  transaction.commit();
}

Json describe_certificate(Bytes der) {
  const pki::Certificate certificate = pki::parse_certificate(der);
  return {{"serial", release::to_hex(certificate.serial)},
          {"not_before_unix_s", certificate.not_before_unix_s},
          {"not_after_unix_s", certificate.not_after_unix_s},
          {"sha256", release::to_hex(release::sha256(der))}};
}

Json describe(const store::Revocation& revocation) {
  return {{"reason", store::to_string(revocation.reason)},
          {"note", revocation.note},
          {"revoked_by", revocation.revoked_by},
          {"revoked_unix_s", revocation.revoked_unix_s},
          {"serial", release::to_hex(pki::parse_certificate(revocation.certificate_der).serial)}};
}

/// All that is known of a device; its certificate's revocation is the last of its name's.
struct DeviceStatus {
  store::Device device;
  std::vector<store::Revocation> revocations;
  std::vector<store::Refusals> refusals;

  [[nodiscard]] std::string state() const {
    if (!device.revoked) return "enrolled";
    return "revoked: " + std::string(store::to_string(revocations.back().reason));
  }
  [[nodiscard]] std::uint64_t refused() const {
    std::uint64_t sum = 0;
    for (const store::Refusals& each : refusals) sum += each.count;
    return sum;
  }
  [[nodiscard]] std::int64_t last_seen_unix_s() const {
    std::int64_t last = device.last_seen_unix_s;
    for (const store::Refusals& each : refusals) last = std::max(last, each.last_unix_s);
    return last;
  }
};

DeviceStatus status_of(store::Store& store, store::Device device) {
  DeviceStatus status;
  status.revocations = store.revocations(device.name);
  status.refusals = store.refusals(device.name);
  status.device = std::move(device);
  return status;
}

std::string code_of(Status status) { return std::string("k") + to_string(status); }

Json describe(const DeviceStatus& status) {
  Json refused = Json::object();
  for (const store::Refusals& each : status.refusals) {
    refused[code_of(each.status)] = {{"count", each.count}, {"last_unix_s", each.last_unix_s}};
  }
  Json revocations = Json::array();
  for (const store::Revocation& each : status.revocations) revocations.push_back(describe(each));
  const store::Device& device = status.device;
  return {{"name", device.name},
          {"revoked", device.revoked},
          {"certificate", describe_certificate(device.certificate_der)},
          {"added_unix_s", device.added_unix_s},
          {"added_by", device.added_by},
          {"last_seen_unix_s", status.last_seen_unix_s()},
          {"last_round", device.last_round},
          {"accepted", device.accepted},
          {"refused", std::move(refused)},
          {"revocations", std::move(revocations)}};
}

std::string round_text(std::uint32_t round) { return round == 0 ? "-" : std::to_string(round); }

std::string describe_for_people(const DeviceStatus& status, const Json& json) {
  const store::Device& device = status.device;
  const Json& certificate = json["certificate"];
  TextTable table({"device", device.name});
  table.add({"state", status.state()});
  table.add({"certificate", "serial " + certificate["serial"].get<std::string>()});
  table.add({"", "valid " + format_time(certificate["not_before_unix_s"]) + " to " +
                     format_time(certificate["not_after_unix_s"])});
  table.add({"", "SHA-256 " + certificate["sha256"].get<std::string>()});
  table.add({"admitted", format_time(device.added_unix_s) + " by " + device.added_by});
  table.add({"last seen", format_time(status.last_seen_unix_s())});
  table.add({"last round", round_text(device.last_round)});
  table.add({"accepted", std::to_string(device.accepted)});
  table.add({"refused", std::to_string(status.refused())});
  for (const store::Refusals& each : status.refusals) {
    table.add({"", std::to_string(each.count) + " " + code_of(each.status) + ", last " +
                       format_time(each.last_unix_s)});
  }
  for (std::size_t i = 0; i < status.revocations.size(); ++i) {
    const store::Revocation& each = status.revocations[i];
    table.add({"revoked", format_time(each.revoked_unix_s) + " by " + each.revoked_by + ": " +
                              std::string(store::to_string(each.reason)) +
                              (each.note.empty() ? "" : ", " + each.note)});
    table.add({"", "serial " + json["revocations"][i]["serial"].get<std::string>()});
  }
  return table.str();
}

store::Revocation to_revocation(const RevokeOptions& options, const audit::Actor& who) {
  const auto reason = store::parse_revocation_reason(options.reason);
  if (!reason) {
    std::string names;
    for (const store::NamedReason& each : store::kRevocationReasons) {
      names += (names.empty() ? "" : ", ") + std::string(each.name);
    }
    throw CommandError(Status::kInvalidArgument,
                       "'" + options.reason + "' is no reason: expected one of " + names);
  }
  return {.device = options.name,
          .reason = *reason,
          .note = options.note,
          .revoked_by = who.name,
          .revoked_unix_s = now_unix_s()};
}

}  // namespace

Answer device_add(const fs::path& directory, const DeviceAddOptions& options) {
  const FederationDirectory federation(directory);
  const fs::path out = options.out.empty() ? federation.paths().device(options.name) : options.out;
  store::Store store = federation.open_store();
  refuse_enrolled_name(store, options.name);

  pki::Credentials credentials;
  const pki::GatewayEndpoint gateway = endpoint(federation, options);
  const pki::Certificate certificate = pki::enrol_device(
      federation.with_passphrase(), store.federation(), options.name, gateway, credentials);
  // The file first: credentials that nobody enrolled are harmless, a device without is not.
  pki::save_credentials(out, credentials);
  try {
    const audit::Actor who = local_operator();
    enrol(store, as_enrolled(options.name, certificate, who), who);
  } catch (...) {
    std::error_code ignored;
    fs::remove(out, ignored);
    throw;
  }
  return {
      {{"name", options.name},
       {"credentials", fs::absolute(out).string()},
       {"gateway_address", gateway.host},
       {"port", gateway.port}},
      "Device " + options.name + " is enrolled. Its credentials, a secret: " + out.string() + "\n"};
}

Answer device_list(const fs::path& directory) {
  store::Store store = FederationDirectory(directory).open_store();
  Answer answer{{{"devices", Json::array()}}, ""};
  TextTable table({"name", "state", "last round", "last seen", "accepted", "refused", "added"});
  for (store::Device& device : store.devices()) {
    const DeviceStatus status = status_of(store, std::move(device));
    answer.json["devices"].push_back(describe(status));
    table.add({status.device.name, status.state(), round_text(status.device.last_round),
               format_time(status.last_seen_unix_s()), std::to_string(status.device.accepted),
               std::to_string(status.refused()), format_time(status.device.added_unix_s)});
  }
  answer.text = table.str();
  return answer;
}

Answer device_status(const fs::path& directory, const std::string& name) {
  store::Store store = FederationDirectory(directory).open_store();
  std::optional<store::Device> device = store.device(name);
  if (!device) throw CommandError(Status::kNotFound, "no device '" + name + "' is enrolled");
  const DeviceStatus status = status_of(store, *std::move(device));
  Answer answer{describe(status), ""};
  answer.text = describe_for_people(status, answer.json);
  return answer;
}

Answer device_revoke(const fs::path& directory, const RevokeOptions& options) {
  const audit::Actor who = local_operator();
  const store::Revocation revocation = to_revocation(options, who);
  store::Store store = FederationDirectory(directory).open_store();
  revoke(store, revocation, who);
  return {
      {{"name", revocation.device},
       {"revoked", true},
       {"reason", store::to_string(revocation.reason)},
       {"note", revocation.note},
       {"revoked_by", revocation.revoked_by},
       {"revoked_unix_s", revocation.revoked_unix_s}},
      "Device " + revocation.device + " is revoked: nothing that it sends is accepted any more.\n"};
}

Answer device_forget(const fs::path& directory, const std::string& name) {
  const FederationDirectory federation(directory);
  store::Store store = federation.open_store();
  forget(store, name, local_operator());
  // Brought to the device long ago, or useless now.
  std::error_code ignored;
  fs::remove(federation.paths().device(name), ignored);
  try {
    store.clear_leftovers();
  } catch (const store::StoreError& error) {
    throw CommandError(error.status(), "device " + name +
                                           " is forgotten, but its bytes may still be in the free "
                                           "parts of the database's files: " +
                                           error.what() + "; stop skepd and run sqlite3 " +
                                           federation.database().string() + " VACUUM");
  }
  return {{{"name", name}, {"forgotten", true}},
          "Device " + name +
              " is forgotten: what was stored of it is erased, its keys stay refused. The audit "
              "log keeps its name.\n"};
}

Answer device_crl(const fs::path& directory, const CrlOptions& options) {
  const FederationDirectory federation(directory);
  const pki::Certificate ca = pki::load_certificate(federation.paths().ca_certificate());
  const pki::FederationPaths paths = federation.with_passphrase();
  const pki::PrivateKey ca_key = pki::PrivateKey::load(paths.ca_key(), paths.passphrase.get());
  store::Store store = federation.open_store();
  pki::RevocationList list;
  list.this_update_unix_s = now_unix_s();
  list.next_update_unix_s = list.this_update_unix_s + std::int64_t{options.days} * kSecondsPerDay;
  // The number first: a list with a higher one has all that one with a lower one has.
  list.number = store.next_crl_number();
  for (const store::Revocation& each : store.revoked_certificates()) {
    list.certificates.push_back({.serial = pki::parse_certificate(each.certificate_der).serial,
                                 .revoked_unix_s = each.revoked_unix_s,
                                 .reason = static_cast<int>(each.reason)});
  }
  for (const store::ForgottenKey& each : store.forgotten_keys()) {
    list.certificates.push_back({.serial = each.serial,
                                 .revoked_unix_s = each.revoked_unix_s,
                                 .reason = static_cast<int>(each.reason)});
  }
  pki::replace_file(options.out, pki::issue_revocation_list(ca, ca_key, list),
                    pki::Access::kPublic);
  return {{{"crl", fs::absolute(options.out).string()},
           {"number", list.number},
           {"certificates", list.certificates.size()},
           {"this_update_unix_s", list.this_update_unix_s},
           {"next_update_unix_s", list.next_update_unix_s}},
          "Revocation list " + std::to_string(list.number) + " with " +
              std::to_string(list.certificates.size()) + " certificates, valid until " +
              format_time(list.next_update_unix_s) + ": " + options.out.string() + "\n"};
}

}  // namespace skep::skepctl

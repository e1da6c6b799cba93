#include "commands.h"
#include "federation_directory.h"
#include "skep/pki/federation.h"
#include "text_table.h"

namespace skep::skepctl {
namespace {

namespace fs = std::filesystem;

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

void refuse_known_name(store::Store& store, const std::string& name) {
  const std::optional<store::Device> known = store.device(name);
  if (!known) return;
  throw CommandError(Status::kInvalidArgument,
                     "the name '" + name + "' is taken" +
                         (known->revoked ? " by a revoked device" : "") +
                         ": expected a new one (names are never used again)");
}

store::Device as_enrolled(const std::string& name, const pki::Certificate& certificate) {
  store::Device device;
  device.name = name;
  device.certificate_der = certificate.der;
  device.public_key = certificate.public_key;
  device.added_unix_s = now_unix_s();
  return device;
}

Json describe(const store::Device& device) {
  return {{"name", device.name},
          {"revoked", device.revoked},
          {"revoke_reason", device.revoke_reason},
          {"added_unix_s", device.added_unix_s},
          {"last_seen_unix_s", device.last_seen_unix_s},
          {"last_round", device.last_round}};
}

}  // namespace

Answer device_add(const fs::path& directory, const DeviceAddOptions& options) {
  const FederationDirectory federation(directory);
  const fs::path out = options.out.empty() ? federation.paths().device(options.name) : options.out;
  store::Store store = federation.open_store();
  refuse_known_name(store, options.name);

  pki::Credentials credentials;
  const pki::GatewayEndpoint gateway = endpoint(federation, options);
  const pki::Certificate certificate =
      pki::enrol_device(federation.paths(), store.federation(), options.name, gateway, credentials);
  // The file first: credentials that nobody enrolled are harmless, a device without is not.
  pki::save_credentials(out, credentials);
  try {
    store.add_device(as_enrolled(options.name, certificate));
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
  TextTable table({"name", "state", "last round", "last seen", "added"});
  for (const store::Device& device : store.devices()) {
    answer.json["devices"].push_back(describe(device));
    table.add({device.name, device.revoked ? "revoked: " + device.revoke_reason : "enrolled",
               device.last_round == 0 ? "-" : std::to_string(device.last_round),
               format_time(device.last_seen_unix_s), format_time(device.added_unix_s)});
  }
  answer.text = table.str();
  return answer;
}

Answer device_revoke(const fs::path& directory, const std::string& name,
                     const std::string& reason) {
  store::Store store = FederationDirectory(directory).open_store();
  const std::optional<store::Device> device = store.device(name);
  if (!device) {
    throw CommandError(Status::kNotFound, "no device '" + name + "' is enrolled");
  }
  if (device->revoked) {
    throw CommandError(Status::kInvalidArgument,
                       "the device '" + name + "' is revoked already: " + device->revoke_reason);
  }
  store.revoke_device(name, reason);
  return {{{"name", name}, {"revoked", true}, {"reason", reason}},
          "Device " + name + " is revoked: nothing that it sends is accepted any more.\n"};
}

}  // namespace skep::skepctl

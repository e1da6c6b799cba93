// The table of devices.
#include "atomic_section.h"
#include "connection.h"
#include "skep/store/store.h"

namespace skep::store {
namespace {

Device read_device(const Query& row) {
  return {.name = row.text(0),
          .certificate_der = row.blob(1),
          .public_key = row.array<wire::kP256PointBytes>(2),
          .revoked = row.integer(3) != 0,
          .revoke_reason = row.text(4),
          .added_unix_s = row.integer(5),
          .last_seen_unix_s = row.integer(6),
          .last_round = row.u32(7)};
}

}  // namespace

void Store::add_device(const Device& device) {
  if (!wire::is_valid_name(device.name.data(), device.name.size())) {
    throw StoreError(Status::kInvalidArgument,
                     "device name \"" + device.name + "\": expected 1 to 32 of [a-z0-9-]");
  }
  AtomicSection section(*connection_);
  if (this->device(device.name)) {
    throw StoreError(Status::kInvalidArgument, "device \"" + device.name + "\" exists already");
  }
  connection_
      ->query("INSERT INTO devices VALUES (?, ?, ?, ?, ?, ?, ?, ?)", device.name,
              device.certificate_der, device.public_key, device.revoked, device.revoke_reason,
              device.added_unix_s, device.last_seen_unix_s, device.last_round)
      .run();
  section.commit();
}

std::optional<Device> Store::device(std::string_view name) {
  Query query = connection_->query("SELECT * FROM devices WHERE name = ?", name);
  if (!query.step()) return std::nullopt;
  return read_device(query);
}

std::vector<Device> Store::devices() {
  std::vector<Device> devices;
  Query query = connection_->query("SELECT * FROM devices ORDER BY name");
  while (query.step()) devices.push_back(read_device(query));
  return devices;
}

std::uint32_t Store::device_count() {
  Query query = connection_->query("SELECT count(*) FROM devices WHERE revoked = 0");
  return query.step() ? query.u32(0) : 0;
}

void Store::revoke_device(std::string_view name, std::string_view reason) {
  AtomicSection section(*connection_);
  if (!device(name)) {
    throw StoreError(Status::kNotFound, "no device \"" + std::string(name) + "\"");
  }
  connection_
      ->query("UPDATE devices SET revoked = 1, revoke_reason = ? WHERE name = ? AND revoked = 0",
              reason, name)
      .run();
  section.commit();
}

}  // namespace skep::store

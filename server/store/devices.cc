// The table of devices.
#include "atomic_section.h"
#include "connection.h"
#include "skep/store/store.h"

namespace skep::store {
namespace {

constexpr const char* kSelectDevice =
    "SELECT name, devices.certificate, devices.public_key, revocations.id IS NOT NULL, "
    "added_unix_s, added_by, last_seen_unix_s, last_round, accepted, next_certificate, "
    "next_public_key, renewed_unix_s "
    "FROM devices LEFT JOIN revocations ON revocations.public_key = devices.public_key "
    "WHERE name = ?";
constexpr const char* kSelectDevices =
    "SELECT name, devices.certificate, devices.public_key, revocations.id IS NOT NULL, "
    "added_unix_s, added_by, last_seen_unix_s, last_round, accepted, next_certificate, "
    "next_public_key, renewed_unix_s "
    "FROM devices LEFT JOIN revocations ON revocations.public_key = devices.public_key "
    "ORDER BY name";

Device read_device(const Query& row) {
  return {.name = row.text(0),
          .certificate_der = row.blob(1),
          .public_key = row.array<wire::kP256PointBytes>(2),
          .revoked = row.integer(3) != 0,
          .added_unix_s = row.integer(4),
          .added_by = row.text(5),
          .last_seen_unix_s = row.integer(6),
          .last_round = row.u32(7),
          .accepted = row.u64(8),
          .next_certificate_der = row.blob(9),
          .next_public_key = row.is_null(10) ? PublicKey{} : row.array<wire::kP256PointBytes>(10),
          .renewed_unix_s = row.integer(11)};
}

}  // namespace

void Store::add_device(const Device& device) {
  if (!wire::is_valid_name(device.name.data(), device.name.size())) {
    throw StoreError(Status::kInvalidArgument,
                     "device name \"" + device.name + "\": expected 1 to 32 of [a-z0-9-]");
  }
  AtomicSection section(*connection_);
  const auto known = this->device(device.name);
  if (known && !known->revoked) {
    throw StoreError(Status::kInvalidArgument, "device \"" + device.name + "\" exists already");
  }
  if (is_revoked(device.public_key)) {
    throw StoreError(Status::kInvalidArgument,
                     "the key of device \"" + device.name + "\" is revoked: expected a new one");
  }
  connection_
      ->query(
          "INSERT INTO devices (name, certificate, public_key, added_unix_s, added_by, "
          "last_seen_unix_s, last_round, accepted) VALUES (?, ?, ?, ?, ?, ?, ?, ?) "
          "ON CONFLICT (name) DO UPDATE SET certificate = excluded.certificate, "
          "public_key = excluded.public_key, added_unix_s = excluded.added_unix_s, "
          "added_by = excluded.added_by, renewed_unix_s = 0",
          device.name, device.certificate_der, device.public_key, device.added_unix_s,
          device.added_by, device.last_seen_unix_s, device.last_round, device.accepted)
      .run();
  section.commit();
}

std::optional<Device> Store::device(std::string_view name) {
  Query query = connection_->query(kSelectDevice, name);
  if (!query.step()) return std::nullopt;
  return read_device(query);
}

std::vector<Device> Store::devices() {
  std::vector<Device> devices;
  Query query = connection_->query(kSelectDevices);
  while (query.step()) devices.push_back(read_device(query));
  return devices;
}

std::uint32_t Store::device_count() {
  Query query = connection_->query(
      "SELECT count(*) FROM devices WHERE public_key NOT IN (SELECT public_key FROM revocations)");
  return query.step() ? query.u32(0) : 0;
}

void Store::count_refusal(std::string_view device, Status status, std::int64_t now_unix_s) {
  connection_
      ->query(
          "INSERT INTO refusals SELECT name, ?, 1, ? FROM devices WHERE name = ? "
          "ON CONFLICT (device, status) DO UPDATE SET count = count + 1, "
          "last_unix_s = excluded.last_unix_s",
          static_cast<int>(status), now_unix_s, device)
      .run();
}

std::vector<Refusals> Store::refusals(std::string_view device) {
  std::vector<Refusals> refusals;
  Query query = connection_->query(
      "SELECT status, count, last_unix_s FROM refusals WHERE device = ? ORDER BY status", device);
  while (query.step()) {
    refusals.push_back({.status = static_cast<Status>(query.integer(0)),
                        .count = query.u64(1),
                        .last_unix_s = query.integer(2)});
  }
  return refusals;
}

}  // namespace skep::store

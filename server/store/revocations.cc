// The table of revocations: who is shut out, since when, by whom and why.
#include <algorithm>

#include "atomic_section.h"
#include "connection.h"
#include "skep/store/store.h"

namespace skep::store {
namespace {

Revocation read_revocation(const Query& row) {
  return {.device = row.text(0),
          .reason = static_cast<RevocationReason>(row.integer(1)),
          .note = row.text(2),
          .revoked_by = row.text(3),
          .revoked_unix_s = row.integer(4),
          .certificate_der = row.blob(5)};
}

bool is_control(char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; }

void check(const Revocation& revocation) {
  if (revocation.note.size() > kMaxNoteBytes || std::ranges::any_of(revocation.note, is_control)) {
    throw StoreError(Status::kInvalidArgument,
                     "the note has " + std::to_string(revocation.note.size()) +
                         " bytes: expected at most " + std::to_string(kMaxNoteBytes) +
                         ", without control characters");
  }
  if (revocation.revoked_by.empty()) {
    throw StoreError(Status::kInvalidArgument, "it must be known who revokes a device");
  }
}

}  // namespace

void Store::revoke_device(const Revocation& revocation) {
  check(revocation);
  AtomicSection section(*connection_);
  const auto device = this->device(revocation.device);
  if (!device) {
    throw StoreError(Status::kNotFound, "no device \"" + revocation.device + "\" is enrolled");
  }
  if (device->revoked) {
    throw StoreError(Status::kInvalidArgument,
                     "device \"" + revocation.device + "\" is revoked already");
  }
  connection_
      ->query(
          "INSERT INTO revocations (device, certificate, public_key, reason, note, revoked_by, "
          "revoked_unix_s) VALUES (?, ?, ?, ?, ?, ?, ?)",
          device->name, device->certificate_der, device->public_key,
          static_cast<int>(revocation.reason), revocation.note, revocation.revoked_by,
          revocation.revoked_unix_s)
      .run();
  // The row stays: it says that the round was answered, and with which bytes.
  connection_
      ->query(
          "UPDATE updates SET left_out = 1, sealed = NULL WHERE device = ? "
          "AND round IN (SELECT id FROM rounds WHERE state IN (1, 2))",
          device->name)
      .run();
  section.commit();
}

bool Store::is_revoked(const PublicKey& key) {
  Query query = connection_->query("SELECT 1 FROM revocations WHERE public_key = ?", key);
  return query.step();
}

std::vector<Revocation> Store::revocations() {
  std::vector<Revocation> revocations;
  Query query = connection_->query(
      "SELECT device, reason, note, revoked_by, revoked_unix_s, certificate FROM revocations "
      "ORDER BY id");
  while (query.step()) revocations.push_back(read_revocation(query));
  return revocations;
}

std::vector<Revocation> Store::revocations(std::string_view device) {
  std::vector<Revocation> revocations;
  Query query = connection_->query(
      "SELECT device, reason, note, revoked_by, revoked_unix_s, certificate FROM revocations "
      "WHERE device = ? ORDER BY id",
      device);
  while (query.step()) revocations.push_back(read_revocation(query));
  return revocations;
}

std::int64_t Store::last_revocation() {
  Query query = connection_->query("SELECT max(id) FROM revocations");
  return query.step() ? query.integer(0) : 0;
}

std::uint64_t Store::next_crl_number() {
  AtomicSection section(*connection_);
  std::uint64_t number = 0;
  {
    Query query =
        connection_->query("UPDATE revocation_list SET number = number + 1 RETURNING number");
    if (!query.step()) throw StoreError(Status::kMalformed, "database: no revocation list");
    number = query.u64(0);
    query.run();
  }
  section.commit();
  return number;
}

}  // namespace skep::store

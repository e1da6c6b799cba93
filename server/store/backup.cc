// Backups: the whole database as it is at one moment, and a database made of one again.
#include <algorithm>
#include <limits>
#include <string>

#include "atomic_section.h"
#include "connection.h"
#include "schema.h"
#include "skep/pki/files.h"
#include "skep/store/store.h"

namespace skep::store {
namespace {

// Numbers that a restore leaves free above the backup's, and one more for each second since: more
// than a gateway can have used, whose rounds take a second or longer on average. Of 2^32.
constexpr std::int64_t kNumbersPerRestore = 1 << 20;

std::string set_application_id(int id) { return "PRAGMA application_id = " + std::to_string(id); }

// A log that was left beside another file of the same name would be taken for this one's.
void refuse_leftovers(const std::filesystem::path& path) {
  for (const char* suffix : {"", "-wal", "-shm"}) {
    const std::filesystem::path file = path.string() + suffix;
    if (!std::filesystem::exists(file)) continue;
    throw StoreError(Status::kInvalidArgument,
                     file.string() + " exists already and is not overwritten: move it away first");
  }
}

}  // namespace

Snapshot Store::snapshot() {
  Snapshot snapshot;
  snapshot.schema_version = schema_version(*connection_);
  snapshot.model_version = static_cast<std::uint32_t>(
      connection_->integer("SELECT max(version) FROM models WHERE state = 1"));
  snapshot.last_round =
      static_cast<std::uint32_t>(connection_->integer("SELECT max(id) FROM rounds"));
  Query query =
      connection_->query("SELECT number, hash, unix_s FROM audit ORDER BY number DESC LIMIT 1");
  if (query.step()) {
    snapshot.audit_number = query.integer(0);
    snapshot.audit_hash = query.array<wire::kDigestBytes>(1);
    snapshot.audit_unix_s = query.integer(2);
  }
  return snapshot;
}

void Store::check_integrity() {
  Query query = connection_->query("PRAGMA integrity_check(1)");
  const std::string found = query.step() ? query.text(0) : "no answer";
  if (found != "ok") {
    throw StoreError(Status::kMalformed, connection_->path().string() + ": damaged: " + found);
  }
}

void Store::copy_to(Connection& target) {
  const Transaction snapshot(*this, Transaction::Kind::kRead);
  (void)schema_version(*connection_);  // Its first read begins it.
  connection_->copy_to(target);
}

Snapshot Store::back_up(const std::filesystem::path& path, const audit::Actor& who,
                        std::int64_t now_unix_s) {
  try {
    pki::FileInProgress file(path);
    append_audit({.unix_s = now_unix_s,
                  .event = audit::Event::kDatabaseBackedUp,
                  .actor = who,
                  .subject = "database",
                  .before = {},
                  .after = "to " + path.string()});
    {
      Connection copy(file.temporary());
      copy_to(copy);
      // One file, which can be read where nothing can be written.
      copy.execute("PRAGMA journal_mode = DELETE");
      copy.execute(set_application_id(kBackupApplicationId).c_str());
    }
    const Snapshot made = open_backup(file.temporary()).snapshot();
    file.publish();
    return made;
  } catch (const pki::PkiError& error) {
    throw StoreError(Status::kInvalidArgument, error.what());
  }
}

void Store::restore(const std::filesystem::path& backup, const std::filesystem::path& path,
                    const audit::Actor& who, std::int64_t now_unix_s) {
  refuse_leftovers(path);
  try {
    pki::FileInProgress file(path);
    {
      Store source = open_backup(backup);
      Connection copy(file.temporary());
      source.copy_to(copy);
      copy.execute(set_application_id(kApplicationId).c_str());
      copy.execute("PRAGMA journal_mode = WAL");
    }
    {
      Store store = open(file.temporary());
      const std::string from = "audit record " + std::to_string(store.last_audit_number());
      Transaction transaction(store);
      store.raise_floors(now_unix_s);
      store.void_tokens(who.name, now_unix_s);
      store.append_audit({.unix_s = now_unix_s,
                          .event = audit::Event::kDatabaseRestored,
                          .actor = who,
                          .subject = "database",
                          .before = from,
                          .after = "from " + backup.string() + "; rounds above " +
                                   std::to_string(store.last_round_id()) + ", versions above " +
                                   std::to_string(store.last_model_version())});
      transaction.commit();
      if (!store.connection_->empty_wal()) {
        throw StoreError(Status::kStorageFailed, path.string() + ": cannot be made whole");
      }
    }
    file.publish();
  } catch (const pki::PkiError& error) {
    throw StoreError(Status::kInvalidArgument, error.what());
  }
}

// Those that were used after the backup was made must not be used again.
void Store::void_tokens(const std::string& by, std::int64_t now_unix_s) {
  connection_
      ->query(
          "UPDATE enrolment_tokens SET revoked_unix_s = ?, revoked_by = ? WHERE revoked_unix_s = 0",
          now_unix_s, by)
      .run();
}

void Store::raise_floors(std::int64_t now_unix_s) {
  const std::int64_t step =
      kNumbersPerRestore + std::max<std::int64_t>(0, now_unix_s - snapshot().audit_unix_s);
  const std::int64_t round = last_round_id() + step;
  const std::int64_t version = last_model_version() + step;
  if (std::max(round, version) >= std::numeric_limits<std::uint32_t>::max()) {
    throw StoreError(Status::kTooLarge, "no numbers are left for rounds and versions above " +
                                            std::to_string(last_round_id()) + " and " +
                                            std::to_string(last_model_version()) +
                                            " (is the clock right?)");
  }
  connection_->query("UPDATE floors SET round = ?, model_version = ?", round, version).run();
  connection_->query("UPDATE revocation_list SET number = number + ?", step).run();
}

}  // namespace skep::store

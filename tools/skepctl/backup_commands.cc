#include <string>

#include "admin_client.h"
#include "audit_commands.h"
#include "commands.h"
#include "federation_directory.h"
#include "skep/release/package.h"

namespace skep::skepctl {
namespace {

namespace fs = std::filesystem;

/// Everything that can be wrong with the file, before it becomes a database. The audit log and the
/// model are signed: they are of this federation.
store::Snapshot check(const FederationDirectory& federation, const fs::path& file) {
  start_crypto();
  store::Store backup = store::Store::open_backup(file);
  backup.check_integrity();
  const seal::VerifyingKey key = load_verifying_key(federation.paths().verifying_key());
  require_whole(backup.check_audit(key, std::nullopt));
  const auto model = backup.released_model();
  if (!model) throw CommandError(Status::kMalformed, file.string() + " has no released model");
  (void)release::open_package(model->package, key);
  return backup.snapshot();
}

Json describe(const store::Snapshot& snapshot) {
  return {{"schema_version", snapshot.schema_version},
          {"model_version", snapshot.model_version},
          {"round", snapshot.last_round},
          {"audit_number", snapshot.audit_number},
          {"audit_hash", release::to_hex(snapshot.audit_hash)},
          {"audit_unix_s", snapshot.audit_unix_s}};
}

std::string describe_for_people(const store::Snapshot& snapshot) {
  return "model version " + std::to_string(snapshot.model_version) + ", round " +
         std::to_string(snapshot.last_round) + ", audit record " +
         std::to_string(snapshot.audit_number);
}

}  // namespace

Answer back_up(const fs::path& directory, const fs::path& file) {
  const FederationDirectory federation(directory);
  // skepd may have been started in another directory.
  const std::string path = fs::absolute(file).lexically_normal().string();
  const Json made =
      AdminClient(federation.admin_socket()).post("/api/v1/backup", Json{{"file", path}});
  return {made, "Backup " + path + ": model version " + made.value("model_version", Json()).dump() +
                    ", round " + made.value("round", Json()).dump() + ", audit record " +
                    made.value("audit_number", Json()).dump() + ", " +
                    made.value("bytes", Json()).dump() + " bytes\n"};
}

Answer backup_check(const fs::path& directory, const fs::path& file) {
  const store::Snapshot snapshot = check(FederationDirectory(directory), file);
  Json json = describe(snapshot);
  json["whole"] = true;
  return {std::move(json), file.string() + " is a whole backup of this federation: " +
                               describe_for_people(snapshot) + ".\n"};
}

Answer restore(const fs::path& directory, const fs::path& file) {
  const FederationDirectory federation(directory);
  const pki::DirectoryLock alone = federation.take();
  const store::Snapshot snapshot = check(federation, file);
  const fs::path path = fs::absolute(file).lexically_normal();
  store::Store::restore(path, federation.database(), local_operator(), now_unix_s());
  store::Store restored = federation.open_store();
  Json json{{"database", fs::absolute(federation.database()).string()},
            {"from", describe(snapshot)},
            {"next_round", restored.last_round_id() + 1},
            {"next_version", restored.last_model_version() + 1}};
  return {std::move(json),
          "Restored: " + describe_for_people(snapshot) + ". skepd goes on with round " +
              std::to_string(restored.last_round_id() + 1) + " and version " +
              std::to_string(restored.last_model_version() + 1) +
              ".\nRepeat what happened since the backup: revocations, enrolments, erasures "
              "(docs/guides/operate.md).\n"};
}

}  // namespace skep::skepctl

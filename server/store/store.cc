#include "skep/store/store.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <system_error>

#include "atomic_section.h"
#include "connection.h"
#include "schema.h"

namespace skep::store {
namespace {

void create_empty_file(const std::filesystem::path& path) {
  const int fd = ::open(path.c_str(), O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
  if (fd < 0) {
    const int code = errno;
    throw StoreError(code == EEXIST ? Status::kInvalidArgument : Status::kStorageFailed,
                     path.string() + ": " + std::generic_category().message(code));
  }
  ::close(fd);
}

void require_file(const std::filesystem::path& path, const char* otherwise) {
  if (!std::filesystem::exists(path)) {
    throw StoreError(Status::kNotFound, path.string() + ": " + otherwise);
  }
}

void remove_database(const std::filesystem::path& path) {
  std::error_code ignored;
  for (const char* suffix : {"", "-wal", "-shm"}) {
    std::filesystem::remove(path.string() + suffix, ignored);
  }
}

}  // namespace

int Store::schema_version(Connection& connection) {
  return static_cast<int>(connection.integer("PRAGMA user_version"));
}

int Store::require_known_version(Connection& connection) {
  const int version = schema_version(connection);
  if (version >= 1 && version <= kSchemaVersion) return version;
  throw StoreError(Status::kUnsupportedVersion,
                   connection.path().string() + ": has schema version " + std::to_string(version) +
                       ", this build knows 1 to " + std::to_string(kSchemaVersion));
}

void Store::read_identity(Connection& connection) {
  {
    Query query = connection.query("SELECT value FROM meta WHERE key = 'federation'");
    if (!query.step()) {
      throw StoreError(Status::kMalformed, connection.path().string() + ": no federation");
    }
    connection.federation = query.array<wire::kFederationBytes>(0);
  }
  Query query = connection.query("SELECT value FROM meta WHERE key = 'model_name'");
  if (!query.step()) {
    throw StoreError(Status::kMalformed, connection.path().string() + ": no model name");
  }
  const auto name = query.blob(0);
  connection.model_name.assign(name.begin(), name.end());
}

void Store::migrate(Connection& connection) {
  AtomicSection section(connection);
  // Another process may have done it while this one waited.
  for (int version = schema_version(connection); version < kSchemaVersion; ++version) {
    connection.execute(kSchemaSteps.at(static_cast<std::size_t>(version)));
    connection.execute(("PRAGMA user_version = " + std::to_string(version + 1)).c_str());
  }
  section.commit();
}

Store::Store(std::unique_ptr<Connection> connection) : connection_(std::move(connection)) {}
Store::Store(Store&&) noexcept = default;
Store& Store::operator=(Store&&) noexcept = default;
Store::~Store() = default;

Store Store::create(const std::filesystem::path& path, const FederationId& federation,
                    std::string_view model_name) {
  if (!wire::is_valid_name(model_name.data(), model_name.size())) {
    throw StoreError(Status::kInvalidArgument, "model name \"" + std::string(model_name) +
                                                   "\": expected 1 to 32 of [a-z0-9-]");
  }
  create_empty_file(path);
  try {
    Connection connection(path);
    connection.execute("PRAGMA journal_mode = WAL");
    AtomicSection section(connection);
    connection.execute(("PRAGMA application_id = " + std::to_string(kApplicationId)).c_str());
    migrate(connection);
    connection.query("INSERT INTO meta VALUES ('federation', ?)", federation).run();
    connection
        .query("INSERT INTO meta VALUES ('model_name', ?)",
               Bytes(reinterpret_cast<const std::uint8_t*>(model_name.data()), model_name.size()))
        .run();
    section.commit();
  } catch (...) {
    remove_database(path);
    throw;
  }
  return open(path);
}

Store Store::open(const std::filesystem::path& path) {
  require_file(path, "no such database (skepctl init makes it)");
  auto connection = std::make_unique<Connection>(path);
  const std::int64_t id = connection->integer("PRAGMA application_id");
  if (id == kBackupApplicationId) {
    throw StoreError(Status::kMalformed,
                     path.string() + ": is a backup (skepctl restore makes a database of it)");
  }
  if (id != kApplicationId) {
    throw StoreError(Status::kMalformed, path.string() + ": not a Skep database");
  }
  if (require_known_version(*connection) != kSchemaVersion) migrate(*connection);
  read_identity(*connection);
  return Store(std::move(connection));
}

Store Store::open_backup(const std::filesystem::path& path) {
  require_file(path, "no such backup");
  auto connection = std::make_unique<Connection>(path, Connection::Access::kReadOnly);
  if (connection->integer("PRAGMA application_id") != kBackupApplicationId) {
    throw StoreError(Status::kMalformed,
                     path.string() + ": not a backup that skepctl backup has made");
  }
  require_known_version(*connection);
  read_identity(*connection);
  return Store(std::move(connection));
}

const FederationId& Store::federation() const { return connection_->federation; }

const std::string& Store::model_name() const { return connection_->model_name; }

Transaction::Transaction(Store& store, Kind kind) : store_(store) {
  store_.connection_->execute(kind == Kind::kRead ? "BEGIN" : "BEGIN IMMEDIATE");
}

Transaction::~Transaction() {
  if (done_ || store_.connection_->is_idle()) return;
  try {
    store_.connection_->execute("ROLLBACK");
  } catch (const StoreError&) {
    // SQLite has rolled back by itself: nothing is left to undo.
  }
}

void Transaction::commit() {
  store_.connection_->execute("COMMIT");
  done_ = true;
}

}  // namespace skep::store

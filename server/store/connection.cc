#include "connection.h"

#include <sqlite3.h>

#include <cstring>

namespace skep::store {
namespace {

constexpr int kBusyTimeoutMs = 10'000;

StoreError error_of(sqlite3* database, const std::string& context) {
  return {Status::kStorageFailed, context + ": " + sqlite3_errmsg(database) + " (SQLite " +
                                      std::to_string(sqlite3_extended_errcode(database)) + ")"};
}

StoreError error_of(sqlite3* database, sqlite3_stmt* statement) {
  return error_of(database, std::string("database, at \"") + sqlite3_sql(statement) + "\"");
}

}  // namespace

Query::~Query() {
  sqlite3_reset(statement_);  // Repeats the error of step(), which was thrown already.
  sqlite3_clear_bindings(statement_);
}

void Query::check(int code) {
  if (code != SQLITE_OK) throw error_of(database_, statement_);
}

void Query::bind_integer(std::int64_t value) {
  check(sqlite3_bind_int64(statement_, next_parameter_++, value));
}

void Query::bind_null() { check(sqlite3_bind_null(statement_, next_parameter_++)); }

void Query::bind(std::string_view text) {
  check(sqlite3_bind_text64(statement_, next_parameter_++, text.empty() ? "" : text.data(),
                            text.size(), SQLITE_STATIC, SQLITE_UTF8));
}

void Query::bind(Bytes blob) {
  // A null pointer would bind NULL instead of an empty blob.
  check(sqlite3_bind_blob64(statement_, next_parameter_++,
                            blob.empty() ? reinterpret_cast<const std::uint8_t*>("") : blob.data(),
                            blob.size(), SQLITE_STATIC));
}

bool Query::step() {
  switch (sqlite3_step(statement_)) {
    case SQLITE_ROW:
      return true;
    case SQLITE_DONE:
      return false;
    default:
      throw error_of(database_, statement_);
  }
}

void Query::run() {
  while (step()) {
  }
}

bool Query::is_null(int column) const {
  return sqlite3_column_type(statement_, column) == SQLITE_NULL;
}

std::int64_t Query::integer(int column) const { return sqlite3_column_int64(statement_, column); }

std::uint32_t Query::u32(int column) const { return static_cast<std::uint32_t>(integer(column)); }

std::uint64_t Query::u64(int column) const { return static_cast<std::uint64_t>(integer(column)); }

std::string Query::text(int column) const {
  const auto* chars = reinterpret_cast<const char*>(sqlite3_column_text(statement_, column));
  const int size = sqlite3_column_bytes(statement_, column);
  return chars == nullptr ? std::string() : std::string(chars, static_cast<std::size_t>(size));
}

std::vector<std::uint8_t> Query::blob(int column) const {
  const auto* data = static_cast<const std::uint8_t*>(sqlite3_column_blob(statement_, column));
  const int size = sqlite3_column_bytes(statement_, column);
  return data == nullptr ? std::vector<std::uint8_t>() : std::vector(data, data + size);
}

void Query::copy_blob(int column, MutableBytes out) const {
  const void* data = sqlite3_column_blob(statement_, column);
  const auto size = static_cast<std::size_t>(sqlite3_column_bytes(statement_, column));
  if (data == nullptr || size != out.size()) {
    throw StoreError(Status::kMalformed, std::string("database, at \"") + sqlite3_sql(statement_) +
                                             "\": column " + std::to_string(column) + " has " +
                                             std::to_string(size) + " bytes, expected " +
                                             std::to_string(out.size()));
  }
  std::memcpy(out.data(), data, size);
}

void Store::Connection::CloseDatabase::operator()(sqlite3* database) const {
  sqlite3_close(database);
}

void Store::Connection::FinalizeStatement::operator()(sqlite3_stmt* statement) const {
  sqlite3_finalize(statement);
}

Store::Connection::Connection(const std::filesystem::path& path, Access access) : path_(path) {
  sqlite3* database = nullptr;
  const int mode = access == Access::kReadOnly ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE;
  // One thread uses a connection at a time: SQLite's own mutex is not needed.
  const int code = sqlite3_open_v2(path.c_str(), &database,
                                   mode | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, nullptr);
  database_.reset(database);
  if (code != SQLITE_OK) throw error_of(database, path.string());
  sqlite3_busy_timeout(database, kBusyTimeoutMs);
  execute("PRAGMA foreign_keys = ON");
  execute("PRAGMA secure_delete = ON");
  execute("PRAGMA synchronous = FULL");
}

Store::Connection::~Connection() = default;

void Store::Connection::execute(const char* sql) {
  if (sqlite3_exec(database_.get(), sql, nullptr, nullptr, nullptr) != SQLITE_OK) {
    throw error_of(database_.get(), path_.string() + ", at \"" + sql + "\"");
  }
}

std::int64_t Store::Connection::integer(const char* sql) {
  Query query = this->query(sql);
  return query.step() ? query.integer(0) : 0;
}

void Store::Connection::copy_to(Connection& target) {
  sqlite3_backup* backup =
      sqlite3_backup_init(target.database_.get(), "main", database_.get(), "main");
  if (backup != nullptr) {
    sqlite3_backup_step(backup, -1);
    sqlite3_backup_finish(backup);  // Repeats the error of the step, and keeps it in the target.
  }
  if (sqlite3_errcode(target.database_.get()) != SQLITE_OK) {
    throw error_of(target.database_.get(), "copying to " + target.path_.string());
  }
}

bool Store::Connection::empty_wal() { return integer("PRAGMA wal_checkpoint(TRUNCATE)") == 0; }

bool Store::Connection::is_idle() const { return sqlite3_get_autocommit(database_.get()) != 0; }

sqlite3_stmt* Store::Connection::prepare(const char* sql) {
  auto& slot = statements_[sql];
  if (slot == nullptr) {
    sqlite3_stmt* statement = nullptr;
    if (sqlite3_prepare_v3(database_.get(), sql, -1, SQLITE_PREPARE_PERSISTENT, &statement,
                           nullptr) != SQLITE_OK) {
      throw error_of(database_.get(), path_.string() + ", at \"" + sql + "\"");
    }
    slot.reset(statement);
  }
  return slot.get();
}

}  // namespace skep::store

#include "database.h"

#include <stdexcept>
#include <utility>

namespace skep::e2e {
namespace {

constexpr int kBusyLimitMs = 10'000;

struct Finalize {
  void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
};

Database::Row row_of(sqlite3_stmt* statement) {
  Database::Row row;
  for (int i = 0; i < sqlite3_column_count(statement); ++i) {
    const auto* bytes = static_cast<const char*>(sqlite3_column_blob(statement, i));
    const auto size = static_cast<std::size_t>(sqlite3_column_bytes(statement, i));
    row.emplace_back(bytes == nullptr ? std::string() : std::string(bytes, size));
  }
  return row;
}

}  // namespace

Database::Database(const std::filesystem::path& path) {
  sqlite3* connection = nullptr;
  const int result = sqlite3_open_v2(path.c_str(), &connection, SQLITE_OPEN_READONLY, nullptr);
  connection_.reset(connection);
  if (result != SQLITE_OK) throw std::runtime_error("cannot open " + path.string());
  sqlite3_busy_timeout(connection, kBusyLimitMs);
}

std::vector<Database::Row> Database::rows(const std::string& sql) const {
  sqlite3_stmt* prepared = nullptr;
  int result = sqlite3_prepare_v2(connection_.get(), sql.c_str(), -1, &prepared, nullptr);
  const std::unique_ptr<sqlite3_stmt, Finalize> statement(prepared);
  std::vector<Row> found;
  if (result == SQLITE_OK) {
    while ((result = sqlite3_step(prepared)) == SQLITE_ROW) found.push_back(row_of(prepared));
  }
  if (result != SQLITE_DONE) {
    throw std::runtime_error(sql + ": " + sqlite3_errmsg(connection_.get()));
  }
  return found;
}

}  // namespace skep::e2e

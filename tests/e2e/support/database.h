// The gateway's database, read from outside while skepd may be running.
#pragma once

#include <sqlite3.h>

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

namespace skep::e2e {

/// A read-only connection that waits for writers. Errors are std::runtime_error with SQLite's text.
class Database {
 public:
  /// The bytes of each column, numbers as text, NULL as nothing.
  using Row = std::vector<std::string>;

  explicit Database(const std::filesystem::path& path);

  [[nodiscard]] std::vector<Row> rows(const std::string& sql) const;

  /// From now on all rows() are of one state.
  void freeze() const { (void)rows("BEGIN"); }

 private:
  struct Close {
    void operator()(sqlite3* connection) const { sqlite3_close(connection); }
  };

  std::unique_ptr<sqlite3, Close> connection_;
};

}  // namespace skep::e2e

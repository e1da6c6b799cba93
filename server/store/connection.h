// SQLite's C interface as RAII: a connection, its prepared statements, atomic sections.
#pragma once

#include <array>
#include <concepts>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "skep/bytes.h"
#include "skep/store/store.h"

struct sqlite3;
struct sqlite3_stmt;

namespace skep::store {

/// A prepared statement on loan from its connection, with values bound; reset on destruction.
/// Texts and blobs are not copied: they outlive the query.
class Query {
 public:
  Query(sqlite3* database, sqlite3_stmt* statement) : database_(database), statement_(statement) {}
  template <typename... Values>
  requires(sizeof...(Values) > 0)
      Query(sqlite3* database, sqlite3_stmt* statement, const Values&... values)
      : Query(database, statement) {
    (bind(values), ...);
  }
  ~Query();
  Query(const Query&) = delete;
  Query& operator=(const Query&) = delete;

  /// True: a row is there to be read. False: done.
  bool step();
  /// For statements without rows.
  void run();

  [[nodiscard]] bool is_null(int column) const;
  [[nodiscard]] std::int64_t integer(int column) const;
  [[nodiscard]] std::uint32_t u32(int column) const;
  [[nodiscard]] std::uint64_t u64(int column) const;
  [[nodiscard]] std::string text(int column) const;
  [[nodiscard]] std::vector<std::uint8_t> blob(int column) const;
  template <std::size_t kSize>
  [[nodiscard]] std::array<std::uint8_t, kSize> array(int column) const {
    std::array<std::uint8_t, kSize> out;
    copy_blob(column, out);
    return out;
  }

 private:
  template <std::integral T>
  void bind(T value) {
    bind_integer(static_cast<std::int64_t>(value));
  }
  template <std::integral T>
  void bind(const std::optional<T>& value) {
    value ? bind(*value) : bind_null();
  }
  void bind(std::string_view text);
  void bind(Bytes blob);
  void bind_integer(std::int64_t value);
  void bind_null();
  void copy_blob(int column, MutableBytes out) const;
  void check(int code);

  sqlite3* database_;
  sqlite3_stmt* statement_;
  int next_parameter_ = 1;
};

class Store::Connection {
 public:
  enum class Access : std::uint8_t { kReadOnly, kReadWrite };

  /// Opens an existing file, and sets up durability and waiting.
  explicit Connection(const std::filesystem::path& path, Access access = Access::kReadWrite);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  /// `sql` must be a literal: its address is the key under which it is kept prepared.
  template <typename... Values>
  Query query(const char* sql, const Values&... values) {
    return Query(database_.get(), prepare(sql), values...);
  }
  void execute(const char* sql);
  /// The first column of the first row of what `sql`, a literal, answers; 0 if it has none.
  [[nodiscard]] std::int64_t integer(const char* sql);

  /// Makes the other file a copy of this one. Within a transaction for reading: otherwise it begins
  /// anew whenever another connection writes.
  void copy_to(Connection& target);

  /// Brings all that was written into the file itself, and empties the file beside it (-wal).
  /// False if it could not because somebody reads.
  [[nodiscard]] bool empty_wal();

  /// No transaction is open.
  [[nodiscard]] bool is_idle() const;
  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

  FederationId federation{};
  std::string model_name;

 private:
  struct CloseDatabase {
    void operator()(sqlite3* database) const;
  };
  struct FinalizeStatement {
    void operator()(sqlite3_stmt* statement) const;
  };

  sqlite3_stmt* prepare(const char* sql);

  std::filesystem::path path_;
  std::unique_ptr<sqlite3, CloseDatabase> database_;
  std::unordered_map<const char*, std::unique_ptr<sqlite3_stmt, FinalizeStatement>> statements_;
};

}  // namespace skep::store

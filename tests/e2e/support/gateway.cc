#include "gateway.h"

#include <sqlite3.h>

#include <memory>
#include <stdexcept>

#include "skep/core/prng.h"
#include "skep/demo/local_update.h"

namespace skep::e2e {
namespace {

constexpr int kBusyLimitMs = 10'000;

struct CloseConnection {
  void operator()(sqlite3* connection) const { sqlite3_close(connection); }
};
struct FinalizeStatement {
  void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
};
using Connection = std::unique_ptr<sqlite3, CloseConnection>;
using Statement = std::unique_ptr<sqlite3_stmt, FinalizeStatement>;

Connection open_read_only(const std::filesystem::path& path) {
  sqlite3* connection = nullptr;
  const int result = sqlite3_open_v2(path.c_str(), &connection, SQLITE_OPEN_READONLY, nullptr);
  Connection owned(connection);
  if (result != SQLITE_OK) throw std::runtime_error("cannot open " + path.string());
  sqlite3_busy_timeout(connection, kBusyLimitMs);
  return owned;
}

Statement prepare(const Connection& connection, const std::string& sql) {
  sqlite3_stmt* statement = nullptr;
  if (sqlite3_prepare_v2(connection.get(), sql.c_str(), -1, &statement, nullptr) != SQLITE_OK) {
    throw std::runtime_error(sql + ": " + sqlite3_errmsg(connection.get()));
  }
  return Statement(statement);
}

bool next_row(const Connection& connection, const Statement& statement) {
  const int result = sqlite3_step(statement.get());
  if (result != SQLITE_ROW && result != SQLITE_DONE) {
    throw std::runtime_error(sqlite3_errmsg(connection.get()));
  }
  return result == SQLITE_ROW;
}

Bytes column(const Statement& statement, int index) {
  const void* bytes = sqlite3_column_blob(statement.get(), index);  // before its length is asked
  return {static_cast<const std::uint8_t*>(bytes),
          static_cast<std::size_t>(sqlite3_column_bytes(statement.get(), index))};
}

std::string text(Bytes bytes) { return {bytes.begin(), bytes.end()}; }

std::vector<std::string> tables_of(const Connection& connection) {
  std::vector<std::string> names;
  const auto statement =
      prepare(connection, "SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name");
  while (next_row(connection, statement)) names.push_back(text(column(statement, 0)));
  return names;
}

bool is_traffic(const std::string& table, const std::string& column_name) {
  return table == "rounds" && (column_name == "refused" || column_name == "bytes_down");
}

// Type, length and content of each column: no two different tables have the same dump.
void dump_table(const Connection& connection, const std::string& table, std::string& out) {
  const auto statement = prepare(connection, "SELECT * FROM " + table + " ORDER BY 1, 2");
  out += "table " + table + '\n';
  while (next_row(connection, statement)) {
    for (int i = 0; i < sqlite3_column_count(statement.get()); ++i) {
      if (is_traffic(table, sqlite3_column_name(statement.get(), i))) continue;
      const int type = sqlite3_column_type(statement.get(), i);
      const std::string value = text(column(statement, i));
      out += std::to_string(type) + ' ' + std::to_string(value.size()) + ' ' + value + '\n';
    }
  }
}

std::filesystem::path write_held_out(const std::filesystem::path& folder) {
  const auto path = folder / "held-out.csv";
  demo::write_csv(path, made_up_digits(50, 99));
  return path;
}

demo::RoundRecipe manual_recipe(double clip_norm) {
  demo::RoundRecipe recipe;
  recipe.quorum = 1'000;
  recipe.max_rounds = 0;
  recipe.local_epochs = 2;
  recipe.clip_norm = clip_norm;
  return recipe;
}

}  // namespace

std::vector<learn_testing::Sample> made_up_digits(std::size_t count, std::uint32_t seed) {
  Xorshift32 random(seed);
  std::vector<learn_testing::Sample> digits(count);
  for (std::size_t i = 0; i < count; ++i) {
    digits[i].label = static_cast<std::uint16_t>(i % 10);
    digits[i].features.resize(learn_testing::kDigitsPixels);
    for (std::size_t pixel = 0; pixel < learn_testing::kDigitsPixels; ++pixel) {
      const bool lit = pixel % 10 == digits[i].label;
      digits[i].features[pixel] = static_cast<std::int16_t>((lit ? 12 : 0) + random.next() % 4);
    }
  }
  return digits;
}

Gateway::Gateway(double clip_norm)
    : federation_(SKEP_BIN_DIR, folder_.path() / "federation", manual_recipe(clip_norm),
                  write_held_out(folder_.path()), /*seed=*/5) {}

wire::DeviceCredentials Gateway::enrol(const std::string& device) {
  federation_.enrol(device);
  return demo::load_credentials(federation_.credentials_of(device));
}

void Gateway::revoke(const std::string& device) {
  (void)federation_.operate({"device", "revoke", device, "--reason", "lost"});
}

void Gateway::roll_back(std::uint32_t to_version) {
  (void)operate({"model", "rollback", "--to", std::to_string(to_version)});
}

seal::Sha256Digest Gateway::database_digest() const {
  const Connection connection = open_read_only(database());
  (void)next_row(connection, prepare(connection, "BEGIN"));  // one state for all tables
  std::string dump;
  for (const std::string& table : tables_of(connection)) dump_table(connection, table, dump);
  const auto digest =
      seal::sha256(Bytes(reinterpret_cast<const std::uint8_t*>(dump.data()), dump.size()));
  if (!digest.ok()) throw std::runtime_error("hashing failed");
  return *digest;
}

std::map<std::string, seal::Sha256Digest> Gateway::stored_updates(std::uint32_t round) const {
  const Connection connection = open_read_only(database());
  const auto statement = prepare(
      connection, "SELECT device, digest FROM updates WHERE round = " + std::to_string(round));
  std::map<std::string, seal::Sha256Digest> updates;
  while (next_row(connection, statement)) {
    const std::string device = text(column(statement, 0));
    const Bytes digest = column(statement, 1);
    std::copy_n(digest.begin(), seal::kSha256Bytes, updates[device].begin());
  }
  return updates;
}

std::size_t Gateway::resident_bytes() const {
  std::ifstream status("/proc/" + std::to_string(pid()) + "/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("VmRSS:")) return std::stoul(line.substr(6)) * 1024;
  }
  throw std::runtime_error("skepd has no VmRSS");
}

}  // namespace skep::e2e

#include "gateway.h"

#include <algorithm>
#include <fstream>
#include <stdexcept>

#include "database.h"
#include "skep/core/prng.h"
#include "skep/demo/local_update.h"

namespace skep::e2e {
namespace {

// skepd counts its traffic there from time to time.
bool is_traffic(const std::string& table, const std::string& column) {
  return table == "rounds" && (column == "refused" || column == "bytes_down");
}

// All that a table holds, each value with its type.
std::string query_of(const Database& database, const std::string& table) {
  std::string columns;
  int count = 0;
  for (const auto& row : database.rows("SELECT name FROM pragma_table_info('" + table + "')")) {
    if (is_traffic(table, row[0])) continue;
    columns += (columns.empty() ? "" : ", ") + ("typeof(" + row[0] + "), " + row[0]);
    ++count;
  }
  // By the first two, where there are two: what is unique in all of our tables.
  return "SELECT " + columns + " FROM " + table + " ORDER BY 2" + (count > 1 ? ", 4" : "");
}

// With the length of each value: no two different tables have the same dump.
void dump_table(const Database& database, const std::string& table, std::string& out) {
  out += "table " + table + '\n';
  for (const auto& row : database.rows(query_of(database, table))) {
    for (const std::string& value : row) out += std::to_string(value.size()) + ' ' + value + '\n';
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
  (void)federation_.operate({"device", "revoke", device, "--reason", "keyCompromise"});
}

void Gateway::roll_back(std::uint32_t to_version) {
  (void)operate({"model", "rollback", "--to", std::to_string(to_version)});
}

seal::Sha256Digest Gateway::database_digest() const {
  const Database stored(database());
  stored.freeze();
  std::string dump;
  for (const auto& row :
       stored.rows("SELECT name FROM sqlite_schema WHERE type = 'table' AND name <> 'refusals' "
                   "AND name NOT LIKE 'audit%' ORDER BY name")) {
    dump_table(stored, row[0], dump);
  }
  const auto digest =
      seal::sha256(Bytes(reinterpret_cast<const std::uint8_t*>(dump.data()), dump.size()));
  if (!digest.ok()) throw std::runtime_error("hashing failed");
  return *digest;
}

std::map<std::string, seal::Sha256Digest> Gateway::stored_updates(std::uint32_t round) const {
  std::map<std::string, seal::Sha256Digest> updates;
  for (const auto& row :
       Database(database())
           .rows("SELECT device, digest FROM updates WHERE round = " + std::to_string(round))) {
    std::ranges::copy(row[1], updates[row[0]].begin());
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

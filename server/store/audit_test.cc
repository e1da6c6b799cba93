// The audit log in its file: append-only, and whoever gets around that is found out.
#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <sqlite3.h>

#include <filesystem>
#include <optional>
#include <string>

#include "skep/audit/operator.h"
#include "skep/pki_testing/temporary_directory.h"
#include "skep/seal/crypto.h"
#include "skep/store/store.h"

namespace skep::store {
namespace {

constexpr FederationId kFederation{1, 2, 3, 4, 5, 6, 7, 8};

/// A database with a few records, the last of which has a signed head.
class Log {
 public:
  Log() : key_(make_key()) { Store::create(path(), kFederation, "digits"); }
  Log(const Log&) = delete;
  Log& operator=(const Log&) = delete;

  [[nodiscard]] std::filesystem::path path() const { return folder_ / "skep.db"; }
  [[nodiscard]] Store open() const { return Store::open(path()); }

  static audit::Entry make_entry(std::int64_t number) {
    return {.unix_s = 100 + number,
            .event = static_cast<audit::Event>(1 + number % 12),
            .actor = audit::operator_of(static_cast<std::uint32_t>(number), "skepctl"),
            .subject = "device bee-" + std::to_string(number),
            .before = "b" + std::to_string(number),
            .after = "a" + std::to_string(number)};
  }
  void write(std::int64_t count) const {
    Store store = open();
    Transaction transaction(store);
    for (std::int64_t i = 0; i < count; ++i) {
      store.append_audit(make_entry(store.last_audit_number() + 1));
    }
    transaction.commit();
  }
  std::optional<audit::SignedHead> sign() const {
    Store store = open();
    return store.sign_audit_head(key_, 999);
  }
  [[nodiscard]] audit::Report check(
      const std::optional<audit::SignedHead>& kept = std::nullopt) const {
    Store store = open();
    return store.check_audit(*seal::VerifyingKey::from_bytes(*key_.public_key()), kept);
  }

  /// Result code of SQLite.
  [[nodiscard]] int execute(const std::string& sql) const {
    sqlite3* database = nullptr;
    EXPECT_EQ(sqlite3_open(path().c_str(), &database), SQLITE_OK);
    const int code = sqlite3_exec(database, sql.c_str(), nullptr, nullptr, nullptr);
    sqlite3_close(database);
    return code;
  }
  /// As someone does who can write the file.
  void tamper(const std::string& sql) const {
    EXPECT_EQ(execute("DROP TRIGGER audit_insert; DROP TRIGGER audit_update;"
                      "DROP TRIGGER audit_delete; DROP TRIGGER audit_heads_insert;"
                      "DROP TRIGGER audit_heads_update; DROP TRIGGER audit_heads_delete;"
                      "PRAGMA foreign_keys = OFF; PRAGMA ignore_check_constraints = ON;" +
                      sql),
              SQLITE_OK)
        << sql;
  }

 private:
  static seal::SigningKey make_key() {
    EXPECT_EQ(seal::initialize_crypto(), Status::kOk);
    return *seal::SigningKey::generate();
  }

  pki_testing::TemporaryDirectory folder_;
  seal::SigningKey key_;
};

TEST(AuditLog, KeepsWhatItWasGiven) {
  const Log log;
  log.write(3);
  Store store = log.open();
  EXPECT_EQ(store.last_audit_number(), 3);
  const auto records = store.audit_records(102, 10);
  ASSERT_EQ(records.size(), 2U);
  const audit::Entry expected = Log::make_entry(2);
  EXPECT_EQ(records[0].number, 2);
  EXPECT_EQ(records[0].entry.unix_s, expected.unix_s);
  EXPECT_EQ(records[0].entry.event, expected.event);
  EXPECT_EQ(records[0].entry.actor.kind, expected.actor.kind);
  EXPECT_EQ(records[0].entry.actor.name, expected.actor.name);
  EXPECT_EQ(records[0].entry.actor.origin, expected.actor.origin);
  EXPECT_EQ(records[0].entry.subject, expected.subject);
  EXPECT_EQ(records[0].entry.before, expected.before);
  EXPECT_EQ(records[0].entry.after, expected.after);
  EXPECT_EQ(records[1].number, 3);
  EXPECT_EQ(store.audit_records(0, 1).at(0).number, 3);
  EXPECT_EQ(log.check().records, 3);
  EXPECT_EQ(log.check().signed_records, 0);
}

TEST(AuditLog, HeadIsSignedOnceForEachTip) {
  const Log log;
  EXPECT_FALSE(log.sign());
  log.write(2);
  const auto first = log.sign();
  EXPECT_EQ(first->head.number, 2);
  EXPECT_EQ(log.sign(), first);
  log.write(1);
  const auto second = log.sign();
  EXPECT_EQ(second->head.number, 3);
  EXPECT_EQ(log.open().audit_head(), second);
  const audit::Report report = log.check(first);
  EXPECT_FALSE(report.finding);
  EXPECT_EQ(report.heads, 2);
  EXPECT_EQ(report.signed_records, 3);
}

TEST(AuditLog, OnlyGrows) {
  const Log log;
  log.write(2);
  log.sign();
  for (const char* sql :
       {"UPDATE audit SET subject = 'x' WHERE number = 2", "DELETE FROM audit WHERE number = 2",
        "INSERT OR REPLACE INTO audit SELECT * FROM audit WHERE number = 2",
        "REPLACE INTO audit VALUES (2, 1, 1, 1, '', '', '', '', '', zeroblob(32))",
        "INSERT INTO audit VALUES (9, 1, 1, 1, '', '', '', '', '', zeroblob(32))",
        "UPDATE audit_heads SET unix_s = 1", "DELETE FROM audit_heads",
        "REPLACE INTO audit_heads SELECT * FROM audit_heads"}) {
    EXPECT_EQ(log.execute(sql), SQLITE_CONSTRAINT) << sql;
  }
  EXPECT_EQ(log.check().signed_records, 2);
  EXPECT_FALSE(log.check().finding);
}

TEST(AuditLog, IsPartOfTheTransaction) {
  const Log log;
  Store store = log.open();
  {
    Transaction transaction(store);
    store.append_audit(Log::make_entry(1));
    EXPECT_EQ(store.last_audit_number(), 1);
  }
  EXPECT_EQ(store.last_audit_number(), 0);
}

TEST(AuditLog, TruncationShowsInTheStoredHeadAndInAKeptOne) {
  const Log log;
  log.write(5);
  const auto kept = log.sign();
  log.tamper("DELETE FROM audit WHERE number > 3");
  ASSERT_TRUE(log.check().finding);
  EXPECT_EQ(log.check().finding->number, 4);
  // Only a head that is kept elsewhere tells of records that went with their heads.
  EXPECT_EQ(log.execute("DELETE FROM audit_heads"), SQLITE_OK);
  EXPECT_FALSE(log.check().finding);
  ASSERT_TRUE(log.check(kept).finding);
  EXPECT_EQ(log.check(kept).finding->number, 4);
}

/// Any one change of the log through SQLite; all of its records have a signed head.
std::string any_tampering(std::int64_t count) {
  const auto number = [count] { return *rc::gen::inRange<std::int64_t>(1, count + 1); };
  const std::string where = " WHERE number = " + std::to_string(number());
  switch (*rc::gen::inRange(0, 6)) {
    case 0: {
      const char* column = *rc::gen::element("unix_s", "event", "actor_kind");
      const auto delta = *rc::gen::nonZero<std::int32_t>();
      return std::string("UPDATE audit SET ") + column + " = " + column + " + (" +
             std::to_string(delta) + ")" + where;
    }
    case 1: {
      const char* column =
          *rc::gen::element("actor", "origin", "subject", "value_before", "value_after");
      const char* change = *rc::gen::element(" || 'x'", " || char(0)", " || ' '");
      return std::string("UPDATE audit SET ") + column + " = " + column + change + where;
    }
    case 2:  // Another hash of the right length.
      return "UPDATE audit SET hash = randomblob(32)" + where;
    case 3:
      return "DELETE FROM audit" + where;
    case 4: {  // Two change places.
      const std::int64_t first = number();
      std::int64_t second = number();
      if (second == first) second = first % count + 1;
      const std::string a = std::to_string(first);
      const std::string b = std::to_string(second);
      return "UPDATE audit SET number = 1000000 WHERE number = " + a +
             "; UPDATE audit SET number = " + a + " WHERE number = " + b +
             "; UPDATE audit SET number = " + b + " WHERE number = 1000000";
    }
    default: {  // One is put in, and those after it move up; also after the last.
      const std::string at = std::to_string(*rc::gen::inRange<std::int64_t>(1, count + 2));
      const std::string source = std::to_string(number());
      return "UPDATE audit SET number = -number - 1 WHERE number >= " + at +
             "; UPDATE audit SET number = -number WHERE number < 0; INSERT INTO audit SELECT " +
             at +
             ", unix_s, event, actor_kind, actor, origin, subject, value_before, value_after, hash "
             "FROM audit WHERE number <> " +
             at + " AND number >= " + source + " LIMIT 1";
    }
  }
}

TEST(AuditLogProperty, AnySingleChangeIsFound) {
  constexpr std::int64_t kRecords = 8;
  const Log log;
  log.write(kRecords);
  log.sign();
  ASSERT_FALSE(log.check().finding);
  const auto whole = log.path().string() + ".whole";  // Closed, so that it is all in one file.
  std::filesystem::copy_file(log.path(), whole);
  EXPECT_TRUE(rc::check("any single change of a record is found", [&] {
    std::filesystem::copy_file(whole, log.path(),
                               std::filesystem::copy_options::overwrite_existing);
    const std::string sql = any_tampering(kRecords);
    RC_LOG() << sql;
    log.tamper(sql);
    RC_ASSERT(log.check().finding.has_value());
  }));
}

}  // namespace
}  // namespace skep::store

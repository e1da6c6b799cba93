// A database of an older schema, made by its own SQL, is brought to today's and keeps all it had.
#include <gtest/gtest.h>
#include <sqlite3.h>

#include <exception>
#include <filesystem>
#include <string>
#include <thread>
#include <vector>

#include "skep/pki_testing/temporary_directory.h"
#include "skep/seal/crypto.h"
#include "skep/store/store.h"

namespace skep::store {
namespace {

constexpr FederationId kFederation{1, 2, 3, 4, 5, 6, 7, 8};

// All SQL below is what those versions had: never to be changed.
constexpr const char* kTablesSince1 = R"sql(
PRAGMA journal_mode = WAL;
PRAGMA application_id = 0x534B4550;
CREATE TABLE meta (key TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE models (
  version INTEGER PRIMARY KEY CHECK (version >= 1),
  rolls_back_to INTEGER NOT NULL,
  round INTEGER NOT NULL,
  state INTEGER NOT NULL CHECK (state IN (1, 2)),
  package BLOB NOT NULL
) STRICT;
CREATE TABLE rounds (
  id INTEGER PRIMARY KEY CHECK (id >= 1),
  state INTEGER NOT NULL CHECK (state BETWEEN 1 AND 6),
  plan BLOB NOT NULL,
  signature BLOB NOT NULL CHECK (length(signature) = 64),
  base_version INTEGER NOT NULL REFERENCES models (version),
  opened_unix_s INTEGER NOT NULL,
  deadline_unix_s INTEGER NOT NULL,
  closed_unix_s INTEGER NOT NULL,
  refused INTEGER NOT NULL DEFAULT 0,
  bytes_down INTEGER NOT NULL DEFAULT 0,
  version INTEGER REFERENCES models (version),
  evaluation_samples INTEGER NOT NULL DEFAULT 0,
  evaluation_correct INTEGER NOT NULL DEFAULT 0,
  received INTEGER NOT NULL DEFAULT 0,
  bytes_up INTEGER NOT NULL DEFAULT 0,
  loss_q16 INTEGER
) STRICT;
CREATE UNIQUE INDEX one_open_round ON rounds ((1)) WHERE state IN (1, 2);
INSERT INTO meta VALUES ('federation', x'0102030405060708'), ('model_name', x'646967697473');
INSERT INTO models VALUES (1, 0, 0, 1, x'2A');
INSERT INTO rounds (id, state, plan, signature, base_version, opened_unix_s, deadline_unix_s,
                    closed_unix_s, received)
  VALUES (1, 3, x'09', zeroblob(64), 1, 10, 20, 30, 2), (2, 1, x'09', zeroblob(64), 1, 31, 0, 0, 0);
)sql";

// As a gateway left it: b was revoked, and had answered the open round.
constexpr const char* kVersion1 = R"sql(
PRAGMA user_version = 1;
CREATE TABLE devices (
  name TEXT PRIMARY KEY,
  certificate BLOB NOT NULL,
  public_key BLOB NOT NULL UNIQUE CHECK (length(public_key) = 65),
  revoked INTEGER NOT NULL CHECK (revoked IN (0, 1)),
  revoke_reason TEXT NOT NULL,
  added_unix_s INTEGER NOT NULL,
  last_seen_unix_s INTEGER NOT NULL,
  last_round INTEGER NOT NULL
) STRICT;
CREATE TABLE updates (
  round INTEGER NOT NULL REFERENCES rounds (id),
  device TEXT NOT NULL REFERENCES devices (name),
  digest BLOB NOT NULL CHECK (length(digest) = 32),
  sealed BLOB,
  sealed_bytes INTEGER NOT NULL,
  sample_count INTEGER NOT NULL CHECK (sample_count >= 1),
  loss_q16 INTEGER NOT NULL,
  PRIMARY KEY (round, device)
) STRICT;
INSERT INTO devices VALUES ('a', x'010203', CAST(printf('%065d', 1) AS BLOB), 0, '', 77, 500, 2),
                           ('b', x'040506', CAST(printf('%065d', 2) AS BLOB), 1, 'stolen', 78, 501, 2);
INSERT INTO updates VALUES (1, 'a', zeroblob(32), NULL, 4, 10, 100),
                           (1, 'b', zeroblob(32), NULL, 4, 10, 100),
                           (2, 'a', zeroblob(32), x'01', 1, 10, 100),
                           (2, 'b', zeroblob(32), x'02', 1, 10, 100);
)sql";

// The same, and what only version 2 remembers.
constexpr const char* kVersion2 = R"sql(
PRAGMA user_version = 2;
CREATE TABLE devices (
  name TEXT PRIMARY KEY,
  certificate BLOB NOT NULL,
  public_key BLOB NOT NULL UNIQUE CHECK (length(public_key) = 65),
  added_unix_s INTEGER NOT NULL,
  last_seen_unix_s INTEGER NOT NULL,
  last_round INTEGER NOT NULL
, added_by TEXT NOT NULL DEFAULT 'unknown', accepted INTEGER NOT NULL DEFAULT 0) STRICT;
CREATE TABLE refusals (
  device TEXT NOT NULL REFERENCES devices (name),
  status INTEGER NOT NULL,
  count INTEGER NOT NULL,
  last_unix_s INTEGER NOT NULL,
  PRIMARY KEY (device, status)
) STRICT, WITHOUT ROWID;
CREATE TABLE revocation_list (number INTEGER NOT NULL) STRICT;
CREATE TABLE revocations (
  id INTEGER PRIMARY KEY,
  device TEXT NOT NULL REFERENCES devices (name),
  certificate BLOB NOT NULL,
  public_key BLOB NOT NULL UNIQUE CHECK (length(public_key) = 65),
  reason INTEGER NOT NULL CHECK (reason IN (0, 1, 3, 4, 5, 9)),
  note TEXT NOT NULL CHECK (length(CAST(note AS BLOB)) <= 200),
  revoked_by TEXT NOT NULL,
  revoked_unix_s INTEGER NOT NULL
) STRICT;
CREATE TABLE updates (
  round INTEGER NOT NULL REFERENCES rounds (id),
  device TEXT NOT NULL REFERENCES devices (name),
  digest BLOB NOT NULL CHECK (length(digest) = 32),
  sealed BLOB,
  sealed_bytes INTEGER NOT NULL,
  sample_count INTEGER NOT NULL CHECK (sample_count >= 1),
  loss_q16 INTEGER NOT NULL, left_out INTEGER NOT NULL DEFAULT 0 CHECK (left_out IN (0, 1)),
  PRIMARY KEY (round, device)
) STRICT;
INSERT INTO devices
  VALUES ('a', x'010203', CAST(printf('%065d', 1) AS BLOB), 77, 500, 2, 'uid 7 (keeper)', 2),
         ('b', x'040506', CAST(printf('%065d', 2) AS BLOB), 78, 501, 2, 'uid 7 (keeper)', 2);
INSERT INTO refusals VALUES ('a', 2, 3, 400);
INSERT INTO revocation_list VALUES (4);
INSERT INTO revocations VALUES (6, 'b', x'040506', CAST(printf('%065d', 2) AS BLOB), 1, 'stolen',
                                'uid 8', 502);
INSERT INTO updates VALUES (1, 'a', zeroblob(32), NULL, 4, 10, 100, 0),
                           (1, 'b', zeroblob(32), NULL, 4, 10, 100, 0),
                           (2, 'a', zeroblob(32), x'01', 1, 10, 100, 0),
                           (2, 'b', zeroblob(32), NULL, 1, 10, 100, 1);
)sql";

// And version 3, with the audit log and one record in it.
constexpr const char* kVersion3 = R"sql(
PRAGMA user_version = 3;
CREATE TABLE audit (
  number INTEGER PRIMARY KEY CHECK (number >= 1),
  unix_s INTEGER NOT NULL,
  event INTEGER NOT NULL,
  actor_kind INTEGER NOT NULL,
  actor TEXT NOT NULL,
  origin TEXT NOT NULL,
  subject TEXT NOT NULL,
  value_before TEXT NOT NULL,
  value_after TEXT NOT NULL,
  hash BLOB NOT NULL CHECK (length(hash) = 32)
) STRICT;
CREATE TABLE audit_heads (
  number INTEGER PRIMARY KEY REFERENCES audit (number),
  unix_s INTEGER NOT NULL,
  hash BLOB NOT NULL CHECK (length(hash) = 32),
  signature BLOB NOT NULL CHECK (length(signature) = 64)
) STRICT;
INSERT INTO audit VALUES (1, 5, 11, 1, 'skepd', '', 'gateway', '', 'started', zeroblob(32));
)sql";

class Migration : public testing::Test {
 protected:
  Migration() { EXPECT_EQ(seal::initialize_crypto(), Status::kOk); }

  [[nodiscard]] std::filesystem::path path() const { return folder_ / "skep.db"; }

  void make_database(const char* version, const char* addition = "") const {
    sqlite3* database = nullptr;
    EXPECT_EQ(sqlite3_open(path().c_str(), &database), SQLITE_OK);
    for (const char* sql : {kTablesSince1, version, addition}) {
      EXPECT_EQ(sqlite3_exec(database, sql, nullptr, nullptr, nullptr), SQLITE_OK)
          << sqlite3_errmsg(database);
    }
    sqlite3_close(database);
  }

  /// What both versions had.
  static void expect_kept(Store& store) {
    EXPECT_EQ(store.federation(), kFederation);
    EXPECT_EQ(store.model_name(), "digits");
    EXPECT_FALSE(store.device("a")->revoked);
    EXPECT_EQ(store.device("a")->accepted, 2U);
    EXPECT_EQ(store.device("a")->added_unix_s, 77);
    EXPECT_EQ(store.device("a")->last_seen_unix_s, 500);
    EXPECT_TRUE(store.device("b")->revoked);
    ASSERT_EQ(store.revocations().size(), 1U);
    EXPECT_EQ(store.revocations()[0].note, "stolen");
    EXPECT_EQ(store.revocations()[0].certificate_der, (std::vector<std::uint8_t>{4, 5, 6}));
    EXPECT_EQ(store.released_model()->package, std::vector<std::uint8_t>{0x2A});
    EXPECT_EQ(store.open_round()->plan, std::vector<std::uint8_t>{9});
    EXPECT_EQ(store.update_devices(2), std::vector<std::string>{"a"});
    EXPECT_EQ(store.update("a", 2)->sealed, std::vector<std::uint8_t>{1});
    EXPECT_TRUE(store.update("b", 2)->sealed.empty());
    EXPECT_EQ(store.round(1)->totals.received, 2U);
    EXPECT_EQ(store.last_round_id(), 2U);
    EXPECT_EQ(store.last_model_version(), 1U);
    EXPECT_EQ(store.model_version_floor(), 0U);
  }

  /// All that is new can be written.
  static void expect_usable(Store& store) {
    Device c{.name = "c", .certificate_der = {1}, .public_key = {'c'}, .added_by = "uid 9"};
    store.add_device(c);
    store.insert_update(
        {.device = "c", .round = 2, .digest = {5}, .sealed = {1}, .sample_count = 10}, 1);
    store.count_refusal("c", Status::kMalformed, 2);
    store.revoke_device({.device = "a", .revoked_by = "uid 9"});
    store.append_audit({.unix_s = 1});
    EXPECT_EQ(store.update_devices(2), std::vector<std::string>{"c"});
    store.add_token(
        {.id = "0123456789abcdef", .made_unix_s = 1, .made_by = "uid 9", .expires_unix_s = 9});
    store.renew_certificate("c", std::vector<std::uint8_t>{2}, {'d'}, 3);
    store.use_next_certificate("c", "c", 4);
    EXPECT_EQ(store.device("c")->certificate_der, std::vector<std::uint8_t>{2});
  }

  pki_testing::TemporaryDirectory folder_;
};

TEST_F(Migration, FromVersion1) {
  make_database(kVersion1);
  {
    Store store = Store::open(path());
    expect_kept(store);
    EXPECT_EQ(store.device("a")->added_by, "unknown");
    EXPECT_EQ(store.revocations()[0].reason, RevocationReason::kUnspecified);
    EXPECT_EQ(store.revocations()[0].revoked_by, "unknown");
    EXPECT_TRUE(store.refusals("a").empty());
    EXPECT_EQ(store.next_crl_number(), 1U);
    EXPECT_EQ(store.last_audit_number(), 0);
    expect_usable(store);
  }
  Store again = Store::open(path());
  EXPECT_EQ(again.revocations().size(), 3U);
  EXPECT_EQ(again.last_audit_number(), 1);
}

TEST_F(Migration, FromVersion2) {
  make_database(kVersion2);
  {
    Store store = Store::open(path());
    expect_kept(store);
    EXPECT_EQ(store.device("a")->added_by, "uid 7 (keeper)");
    EXPECT_EQ(store.last_revocation(), 6);
    EXPECT_EQ(store.revocations()[0].reason, RevocationReason::kKeyCompromise);
    EXPECT_EQ(store.revocations()[0].revoked_by, "uid 8");
    EXPECT_EQ(store.revocations()[0].revoked_unix_s, 502);
    ASSERT_EQ(store.refusals("a").size(), 1U);
    EXPECT_EQ(store.refusals("a")[0].count, 3U);
    EXPECT_EQ(store.next_crl_number(), 5U);
    EXPECT_EQ(store.last_audit_number(), 0);
    expect_usable(store);
  }
  Store again = Store::open(path());
  EXPECT_EQ(again.revocations().size(), 3U);
  EXPECT_EQ(again.last_audit_number(), 1);
}

TEST_F(Migration, FromVersion3) {
  make_database(kVersion2, kVersion3);
  Store store = Store::open(path());
  expect_kept(store);
  EXPECT_TRUE(store.device("a")->next_certificate_der.empty());
  EXPECT_EQ(store.device("a")->renewed_unix_s, 0);
  EXPECT_TRUE(store.tokens().empty());
  EXPECT_EQ(store.last_audit_number(), 1);
  expect_usable(store);
  EXPECT_EQ(store.last_audit_number(), 2);
}

TEST_F(Migration, HappensOnceWhenSeveralOpenAtOnce) {
  make_database(kVersion1);
  std::vector<std::thread> threads;
  threads.reserve(4);
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([this] {
      try {
        Store::open(path()).append_audit({.unix_s = 1});
      } catch (const std::exception& error) {
        ADD_FAILURE() << error.what();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  Store store = Store::open(path());
  expect_kept(store);
  EXPECT_EQ(store.last_audit_number(), 4);
}

}  // namespace
}  // namespace skep::store

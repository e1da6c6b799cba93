#include "skep/store/store.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <random>
#include <thread>

#include "skep/pki_testing/temporary_directory.h"

namespace skep::store {
namespace {

constexpr FederationId kFederation{1, 2, 3, 4, 5, 6, 7, 8};

class StoreTest : public ::testing::Test {
 protected:
  [[nodiscard]] std::filesystem::path path() const { return folder_ / "skep.db"; }

  static Device make_device(const std::string& name) {
    Device device{
        .name = name, .certificate_der = {1, 2, 3}, .public_key = {}, .added_by = "admin"};
    std::copy(name.begin(), name.end(), device.public_key.begin());
    device.added_unix_s = 77;
    return device;
  }
  static Revocation make_revocation(const std::string& device) {
    return {.device = device,
            .reason = RevocationReason::kKeyCompromise,
            .note = "stolen",
            .revoked_by = "admin",
            .revoked_unix_s = 99};
  }
  /// In a child: revokes "n<first>" … and writes a byte after each.
  [[noreturn]] void revoke_from(int first, int end, int pipe) const {
    Store store = Store::open(path());
    for (int i = first; i < end; ++i) {
      store.revoke_device(make_revocation("n" + std::to_string(i)));
      if (::write(pipe, "", 1) != 1) ::_exit(1);
    }
    ::_exit(0);
  }
  static Round make_round(std::uint32_t id) {
    Round round;
    round.id = id;
    round.plan = {9, 9};
    round.signature.assign(64, 7);
    round.base_version = 1;
    round.opened_unix_s = 100;
    round.deadline_unix_s = 200;
    return round;
  }
  static StoredUpdate make_update(const std::string& device, std::uint32_t round) {
    return {.device = device,
            .round = round,
            .digest = {5},
            .sealed = {1, 2, 3, 4},
            .sample_count = 10,
            .loss_q16 = 100};
  }
  /// With model 1, open round 1, and devices a and b.
  Store make_store() {
    Store store = Store::create(path(), kFederation, "digits");
    store.insert_model({.version = 1, .package = {42}});
    store.insert_round(make_round(1));
    store.add_device(make_device("a"));
    store.add_device(make_device("b"));
    return store;
  }
  void execute(const char* sql) {
    sqlite3* database = nullptr;
    ASSERT_EQ(sqlite3_open(path().c_str(), &database), SQLITE_OK);
    EXPECT_EQ(sqlite3_exec(database, sql, nullptr, nullptr, nullptr), SQLITE_OK);
    sqlite3_close(database);
  }

  pki_testing::TemporaryDirectory folder_;
};

template <typename Call>
Status error_of(Call call) {
  try {
    call();
  } catch (const StoreError& error) {
    EXPECT_STRNE(error.what(), "");
    return error.status();
  }
  return Status::kOk;
}

TEST_F(StoreTest, CreatedFileIsPrivateAndDurable) {
  { const Store store = Store::create(path(), kFederation, "digits"); }
  struct stat info {};
  ASSERT_EQ(::stat(path().c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777U, 0600U);
  const Store store = Store::open(path());
  EXPECT_EQ(store.federation(), kFederation);
  EXPECT_EQ(store.model_name(), "digits");
}

TEST_F(StoreTest, CreateRefusesAnExistingFileAndBadNames) {
  { const Store store = Store::create(path(), kFederation, "digits"); }
  EXPECT_EQ(error_of([&] { Store::create(path(), kFederation, "digits"); }),
            Status::kInvalidArgument);
  EXPECT_EQ(Store::open(path()).model_name(), "digits");
  EXPECT_EQ(error_of([&] { Store::create(folder_ / "x.db", kFederation, "No Name"); }),
            Status::kInvalidArgument);
  EXPECT_FALSE(std::filesystem::exists(folder_ / "x.db"));
}

TEST_F(StoreTest, OpenRefusesWhatIsNotOurs) {
  EXPECT_EQ(error_of([&] { Store::open(path()); }), Status::kNotFound);
  execute("CREATE TABLE t (x)");
  EXPECT_EQ(error_of([&] { Store::open(path()); }), Status::kMalformed);
}

TEST_F(StoreTest, OpenRefusesAnotherSchemaNamingBoth) {
  { const Store store = Store::create(path(), kFederation, "digits"); }
  execute("PRAGMA user_version = 99");
  try {
    Store::open(path());
    FAIL();
  } catch (const StoreError& error) {
    EXPECT_EQ(error.status(), Status::kUnsupportedVersion);
    EXPECT_NE(std::string(error.what()).find("99"), std::string::npos);
    EXPECT_NE(std::string(error.what()).find("knows 1 to 4"), std::string::npos);
  }
}

TEST_F(StoreTest, Devices) {
  Store store = make_store();
  EXPECT_EQ(store.device("a")->certificate_der, (std::vector<std::uint8_t>{1, 2, 3}));
  EXPECT_EQ(store.device("a")->added_unix_s, 77);
  EXPECT_FALSE(store.device("c"));
  EXPECT_EQ(error_of([&] { store.add_device(make_device("a")); }), Status::kInvalidArgument);
  EXPECT_EQ(error_of([&] { store.add_device(make_device("UPPER")); }), Status::kInvalidArgument);
  Device same_key = make_device("c");
  same_key.public_key = make_device("a").public_key;
  EXPECT_EQ(error_of([&] { store.add_device(same_key); }), Status::kStorageFailed);
  EXPECT_EQ(store.devices().size(), 2U);
}

TEST_F(StoreTest, ARevocationIsRecordedOnce) {
  Store store = make_store();
  EXPECT_EQ(store.last_revocation(), 0);
  store.revoke_device(make_revocation("a"));
  Revocation again = make_revocation("a");
  again.note = "again";
  EXPECT_EQ(error_of([&] { store.revoke_device(again); }), Status::kInvalidArgument);
  EXPECT_EQ(error_of([&] { store.revoke_device(make_revocation("c")); }), Status::kNotFound);

  EXPECT_TRUE(store.device("a")->revoked);
  EXPECT_FALSE(store.device("b")->revoked);
  EXPECT_EQ(store.device_count(), 1U);
  EXPECT_TRUE(store.is_revoked(make_device("a").public_key));
  EXPECT_FALSE(store.is_revoked(make_device("b").public_key));
  const auto revocations = store.revocations();
  ASSERT_EQ(revocations.size(), 1U);
  EXPECT_EQ(revocations[0].device, "a");
  EXPECT_EQ(revocations[0].reason, RevocationReason::kKeyCompromise);
  EXPECT_EQ(revocations[0].note, "stolen");
  EXPECT_EQ(revocations[0].revoked_by, "admin");
  EXPECT_EQ(revocations[0].revoked_unix_s, 99);
  EXPECT_EQ(revocations[0].certificate_der, (std::vector<std::uint8_t>{1, 2, 3}));
}

TEST_F(StoreTest, ARevocationSaysWhoAndHasABoundedNote) {
  Store store = make_store();
  for (const std::string& note : {std::string(kMaxNoteBytes + 1, 'x'), std::string("two\nlines")}) {
    Revocation bad = make_revocation("a");
    bad.note = note;
    EXPECT_EQ(error_of([&] { store.revoke_device(bad); }), Status::kInvalidArgument);
  }
  Revocation nobody = make_revocation("a");
  nobody.revoked_by = "";
  EXPECT_EQ(error_of([&] { store.revoke_device(nobody); }), Status::kInvalidArgument);
  EXPECT_FALSE(store.device("a")->revoked);

  Revocation longest = make_revocation("a");
  longest.note.assign(kMaxNoteBytes, 'x');
  store.revoke_device(longest);
  EXPECT_EQ(store.revocations("a").at(0).note, longest.note);
}

TEST_F(StoreTest, ARevokedNameComesBackWithAnotherKeyOnly) {
  Store store = make_store();
  store.insert_update(make_update("a", 1), 555);
  store.revoke_device(make_revocation("a"));
  const std::int64_t first = store.last_revocation();
  EXPECT_EQ(error_of([&] { store.add_device(make_device("a")); }), Status::kInvalidArgument);
  Device stolen_key = make_device("a");
  stolen_key.name = "c";
  EXPECT_EQ(error_of([&] { store.add_device(stolen_key); }), Status::kInvalidArgument);

  Device anew = make_device("a");
  anew.public_key[64] = 1;
  anew.added_unix_s = 1000;
  store.add_device(anew);
  EXPECT_FALSE(store.device("a")->revoked);
  EXPECT_EQ(store.device("a")->added_unix_s, 1000);
  EXPECT_EQ(store.device("a")->accepted, 1U);  // its counts go on
  EXPECT_TRUE(store.is_revoked(make_device("a").public_key));
  // What the old key sent does not come back with the name, and the round stays answered.
  EXPECT_EQ(store.update_count(1), 0U);
  EXPECT_EQ(error_of([&] { store.insert_update(make_update("a", 1), 556); }),
            Status::kAlreadyAnswered);

  store.revoke_device(make_revocation("a"));
  EXPECT_GT(store.last_revocation(), first);
  EXPECT_EQ(store.revocations("a").size(), 2U);
  EXPECT_TRUE(store.revocations("b").empty());
}

TEST_F(StoreTest, RefusalsAreCountedByDeviceAndReason) {
  Store store = make_store();
  for (int i = 1; i <= 3; ++i) store.count_refusal("a", Status::kNormExceeded, i);
  store.count_refusal("a", Status::kMalformed, 9);
  store.count_refusal("nobody", Status::kMalformed, 9);
  const auto refusals = Store::open(path()).refusals("a");
  ASSERT_EQ(refusals.size(), 2U);
  for (const Refusals& each : refusals) {
    const bool norm = each.status == Status::kNormExceeded;
    EXPECT_EQ(each.count, norm ? 3U : 1U);
    EXPECT_EQ(each.last_unix_s, norm ? 3 : 9);
  }
  EXPECT_TRUE(store.refusals("b").empty());
  EXPECT_TRUE(store.refusals("nobody").empty());
}

TEST_F(StoreTest, NumbersOfRevocationListsOnlyRise) {
  Store store = make_store();
  EXPECT_EQ(store.next_crl_number(), 1U);
  EXPECT_EQ(store.next_crl_number(), 2U);
  EXPECT_EQ(Store::open(path()).next_crl_number(), 3U);
}

// Killed while it revokes one device after the other: each that was acknowledged is revoked, and
// a revocation and what it does to the open round are one.
TEST_F(StoreTest, ARevocationSurvivesSigkillWhole) {
  constexpr int kDevices = 200;
  {
    Store store = make_store();
    Transaction transaction(store);
    for (int i = 0; i < kDevices; ++i) {
      store.add_device(make_device("n" + std::to_string(i)));
      store.insert_update(make_update("n" + std::to_string(i), 1), 1);
    }
    transaction.commit();
  }
  int revoked_in_all = 0;
  std::mt19937 random(7);
  while (revoked_in_all < kDevices) {
    int ends[2];
    ASSERT_EQ(::pipe(ends), 0);
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) revoke_from(revoked_in_all, kDevices, ends[1]);
    ::close(ends[1]);
    int acknowledged = revoked_in_all;
    char byte = 0;
    const int most = static_cast<int>(random() % 40);
    for (int i = 0; i < most && ::read(ends[0], &byte, 1) == 1; ++i) ++acknowledged;
    ::kill(child, SIGKILL);
    while (::read(ends[0], &byte, 1) == 1) ++acknowledged;
    ::close(ends[0]);
    ASSERT_EQ(::waitpid(child, nullptr, 0), child);

    Store store = Store::open(path());
    revoked_in_all = static_cast<int>(store.revocations().size());
    EXPECT_GE(revoked_in_all, acknowledged);
    EXPECT_EQ(store.update_count(1), static_cast<unsigned>(kDevices - revoked_in_all));
    for (int i = 0; i < kDevices; ++i) {
      const auto update = store.update("n" + std::to_string(i), 1);
      ASSERT_EQ(update->sealed.empty(), i < revoked_in_all) << i;
      ASSERT_EQ(store.device("n" + std::to_string(i))->revoked, i < revoked_in_all) << i;
    }
  }
}

TEST_F(StoreTest, ModelVersionsOnlyRise) {
  Store store = make_store();
  EXPECT_EQ(error_of([&] { store.insert_model({.version = 1, .package = {}}); }),
            Status::kInvalidArgument);
  store.insert_model({.version = 2, .state = Model::kRejected, .package = {2}});
  EXPECT_EQ(store.released_model()->version, 1U);
  EXPECT_EQ(store.last_model_version(), 2U);
  store.insert_model({.version = 3, .rolls_back_to = 1, .round = 1, .package = {3}});
  const auto released = store.released_model();
  EXPECT_EQ(released->version, 3U);
  EXPECT_EQ(released->rolls_back_to, 1U);
  EXPECT_EQ(released->package, std::vector<std::uint8_t>{3});
  EXPECT_EQ(store.models().size(), 3U);
  EXPECT_FALSE(store.model(4));
}

TEST_F(StoreTest, OneRoundIsOpenAtATime) {
  Store store = make_store();
  EXPECT_EQ(error_of([&] { store.insert_round(make_round(2)); }), Status::kInvalidArgument);
  EXPECT_EQ(error_of([&] { store.insert_round(make_round(1)); }), Status::kInvalidArgument);
  EXPECT_EQ(error_of([&] { store.begin_aggregation(2); }), Status::kWrongRound);
  store.begin_aggregation(1);
  EXPECT_EQ(error_of([&] { store.begin_aggregation(1); }), Status::kWrongRound);
  EXPECT_EQ(store.open_round()->state, RoundState::kAggregating);
  EXPECT_EQ(store.open_round()->plan, (std::vector<std::uint8_t>{9, 9}));
  EXPECT_EQ(error_of([&] { store.insert_round(make_round(2)); }), Status::kInvalidArgument);

  Round closed = make_round(1);
  EXPECT_EQ(error_of([&] { store.close_round(closed); }), Status::kWrongRound);  // state kOpen
  closed.state = RoundState::kReleased;
  closed.version = 1;
  closed.closed_unix_s = 300;
  closed.evaluation_samples = 50;
  closed.evaluation_correct = 40;
  store.close_round(closed);
  EXPECT_EQ(error_of([&] { store.close_round(closed); }), Status::kWrongRound);
  EXPECT_FALSE(store.open_round());
  const auto row = store.round(1);
  EXPECT_EQ(row->state, RoundState::kReleased);
  EXPECT_EQ(row->version, 1U);
  EXPECT_EQ(row->closed_unix_s, 300);
  EXPECT_EQ(row->evaluation_correct, 40U);
  EXPECT_EQ(store.aggregated_rounds(), 1U);
  store.insert_round(make_round(2));
  EXPECT_EQ(store.last_round_id(), 2U);
}

TEST_F(StoreTest, UpdatesAreUniqueByDeviceAndRound) {
  Store store = make_store();
  store.insert_update(make_update("a", 1), 555);
  EXPECT_EQ(store.device("a")->last_seen_unix_s, 555);
  EXPECT_EQ(store.device("a")->last_round, 1U);
  EXPECT_EQ(error_of([&] { store.insert_update(make_update("a", 1), 556); }),
            Status::kAlreadyAnswered);
  EXPECT_EQ(error_of([&] { store.insert_update(make_update("a", 2), 556); }), Status::kWrongRound);
  EXPECT_EQ(error_of([&] { store.insert_update(make_update("c", 1), 556); }), Status::kRevoked);
  store.revoke_device(make_revocation("b"));
  EXPECT_EQ(error_of([&] { store.insert_update(make_update("b", 1), 556); }), Status::kRevoked);
  EXPECT_EQ(store.device("a")->last_seen_unix_s, 555);
  EXPECT_EQ(store.update_digest("a", 1), Digest{5});
  EXPECT_FALSE(store.update_digest("b", 1));
  EXPECT_EQ(store.update("a", 1)->sealed, (std::vector<std::uint8_t>{1, 2, 3, 4}));
}

TEST_F(StoreTest, ClosingErasesTheSealedBytesAndFreezesTheTotals) {
  Store store = make_store();
  store.insert_update(make_update("b", 1), 1);
  auto second = make_update("a", 1);
  second.sample_count = 30;
  second.loss_q16 = 300;
  store.insert_update(second, 1);
  EXPECT_EQ(store.update_devices(1), (std::vector<std::string>{"a", "b"}));
  store.add_traffic(1, 3, 1000);
  store.add_traffic(1, 1, 1);

  Round closed = make_round(1);
  closed.state = RoundState::kAbandoned;
  store.close_round(closed);
  EXPECT_TRUE(store.update("a", 1)->sealed.empty());
  EXPECT_EQ(store.update("a", 1)->digest, Digest{5});
  store.revoke_device(make_revocation("a"));
  const Round row = store.rounds().at(0);
  EXPECT_EQ(row.totals.received, 2U);
  EXPECT_EQ(row.totals.bytes_up, 8U);
  EXPECT_EQ(row.totals.loss_q16, 250U);  // (10 * 100 + 30 * 300) / 40
  EXPECT_EQ(row.refused, 4U);
  EXPECT_EQ(row.bytes_down, 1001U);
}

TEST_F(StoreTest, RevokedDevicesDoNotCountInTheOpenRound) {
  Store store = make_store();
  store.insert_update(make_update("a", 1), 1);
  store.insert_update(make_update("b", 1), 1);
  store.revoke_device(make_revocation("a"));
  EXPECT_EQ(store.update_count(1), 1U);
  EXPECT_EQ(store.update_devices(1), std::vector<std::string>{"b"});
  EXPECT_EQ(store.round(1)->totals.received, 1U);
}

TEST_F(StoreTest, MeanLossOfExtremeUpdatesIsExact) {
  Store store = make_store();
  for (int i = 0; i < 300; ++i) {  // SQLite's own sum() would overflow after 128.
    const std::string name = "n" + std::to_string(i);
    store.add_device(make_device(name));
    auto update = make_update(name, 1);
    update.sample_count = wire::kMaxSampleCount;
    update.loss_q16 = UINT32_MAX;
    store.insert_update(update, 1);
  }
  EXPECT_EQ(store.round(1)->totals.loss_q16, UINT32_MAX);
}

TEST_F(StoreTest, TransactionWithoutCommitLeavesNothing) {
  Store store = make_store();
  {
    Transaction transaction(store);
    store.add_device(make_device("c"));
    store.insert_update(make_update("c", 1), 1);
    EXPECT_TRUE(store.device("c"));
  }
  EXPECT_FALSE(store.device("c"));
  EXPECT_EQ(store.update_count(1), 0U);
}

TEST_F(StoreTest, FailedCallInsideATransactionUndoesOnlyItself) {
  Store store = make_store();
  {
    Transaction transaction(store);
    store.insert_update(make_update("a", 1), 1);
    EXPECT_EQ(error_of([&] { store.insert_update(make_update("a", 1), 2); }),
              Status::kAlreadyAnswered);
    store.insert_update(make_update("b", 1), 3);
    transaction.commit();
  }
  EXPECT_EQ(store.update_count(1), 2U);
  EXPECT_EQ(store.device("a")->last_seen_unix_s, 1);
}

TEST_F(StoreTest, ReadTransactionSeesOneMoment) {
  Store reader = make_store();
  Store writer = Store::open(path());
  Transaction snapshot(reader, Transaction::Kind::kRead);
  EXPECT_EQ(reader.device_count(), 2U);
  writer.add_device(make_device("c"));
  EXPECT_EQ(reader.device_count(), 2U);
  snapshot.commit();
  EXPECT_EQ(reader.device_count(), 3U);
}

TEST_F(StoreTest, WritersWaitForEachOther) {
  Store first = make_store();
  constexpr int kThreads = 4;
  constexpr int kEach = 25;
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([this, t] {
      Store store = Store::open(path());
      for (int i = 0; i < kEach; ++i) {
        store.add_device(make_device("t" + std::to_string(t) + "-" + std::to_string(i)));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(first.device_count(), 2U + kThreads * kEach);
}

}  // namespace
}  // namespace skep::store

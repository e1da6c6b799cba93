// Backups while others write, and what a restore makes of them.
#include <gtest/gtest.h>
#include <sqlite3.h>
#include <sys/stat.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>

#include "skep/pki_testing/temporary_directory.h"
#include "skep/seal/crypto.h"
#include "skep/store/store.h"

namespace skep::store {
namespace {

constexpr FederationId kFederation{1, 2, 3, 4, 5, 6, 7, 8};
constexpr std::int64_t kBackedUpAt = 5000;
constexpr std::uint32_t kStep = 1 << 20;  // That a restore leaves free.
const audit::Actor kWho{.kind = audit::ActorKind::kOperator, .name = "uid 7", .origin = "x"};

class Backup : public testing::Test {
 protected:
  Backup() {
    EXPECT_EQ(seal::initialize_crypto(), Status::kOk);
    Store store = Store::create(path(), kFederation, "digits");
    store.insert_model({.version = 3, .package = {42}});
    store.insert_round({.id = 9, .plan = {1}, .signature = Signature(64), .base_version = 3});
    store.add_device({.name = "bee", .certificate_der = {1}, .public_key = {4}});
    store.insert_update(
        {.device = "bee", .round = 9, .digest = {}, .sealed = {7}, .sample_count = 1}, 4000);
    EXPECT_EQ(store.next_crl_number(), 1U);
  }

  using Signature = std::vector<std::uint8_t>;

  [[nodiscard]] std::filesystem::path path() const { return folder_ / "skep.db"; }
  [[nodiscard]] std::filesystem::path copy() const { return folder_ / "copy"; }
  [[nodiscard]] std::filesystem::path restored() const { return folder_ / "restored.db"; }
  [[nodiscard]] Snapshot back_up() const {
    return Store::open(path()).back_up(copy(), kWho, kBackedUpAt);
  }
  [[nodiscard]] std::size_t files() const {
    return static_cast<std::size_t>(
        std::distance(std::filesystem::directory_iterator(folder_.path()), {}));
  }
  /// kOk if there was no error.
  template <typename Function>
  static Status status_of(Function function) {
    try {
      function();
    } catch (const StoreError& error) {
      return error.status();
    }
    return Status::kOk;
  }

  pki_testing::TemporaryDirectory folder_;
};

TEST_F(Backup, IsOnePrivateFileThatNoGatewayGoesOnWith) {
  const Snapshot made = back_up();
  EXPECT_EQ(files(), 2U) << "the database and its copy";
  struct stat info {};
  ASSERT_EQ(::stat(copy().c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777U, 0600U);
  EXPECT_EQ(made.schema_version, kSchemaVersion);
  EXPECT_EQ(made.model_version, 3U);
  EXPECT_EQ(made.last_round, 9U);
  EXPECT_EQ(made.audit_number, 1);
  EXPECT_EQ(made.audit_unix_s, kBackedUpAt);

  EXPECT_EQ(status_of([&] { Store::open(copy()); }), Status::kMalformed);
  EXPECT_EQ(status_of([&] { Store::open_backup(path()); }), Status::kMalformed);
  Store backup = Store::open_backup(copy());
  backup.check_integrity();
  EXPECT_EQ(backup.federation(), kFederation);
  EXPECT_EQ(backup.released_model()->package, std::vector<std::uint8_t>{42});

  const auto record = Store::open(path()).audit_records(0, 10).at(0);
  EXPECT_EQ(record.entry.event, audit::Event::kDatabaseBackedUp);
  EXPECT_EQ(record.entry.actor.name, "uid 7");
  EXPECT_EQ(record.entry.after, "to " + copy().string());
  // Not overwritten, and not recorded.
  EXPECT_EQ(status_of([&] { (void)back_up(); }), Status::kInvalidArgument);
  EXPECT_EQ(Store::open(path()).last_audit_number(), 1);
}

TEST_F(Backup, IsConsistentWhileOthersWrite) {
  std::atomic<bool> stop = false;
  std::atomic<int> written = 0;
  std::thread writer([&] {
    Store store = Store::open(path());
    for (int i = 0; !stop; ++i) {
      // Either both or none.
      Transaction transaction(store);
      Device device{.name = "d" + std::to_string(i), .certificate_der = {1}, .public_key = {}};
      std::copy(device.name.begin(), device.name.end(), device.public_key.begin());
      store.add_device(device);
      store.append_audit({.unix_s = 1, .event = audit::Event::kDeviceAdded});
      transaction.commit();
      ++written;
    }
  });
  for (int i = 0; i < 3; ++i) {
    const int before = written;
    Store store = Store::open(path());
    const std::filesystem::path file = folder_ / ("copy" + std::to_string(i));
    const Snapshot made = store.back_up(file, kWho, kBackedUpAt);
    Store backup = Store::open_backup(file);
    backup.check_integrity();
    const auto devices = static_cast<std::int64_t>(backup.device_count()) - 1;  // without bee
    EXPECT_EQ(made.audit_number, devices + i + 1);
    EXPECT_GE(devices, before);
    while (written < before + 3) std::this_thread::yield();
  }
  stop = true;
  writer.join();
}

TEST_F(Backup, NoTokenIsValidInWhatIsRestored) {
  Store::open(path()).add_token({.id = "0123456789abcdef",
                                 .made_unix_s = kBackedUpAt,
                                 .made_by = "uid 7",
                                 .expires_unix_s = kBackedUpAt + 1000});
  (void)back_up();
  Store::restore(copy(), restored(), kWho, kBackedUpAt + 100);
  EXPECT_FALSE(Store::open(restored()).token("0123456789abcdef")->is_valid(kBackedUpAt + 100));
}

TEST_F(Backup, RestoredItGoesOnAboveWhatDevicesCanKnow) {
  (void)back_up();
  Store::restore(copy(), restored(), kWho, kBackedUpAt + 100);
  EXPECT_EQ(files(), 3U);
  Store store = Store::open(restored());
  EXPECT_EQ(store.model_version_floor(), 3 + kStep + 100);
  EXPECT_EQ(store.last_model_version(), 3 + kStep + 100);
  EXPECT_EQ(store.last_round_id(), 9 + kStep + 100);
  EXPECT_EQ(store.next_crl_number(), 2U + kStep + 100);
  EXPECT_EQ(store.released_model()->version, 3U) << "until a gateway releases it anew";
  EXPECT_EQ(store.device("bee")->last_round, 9U);
  const auto record = store.audit_records(0, 1).at(0);
  EXPECT_EQ(record.entry.event, audit::Event::kDatabaseRestored);
  EXPECT_EQ(record.number, 2);

  EXPECT_EQ(status_of([&] { store.insert_model({.version = 4, .package = {1}}); }),
            Status::kInvalidArgument);
  store.insert_model({.version = store.last_model_version() + 1, .package = {1}});
  EXPECT_GT(store.released_model()->version, store.model_version_floor());
}

TEST_F(Backup, AClockThatWentBackStillLeavesRoom) {
  (void)back_up();
  Store::restore(copy(), restored(), kWho, 0);
  EXPECT_EQ(Store::open(restored()).last_round_id(), 9 + kStep);
  // One that runs into the next century does not.
  EXPECT_EQ(status_of([&] {
              Store::restore(copy(), folder_ / "other.db", kWho, kBackedUpAt + UINT32_MAX);
            }),
            Status::kTooLarge);
  EXPECT_EQ(files(), 3U);
}

TEST_F(Backup, RestoreTouchesNothingThatIsThere) {
  (void)back_up();
  EXPECT_EQ(status_of([&] { Store::restore(copy(), path(), kWho, 1); }), Status::kInvalidArgument);
  // The log of another database would be taken for the restored one's.
  std::ofstream(restored().string() + "-wal") << "x";
  EXPECT_EQ(status_of([&] { Store::restore(copy(), restored(), kWho, 1); }),
            Status::kInvalidArgument);
  EXPECT_FALSE(std::filesystem::exists(restored()));
  EXPECT_EQ(Store::open(path()).model_version_floor(), 0U);
}

TEST_F(Backup, DamageIsFound) {
  (void)back_up();
  {
    std::fstream file(copy(), std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(4096 + 3);  // The number of cells of the second page.
    file.write("\xFF\xFF", 2);
  }
  EXPECT_NE(status_of([&] { Store::open_backup(copy()).check_integrity(); }), Status::kOk);
}

}  // namespace
}  // namespace skep::store

// kill -9 at any moment: what was done is in the audit log, and nothing is there that was not.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <random>
#include <string>
#include <thread>

#include "skep/audit/operator.h"
#include "skep/pki_testing/temporary_directory.h"
#include "skep/seal/crypto.h"
#include "skep/store/store.h"

namespace skep::store {
namespace {

constexpr int kKills = 25;
constexpr std::uint32_t kMostBeforeKill = 12;

std::string name_of(std::uint32_t i) { return "bee-" + std::to_string(i); }

audit::Entry entry_of(audit::Event event, const std::string& device) {
  return {.unix_s = 1,
          .event = event,
          .actor = audit::operator_of(0, "skepctl"),
          .subject = device,
          .after = "x"};
}

/// In the child: enrols one device after the other, revokes every fourth, signs a head now and
/// then, and tells the pipe.
[[noreturn]] void enrol(const std::filesystem::path& path, const seal::SigningKey& key, int pipe) {
  Store store = Store::open(path);
  for (;;) {
    const auto i = static_cast<std::uint32_t>(store.devices().size());
    Device device{.name = name_of(i), .certificate_der = {1}, .public_key = {}};
    std::copy(device.name.begin(), device.name.end(), device.public_key.begin());
    {
      Transaction transaction(store);
      store.add_device(device);
      store.append_audit(entry_of(audit::Event::kDeviceAdded, device.name));
      transaction.commit();
    }
    if (i % 4 == 3) {
      Transaction transaction(store);
      store.revoke_device({.device = device.name, .revoked_by = "uid 0"});
      store.append_audit(entry_of(audit::Event::kDeviceRevoked, device.name));
      transaction.commit();
    }
    if (i % 3 == 0) store.sign_audit_head(key, 2);
    if (::write(pipe, "x", 1) != 1) ::_exit(1);
  }
}

TEST(AuditKillTest, NeitherIsThereWithoutTheOther) {
  ASSERT_EQ(seal::initialize_crypto(), Status::kOk);
  const pki_testing::TemporaryDirectory folder;
  const std::filesystem::path path = folder / "skep.db";
  Store::create(path, {1}, "digits");
  const seal::SigningKey key = *seal::SigningKey::generate();
  const auto verifying_key = *seal::VerifyingKey::from_bytes(*key.public_key());

  std::mt19937 random(20240502);
  std::uint32_t told = 0;
  for (int kill = 0; kill < kKills; ++kill) {
    int ends[2];
    ASSERT_EQ(::pipe(ends), 0);
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      ::close(ends[0]);
      enrol(path, key, ends[1]);
    }
    ::close(ends[1]);
    // By the child's progress first and then by the clock, to hit everywhere on any machine.
    char ignored = 0;
    for (auto n = 1 + random() % kMostBeforeKill; n > 0 && ::read(ends[0], &ignored, 1) == 1; --n) {
      ++told;
    }
    std::this_thread::sleep_for(std::chrono::microseconds(random() % 5'000));
    ::kill(child, SIGKILL);
    while (::read(ends[0], &ignored, 1) == 1) ++told;
    ::close(ends[0]);
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFSIGNALED(status));

    Store store = Store::open(path);
    const audit::Report report = store.check_audit(verifying_key, std::nullopt);
    EXPECT_FALSE(report.finding) << report.finding->detail;
    const auto records = store.audit_records(0, UINT32_MAX);
    ASSERT_EQ(records.size(), store.devices().size() + store.revocations().size());
    EXPECT_GE(store.devices().size(), told);
    for (const audit::Record& record : records) {
      const auto device = store.device(record.entry.subject);
      ASSERT_TRUE(device) << record.number;
      if (record.entry.event == audit::Event::kDeviceRevoked) {
        EXPECT_TRUE(device->revoked) << record.number;
      }
    }
  }
  EXPECT_GE(told, static_cast<std::uint32_t>(kKills));
  EXPECT_FALSE(Store::open(path).revocations().empty());
}

}  // namespace
}  // namespace skep::store

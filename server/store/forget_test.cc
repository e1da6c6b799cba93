// A forgotten device: nothing of it is left in the file, and its keys stay shut out.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "skep/pki/certificate.h"
#include "skep/pki/keys.h"
#include "skep/pki_testing/temporary_directory.h"
#include "skep/seal/crypto.h"
#include "skep/store/store.h"

namespace skep::store {
namespace {

constexpr FederationId kFederation{1, 2, 3, 4, 5, 6, 7, 8};

bool contains(const std::filesystem::path& path, const std::string& bytes) {
  std::ifstream file(path, std::ios::binary);
  const std::string content{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  return content.find(bytes) != std::string::npos;
}

class Forget : public testing::Test {
 protected:
  Forget() {
    EXPECT_EQ(seal::initialize_crypto(), Status::kOk);
    Store store = Store::create(path(), kFederation, "digits");
    store.insert_model({.version = 1, .package = {42}});
    store.insert_round(
        {.id = 1, .plan = {1}, .signature = std::vector<std::uint8_t>(64), .base_version = 1});
  }

  [[nodiscard]] std::filesystem::path path() const { return folder_ / "skep.db"; }
  /// Whether any of the database's files has the bytes.
  [[nodiscard]] bool is_on_disk(const std::string& bytes) const {
    return std::ranges::any_of(std::filesystem::directory_iterator(folder_.path()),
                               [&](const auto& entry) { return contains(entry.path(), bytes); });
  }
  [[nodiscard]] pki::Certificate certificate_of(const std::string& name) const {
    return pki::issue_device(ca_, ca_key_, pki::PrivateKey::generate().public_key(), name);
  }
  [[nodiscard]] pki::Certificate enrol(Store& store, const std::string& name) const {
    pki::Certificate certificate = certificate_of(name);
    store.add_device({.name = name,
                      .certificate_der = certificate.der,
                      .public_key = certificate.public_key,
                      .added_by = "uid 7"});
    return certificate;
  }
  static std::string secret_of(const std::string& name) { return "the update of " + name + "."; }
  static void answer(Store& store, const std::string& name) {
    const std::string secret = secret_of(name);
    store.insert_update({.device = name,
                         .round = 1,
                         .digest = {},
                         .sealed = {secret.begin(), secret.end()},
                         .sample_count = 1},
                        100);
  }

  pki_testing::TemporaryDirectory folder_;
  const pki::PrivateKey ca_key_ = pki::PrivateKey::generate();
  const pki::Certificate ca_ = pki::issue_ca(ca_key_, "CA");
};

TEST_F(Forget, LeavesNothingButWhatShutsOut) {
  Store store = Store::open(path());
  const auto first = enrol(store, "bee");
  answer(store, "bee");
  store.count_refusal("bee", Status::kMalformed, 5);
  store.revoke_device({.device = "bee",
                       .reason = RevocationReason::kKeyCompromise,
                       .note = "ticket 4711",
                       .revoked_by = "uid 8",
                       .revoked_unix_s = 50});
  const auto second = enrol(store, "bee");
  const std::int64_t before = store.last_revocation();
  store.forget_device("bee", 60);

  EXPECT_FALSE(store.device("bee"));
  EXPECT_FALSE(store.update("bee", 1));
  EXPECT_TRUE(store.revocations().empty());
  EXPECT_TRUE(store.refusals("bee").empty());
  EXPECT_GT(store.last_revocation(), before) << "sessions are judged anew";
  EXPECT_TRUE(store.is_revoked(first.public_key));
  EXPECT_TRUE(store.is_revoked(second.public_key));
  const auto keys = store.forgotten_keys();
  ASSERT_EQ(keys.size(), 2U);
  EXPECT_EQ(keys[0].serial, first.serial);
  EXPECT_EQ(keys[0].reason, RevocationReason::kKeyCompromise);
  EXPECT_EQ(keys[0].revoked_unix_s, 50);
  EXPECT_EQ(keys[1].serial, second.serial);
  EXPECT_EQ(keys[1].reason, RevocationReason::kCessationOfOperation);
  EXPECT_EQ(keys[1].revoked_unix_s, 60);

  EXPECT_THROW(store.forget_device("bee", 61), StoreError);
  EXPECT_THROW(
      store.add_device({.name = "bee", .certificate_der = {1}, .public_key = first.public_key}),
      StoreError);
  // The name may come back, as one that nobody has heard of; revocations go on rising.
  const auto third = enrol(store, "bee");
  EXPECT_EQ(store.device("bee")->accepted, 0U);
  const std::int64_t forgotten = store.last_revocation();
  store.revoke_device({.device = "bee", .revoked_by = "uid 8"});
  EXPECT_GT(store.last_revocation(), forgotten);
  EXPECT_TRUE(store.is_revoked(third.public_key));
}

TEST_F(Forget, TokensAndRenewedCertificatesGoToo) {
  Store store = Store::open(path());
  store.add_token({.id = "0123456789abcdef",
                   .device = "bee",
                   .allowed_uses = 1,
                   .made_unix_s = 1,
                   .made_by = "uid 7",
                   .expires_unix_s = 99});
  const auto first = enrol(store, "bee");
  store.use_token({.token = "0123456789abcdef",
                   .public_key = first.public_key,
                   .device = "bee",
                   .certificate_der = first.der},
                  2);
  const auto again = pki::issue_device(ca_, ca_key_, first.public_key, "bee");
  store.renew_certificate("bee", again.der, first.public_key, 3);
  const auto next = certificate_of("bee");
  store.renew_certificate("bee", next.der, next.public_key, 4);
  store.forget_device("bee", 60);

  EXPECT_FALSE(store.token("0123456789abcdef"));
  EXPECT_TRUE(store.is_revoked(first.public_key));
  EXPECT_TRUE(store.is_revoked(next.public_key));
  std::vector<std::vector<std::uint8_t>> serials;
  for (const ForgottenKey& key : store.forgotten_keys()) serials.push_back(key.serial);
  EXPECT_THAT(serials, testing::UnorderedElementsAre(first.serial, again.serial, next.serial));
  store.clear_leftovers();
  EXPECT_FALSE(is_on_disk(std::string(first.der.begin(), first.der.end())));
}

TEST_F(Forget, ItsBytesAreGoneFromTheFiles) {
  Store store = Store::open(path());
  Store other = Store::open(path());  // As skepd has it open.
  std::vector<std::string> names;
  // Of many lengths and in such an order that rows have moved between pages, which leaves copies.
  for (int i = 0; i < 500; ++i) {
    const int number = 100 + i * 187 % 500;
    names.push_back("device-" + std::to_string(number) + "-" +
                    std::string(static_cast<std::size_t>(number * 7 % 20), 'x'));
  }
  {
    const pki::Certificate certificate = certificate_of("any");
    Transaction transaction(store);
    for (const std::string& name : names) {
      Device device{.name = name, .certificate_der = certificate.der, .public_key = {}};
      std::ranges::copy(name, device.public_key.begin());
      store.add_device(device);
      answer(store, name);
      for (int n = name[9] % 3; n >= 0; --n) {
        store.count_refusal(name, static_cast<Status>(1 + n), 5);
      }
    }
    transaction.commit();
  }
  const auto stays = [](const std::string& name) { return name[9] % 2 == 1; };
  Transaction transaction(store);
  for (const std::string& name : names) {
    if (stays(name)) continue;
    store.forget_device(name, 60);
  }
  transaction.commit();
  store.clear_leftovers();
  for (const std::string& name : names) {
    if (stays(name)) continue;
    EXPECT_FALSE(is_on_disk(name.substr(0, 11))) << name;  // also a part of its secret
  }
  EXPECT_TRUE(is_on_disk("the update of device-101-"));
  EXPECT_EQ(other.update_devices(1).size(), 250U);
  EXPECT_EQ(std::filesystem::file_size(path().string() + "-wal"), 0U);
}

}  // namespace
}  // namespace skep::store

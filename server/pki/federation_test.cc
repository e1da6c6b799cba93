#include "skep/pki/federation.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <algorithm>
#include <string>

#include "skep/pki/files.h"
#include "skep/pki_testing/command.h"
#include "skep/pki_testing/temporary_directory.h"

namespace skep::pki {
namespace {

using pki_testing::run;
using pki_testing::TemporaryDirectory;

class Federation : public testing::Test {
 protected:
  void SetUp() override { create_keys(paths_, id_, {{"127.0.0.1", "::1"}, {}}); }

  const TemporaryDirectory folder_;
  const FederationPaths paths_{folder_.path()};
  const FederationId id_ = new_federation_id();
};

unsigned mode_of(const std::filesystem::path& path) {
  struct stat status {};
  EXPECT_EQ(::stat(path.c_str(), &status), 0) << path;
  return status.st_mode & 07777U;
}

TEST_F(Federation, EverySecretHasMode0600) {
  for (const auto& path :
       {paths_.ca_key(), paths_.gateway_key(), paths_.signing_key(), paths_.aggregation_key()}) {
    EXPECT_EQ(mode_of(path), 0600U) << path;
  }
}

TEST_F(Federation, TheKeysBelongTogetherAndDiffer) {
  const PrivateKey ca = PrivateKey::load(paths_.ca_key());
  const PrivateKey gateway = PrivateKey::load(paths_.gateway_key());
  const PrivateKey signing = PrivateKey::load(paths_.signing_key());
  const PrivateKey aggregation = PrivateKey::load(paths_.aggregation_key());
  EXPECT_EQ(load_certificate(paths_.ca_certificate()).public_key, ca.public_key());
  EXPECT_EQ(load_certificate(paths_.gateway_certificate()).public_key, gateway.public_key());
  EXPECT_EQ(load_public_key(paths_.verifying_key()), signing.public_key());
  EXPECT_NE(ca.public_key(), gateway.public_key());
  EXPECT_NE(gateway.public_key(), signing.public_key());
  EXPECT_NE(signing.public_key(), aggregation.public_key());
}

TEST_F(Federation, KeysAreNotMadeTwice) {
  const PublicKey before = PrivateKey::load(paths_.ca_key()).public_key();
  EXPECT_THROW(create_keys(paths_, id_, {{"127.0.0.1"}, {}}), PkiError);
  EXPECT_EQ(PrivateKey::load(paths_.ca_key()).public_key(), before);
}

TEST_F(Federation, ADeviceFileHoldsWhatTheDeviceNeeds) {
  Credentials made;
  const Certificate certificate = enrol_device(paths_, id_, "sensor-7", {"127.0.0.1", 5684}, made);
  save_credentials(folder_ / "sensor-7.cred", made);
  EXPECT_EQ(mode_of(folder_ / "sensor-7.cred"), 0600U);

  Credentials loaded;
  load_credentials(folder_ / "sensor-7.cred", loaded);
  const wire::DeviceCredentials& message = loaded.message;
  EXPECT_TRUE(std::equal(id_.begin(), id_.end(), message.federation));
  EXPECT_STREQ(message.device, "sensor-7");
  EXPECT_STREQ(message.gateway_host, "127.0.0.1");
  EXPECT_EQ(message.gateway_port, 5684U);
  const Certificate device = parse_certificate(wire::bytes_of(message.device_certificate));
  EXPECT_EQ(device.der, certificate.der);
  EXPECT_EQ(device.common_name, "sensor-7");
  const PrivateKey key = PrivateKey::from_scalar(
      std::span<const std::uint8_t, kScalarBytes>(message.device_private_key, kScalarBytes));
  EXPECT_EQ(key.public_key(), device.public_key);
  const PublicKey signing = load_public_key(paths_.verifying_key());
  EXPECT_TRUE(std::equal(signing.begin(), signing.end(), message.model_signing_key));

  save_certificate(folder_ / "device.crt", device);
  EXPECT_EQ(run({"openssl", "verify", "-CAfile", paths_.ca_certificate().string(),
                 (folder_ / "device.crt").string()})
                .exit_code,
            0);
}

TEST_F(Federation, ADeviceFileIsNeitherOverwrittenNorReadWhenOthersMay) {
  Credentials credentials;
  (void)enrol_device(paths_, id_, "a", {"::1", 1}, credentials);
  save_credentials(folder_ / "a.cred", credentials);
  EXPECT_THROW(save_credentials(folder_ / "a.cred", credentials), PkiError);
  ASSERT_EQ(::chmod((folder_ / "a.cred").c_str(), 0640), 0);
  Credentials loaded;
  EXPECT_THROW(load_credentials(folder_ / "a.cred", loaded), PkiError);
}

TEST_F(Federation, ADeviceFileThatDoesNotDecodeIsRefused) {
  Credentials credentials;
  (void)enrol_device(paths_, id_, "a", {"::1", 1}, credentials);
  save_credentials(folder_ / "a.cred", credentials);
  const SecretBytes whole = read_secret_file(folder_ / "a.cred", 10000);
  create_file(folder_ / "cut.cred", whole.bytes().first(whole.size() - 1), Access::kSecret);
  Credentials loaded;
  EXPECT_THROW(load_credentials(folder_ / "cut.cred", loaded), PkiError);
}

TEST_F(Federation, ADeviceIsOnlySentToAnAddressThatTheGatewayCanProve) {
  Credentials credentials;
  EXPECT_THROW((void)enrol_device(paths_, id_, "a", {"10.0.0.1", 5684}, credentials), PkiError);
  EXPECT_THROW((void)enrol_device(paths_, id_, "a", {"127.0.0.1", 0}, credentials), PkiError);
}

TEST_F(Federation, ACaKeyThatOthersMayReadIssuesNothing) {
  ASSERT_EQ(::chmod(paths_.ca_key().c_str(), 0640), 0);
  Credentials credentials;
  EXPECT_THROW((void)enrol_device(paths_, id_, "a", {"127.0.0.1", 5684}, credentials), PkiError);
}

}  // namespace
}  // namespace skep::pki

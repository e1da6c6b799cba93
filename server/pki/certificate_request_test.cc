#include "skep/pki/certificate_request.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "skep/pki/certificate.h"
#include "skep/pki/error.h"
#include "skep/pki/files.h"
#include "skep/pki_testing/command.h"
#include "skep/pki_testing/temporary_directory.h"

namespace skep::pki {
namespace {

using ::testing::HasSubstr;
using Words = std::vector<std::string>;

constexpr std::size_t kMaxFileBytes = 16384;

class CertificateRequests : public testing::Test {
 protected:
  [[nodiscard]] std::string path(const char* name) const { return (folder_ / name).string(); }

  /// What `openssl req -new` makes; without `subject` that of the configuration in `more`.
  std::vector<std::uint8_t> request(const Words& key, const std::string& subject,
                                    const Words& more = {"-sha256"}) {
    Words command = {"openssl", "req",  "-new",          "-nodes",  "-batch",    "-outform",
                     "DER",     "-out", path("request"), "-keyout", path("key"), "-newkey"};
    command.insert(command.end(), key.begin(), key.end());
    if (!subject.empty()) command.insert(command.end(), {"-subj", subject});
    command.insert(command.end(), more.begin(), more.end());
    const auto result = pki_testing::run(command);
    EXPECT_EQ(result.exit_code, 0) << subject << result.err;
    return read_file(path("request"), kMaxFileBytes);
  }

  static std::string error_of(Bytes der) {
    try {
      (void)parse_certificate_request(der);
    } catch (const PkiError& error) {
      return error.what();
    }
    return "no error";
  }

  const Words kP256 = {"ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"};
  const pki_testing::TemporaryDirectory folder_;
};

TEST_F(CertificateRequests, OfOpensslAreRead) {
  const CertificateRequest read = parse_certificate_request(request(kP256, "/CN=bee-1"));
  EXPECT_EQ(read.common_name, "bee-1");
  EXPECT_EQ(read.public_key, PrivateKey::load(path("key")).public_key());
}

TEST_F(CertificateRequests, KeepNothingThatTheyAskForBesides) {
  const auto der = request(kP256, "/CN=bee-1",
                           {"-sha256", "-addext", "basicConstraints=critical,CA:TRUE", "-addext",
                            "subjectAltName=IP:192.0.2.1"});
  EXPECT_EQ(parse_certificate_request(der).common_name, "bee-1");
}

TEST_F(CertificateRequests, AreRefusedForEveryOtherKeyHashAndSubject) {
  EXPECT_THAT(error_of(request({"rsa:2048"}, "/CN=bee")), HasSubstr("expected a key on P-256"));
  EXPECT_THAT(error_of(request({"ec", "-pkeyopt", "ec_paramgen_curve:secp384r1"}, "/CN=bee")),
              HasSubstr("expected a key on P-256"));
  EXPECT_THAT(error_of(request({"ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-pkeyopt",
                                "ec_param_enc:explicit"},
                               "/CN=bee")),
              HasSubstr("expected a key on P-256"));
  EXPECT_THAT(error_of(request(kP256, "/CN=bee", {"-sha384"})), HasSubstr("ECDSA with SHA-256"));
  for (const char* subject :
       {"/CN=Bee", "/CN=..\\/bee", "/CN=bee'--", "/O=bee", "/CN=an-ever-so-long-name-of-a-device-x",
        "/O=hive/CN=bee", "/CN=bee/CN=wasp", "/O=x+CN=bee", "/"}) {
    EXPECT_THAT(error_of(request(kP256, subject)), HasSubstr("common name")) << subject;
  }
}

TEST_F(CertificateRequests, AreRefusedWithAChallengePassword) {
  create_file(
      folder_ / "req.cnf",
      [] {
        const std::string text =
            "[req]\nprompt=no\ndistinguished_name=dn\nattributes=a\n[dn]\nCN=bee\n"
            "[a]\nchallengePassword=secret\n";
        return std::vector<std::uint8_t>(text.begin(), text.end());
      }(),
      Access::kPublic);
  EXPECT_THAT(error_of(request(kP256, "", {"-sha256", "-config", path("req.cnf")})),
              HasSubstr("challengePassword"));
}

TEST_F(CertificateRequests, AreRefusedWithAnyByteChangedMissingOrAdded) {
  const auto der = request(kP256, "/CN=bee");
  for (std::size_t i = 0; i < der.size(); ++i) {
    auto changed = der;
    changed[i] ^= 1U;
    EXPECT_NE(error_of(changed), "no error") << "byte " << i;
    EXPECT_NE(error_of(Bytes(der).first(i)), "no error") << "length " << i;
  }
  auto longer = der;
  longer.push_back(0);
  EXPECT_THAT(error_of(longer), HasSubstr("bytes follow"));
  EXPECT_THAT(error_of(std::vector<std::uint8_t>(kMaxCertificateRequestBytes + 1, 0x30)),
              HasSubstr("expected at most 2048"));
}

TEST_F(CertificateRequests, GetACertificateThatEndsWhenItIsTold) {
  const PrivateKey ca_key = PrivateKey::generate();
  const Certificate ca = issue_ca(ca_key, "Skep federation");
  const CertificateRequest read = parse_certificate_request(request(kP256, "/CN=bee-1"));
  const Certificate device = issue_device(ca, ca_key, read.public_key, read.common_name, 30);
  EXPECT_EQ(device.public_key, read.public_key);
  // An hour before now, to 30 days after it.
  EXPECT_EQ(device.not_after_unix_s - device.not_before_unix_s, 30 * 86'400 + 3'600);
  EXPECT_EQ(issue_device(ca, ca_key, read.public_key, read.common_name, 36'500).not_after_unix_s,
            ca.not_after_unix_s);
  save_certificate(folder_ / "ca.crt", ca);
  save_certificate(folder_ / "bee.crt", device);
  const auto verified = pki_testing::run(
      {"openssl", "verify", "-x509_strict", "-CAfile", path("ca.crt"), path("bee.crt")});
  EXPECT_EQ(verified.exit_code, 0) << verified.err;
}

}  // namespace
}  // namespace skep::pki

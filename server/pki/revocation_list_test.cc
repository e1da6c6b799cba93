#include "skep/pki/revocation_list.h"

#include <gtest/gtest.h>
#include <mbedtls/x509_crl.h>
#include <mbedtls/x509_crt.h>

#include <ctime>
#include <string>

#include "skep/pki/error.h"
#include "skep/pki/files.h"
#include "skep/pki_testing/command.h"
#include "skep/pki_testing/temporary_directory.h"

namespace skep::pki {
namespace {

using pki_testing::CommandResult;
using pki_testing::run;
using pki_testing::TemporaryDirectory;

class RevocationLists : public testing::Test {
 protected:
  RevocationLists() {
    save_certificate(folder_ / "ca.crt", ca_);
    save_certificate(folder_ / "stolen.crt", stolen_);
    save_certificate(folder_ / "honest.crt", honest_);
  }

  [[nodiscard]] std::string path(const char* name) const { return (folder_ / name).string(); }

  /// Revokes `stolen_`; writes crl.der and crl.pem.
  void publish(RevocationList list) {
    const auto der = issue_revocation_list(ca_, ca_key_, list);
    create_file(folder_ / "crl.der", der, Access::kPublic);
    ASSERT_EQ(
        run({"openssl", "crl", "-inform", "DER", "-in", path("crl.der"), "-out", path("crl.pem")})
            .exit_code,
        0);
  }
  [[nodiscard]] RevocationList list() const {
    return {.number = 300,
            .this_update_unix_s = now_ - 60,
            .next_update_unix_s = now_ + 86400,
            .certificates = {{stolen_.serial, now_ - 100, /*reason=*/1}}};
  }
  [[nodiscard]] CommandResult verify(const char* certificate) const {
    return run({"openssl", "verify", "-x509_strict", "-crl_check", "-CAfile", path("ca.crt"),
                "-CRLfile", path("crl.pem"), path(certificate)});
  }

  const std::int64_t now_ = std::time(nullptr);
  const PrivateKey ca_key_ = PrivateKey::generate();
  const Certificate ca_ = issue_ca(ca_key_, "Skep federation 0011223344556677");
  const Certificate stolen_ =
      issue_device(ca_, ca_key_, PrivateKey::generate().public_key(), "stolen");
  const Certificate honest_ =
      issue_device(ca_, ca_key_, PrivateKey::generate().public_key(), "honest");
  const TemporaryDirectory folder_;
};

TEST_F(RevocationLists, OpensslVerifiesItAndRefusesWhatIsOnIt) {
  publish(list());
  const CommandResult signature = run({"openssl", "crl", "-inform", "DER", "-in", path("crl.der"),
                                       "-CAfile", path("ca.crt"), "-verify", "-noout"});
  EXPECT_EQ(signature.exit_code, 0) << signature.err;
  EXPECT_NE((signature.out + signature.err).find("verify OK"), std::string::npos) << signature.err;
  EXPECT_EQ(verify("honest.crt").exit_code, 0) << verify("honest.crt").err;
  const CommandResult stolen = verify("stolen.crt");
  EXPECT_NE(stolen.exit_code, 0);
  EXPECT_NE(stolen.err.find("certificate revoked"), std::string::npos) << stolen.err;
}

TEST_F(RevocationLists, OpensslReadsTheFieldsThatWeMeant) {
  publish(list());
  const CommandResult shown = run({"openssl", "crl", "-in", path("crl.pem"), "-noout", "-text"});
  for (const char* expected :
       {"Version 2", "ecdsa-with-SHA256", "Issuer: CN = Skep federation 0011223344556677",
        "X509v3 CRL Number", "300", "X509v3 Authority Key Identifier", "Key Compromise",
        "Next Update"}) {
    EXPECT_NE(shown.out.find(expected), std::string::npos) << expected << " in\n" << shown.out;
  }
}

TEST_F(RevocationLists, MbedTlsRefusesWhatIsOnIt) {
  const auto der = issue_revocation_list(ca_, ca_key_, list());
  mbedtls_x509_crl crl;
  mbedtls_x509_crt ca;
  mbedtls_x509_crl_init(&crl);
  mbedtls_x509_crt_init(&ca);
  EXPECT_EQ(mbedtls_x509_crl_parse_der(&crl, der.data(), der.size()), 0);
  EXPECT_EQ(mbedtls_x509_crt_parse_der(&ca, ca_.der.data(), ca_.der.size()), 0);
  const auto verdict = [&](const Certificate& certificate) {
    mbedtls_x509_crt leaf;
    mbedtls_x509_crt_init(&leaf);
    EXPECT_EQ(mbedtls_x509_crt_parse_der(&leaf, certificate.der.data(), certificate.der.size()), 0);
    std::uint32_t flags = 0;
    (void)mbedtls_x509_crt_verify(&leaf, &ca, &crl, nullptr, &flags, nullptr, nullptr);
    mbedtls_x509_crt_free(&leaf);
    return flags;
  };
  EXPECT_EQ(verdict(honest_), 0U);
  EXPECT_EQ(verdict(stolen_), std::uint32_t{MBEDTLS_X509_BADCERT_REVOKED});
  mbedtls_x509_crt_free(&ca);
  mbedtls_x509_crl_free(&crl);
}

TEST_F(RevocationLists, AnEmptyListIsAListToo) {
  RevocationList empty = list();
  empty.certificates.clear();
  publish(empty);
  EXPECT_EQ(verify("stolen.crt").exit_code, 0) << verify("stolen.crt").err;
}

TEST_F(RevocationLists, AListThatIsTooOldVerifiesNobody) {
  RevocationList old = list();
  old.this_update_unix_s = now_ - 1000;
  old.next_update_unix_s = now_ - 500;
  publish(old);
  EXPECT_NE(verify("honest.crt").exit_code, 0);
}

TEST_F(RevocationLists, AnotherCasKeyAndWrongTimesAreRefused) {
  EXPECT_THROW(issue_revocation_list(ca_, PrivateKey::generate(), list()), PkiError);
  RevocationList backwards = list();
  backwards.next_update_unix_s = backwards.this_update_unix_s;
  EXPECT_THROW(issue_revocation_list(ca_, ca_key_, backwards), PkiError);
}

}  // namespace
}  // namespace skep::pki

#include "skep/pki/certificate.h"

#include <gtest/gtest.h>
#include <mbedtls/oid.h>
#include <mbedtls/x509_crt.h>

#include <set>
#include <string>

#include "skep/pki/files.h"
#include "skep/pki_testing/command.h"
#include "skep/pki_testing/temporary_directory.h"

namespace skep::pki {
namespace {

using pki_testing::CommandResult;
using pki_testing::run;
using pki_testing::TemporaryDirectory;

class Certificates : public testing::Test {
 protected:
  const PrivateKey ca_key_ = PrivateKey::generate();
  const Certificate ca_ = issue_ca(ca_key_, "Skep federation 0011223344556677");
  const PrivateKey gateway_key_ = PrivateKey::generate();
  const Certificate gateway_ =
      issue_gateway(ca_, ca_key_, gateway_key_.public_key(),
                    {{"127.0.0.1", "192.168.7.9", "fd00::1"}, {"gateway.example"}});
  const PrivateKey device_key_ = PrivateKey::generate();
  const Certificate device_ = issue_device(ca_, ca_key_, device_key_.public_key(), "sensor-7");
  const TemporaryDirectory folder_;

  std::string saved(const Certificate& certificate, const std::string& name) {
    save_certificate(folder_ / name, certificate);
    return (folder_ / name).string();
  }
};

// Mbed TLS's opinion, as its TLS stack would form it.
std::uint32_t mbedtls_verdict(const Certificate& ca, const Certificate& leaf, const char* usage,
                              std::size_t usage_length) {
  mbedtls_x509_crt trusted;
  mbedtls_x509_crt certificate;
  mbedtls_x509_crt_init(&trusted);
  mbedtls_x509_crt_init(&certificate);
  EXPECT_EQ(mbedtls_x509_crt_parse_der(&trusted, ca.der.data(), ca.der.size()), 0);
  EXPECT_EQ(mbedtls_x509_crt_parse_der(&certificate, leaf.der.data(), leaf.der.size()), 0);
  std::uint32_t flags = 0;
  (void)mbedtls_x509_crt_verify(&certificate, &trusted, nullptr, nullptr, &flags, nullptr, nullptr);
  if (mbedtls_x509_crt_check_extended_key_usage(&certificate, usage, usage_length) != 0) {
    flags |= MBEDTLS_X509_BADCERT_EXT_KEY_USAGE;
  }
  mbedtls_x509_crt_free(&certificate);
  mbedtls_x509_crt_free(&trusted);
  return flags;
}

TEST_F(Certificates, OpensslVerifiesTheChainsForTheirPurposesOnly) {
  const std::string ca = saved(ca_, "ca.crt");
  const std::string gateway = saved(gateway_, "gateway.crt");
  const std::string device = saved(device_, "device.crt");
  const auto verify = [&](const std::string& purpose, const std::string& leaf) {
    return run({"openssl", "verify", "-x509_strict", "-CAfile", ca, "-purpose", purpose, leaf});
  };
  EXPECT_EQ(verify("sslserver", gateway).exit_code, 0) << verify("sslserver", gateway).err;
  EXPECT_EQ(verify("sslclient", device).exit_code, 0) << verify("sslclient", device).err;
  EXPECT_NE(verify("sslclient", gateway).exit_code, 0);
  EXPECT_NE(verify("sslserver", device).exit_code, 0);
  for (const char* address : {"127.0.0.1", "192.168.7.9", "fd00::1"}) {
    EXPECT_EQ(run({"openssl", "verify", "-CAfile", ca, "-verify_ip", address, gateway}).exit_code,
              0)
        << address;
  }
  EXPECT_NE(run({"openssl", "verify", "-CAfile", ca, "-verify_ip", "10.0.0.1", gateway}).exit_code,
            0);
  EXPECT_EQ(
      run({"openssl", "verify", "-CAfile", ca, "-verify_hostname", "gateway.example", gateway})
          .exit_code,
      0);
}

TEST_F(Certificates, MbedTlsVerifiesTheChainsForTheirPurposesOnly) {
  const char server[] = MBEDTLS_OID_SERVER_AUTH;
  const char client[] = MBEDTLS_OID_CLIENT_AUTH;
  EXPECT_EQ(mbedtls_verdict(ca_, gateway_, server, sizeof server - 1), 0U);
  EXPECT_EQ(mbedtls_verdict(ca_, device_, client, sizeof client - 1), 0U);
  EXPECT_NE(mbedtls_verdict(ca_, gateway_, client, sizeof client - 1), 0U);
  const PrivateKey other_key = PrivateKey::generate();
  const Certificate other = issue_ca(other_key, "Skep federation 0011223344556677");
  EXPECT_NE(mbedtls_verdict(other, device_, client, sizeof client - 1), 0U);
}

TEST_F(Certificates, OpensslReadsTheFieldsThatWeMeant) {
  const CommandResult ca = run({"openssl", "x509", "-in", saved(ca_, "ca.crt"), "-noout", "-text"});
  ASSERT_EQ(ca.exit_code, 0) << ca.err;
  EXPECT_NE(ca.out.find("CA:TRUE, pathlen:0"), std::string::npos) << ca.out;
  EXPECT_NE(ca.out.find("Certificate Sign, CRL Sign"), std::string::npos);
  EXPECT_NE(ca.out.find("ecdsa-with-SHA256"), std::string::npos);
  EXPECT_NE(ca.out.find("NIST CURVE: P-256"), std::string::npos);

  const CommandResult device =
      run({"openssl", "x509", "-in", saved(device_, "device.crt"), "-noout", "-text"});
  EXPECT_NE(device.out.find("Subject: CN = sensor-7"), std::string::npos) << device.out;
  EXPECT_NE(device.out.find("Issuer: CN = Skep federation 0011223344556677"), std::string::npos);
  EXPECT_NE(device.out.find("TLS Web Client Authentication"), std::string::npos);
  EXPECT_EQ(device.out.find("TLS Web Server Authentication"), std::string::npos);
  EXPECT_NE(device.out.find("Digital Signature"), std::string::npos);
}

TEST_F(Certificates, TheCaLastsTenYearsAndItsCertificatesNoLonger) {
  const std::string ca = saved(ca_, "ca.crt");
  const auto valid_in = [&](const std::string& file, long days) {
    return run({"openssl", "x509", "-in", file, "-noout", "-checkend",
                std::to_string(days * 86400)})
               .exit_code == 0;
  };
  EXPECT_TRUE(valid_in(ca, 3651));
  EXPECT_FALSE(valid_in(ca, 3655));
  const auto end = [&](const std::string& file) {
    return run({"openssl", "x509", "-in", file, "-noout", "-enddate"}).out;
  };
  EXPECT_EQ(end(ca), end(saved(gateway_, "gateway.crt")));
  EXPECT_EQ(end(ca), end(saved(device_, "device.crt")));
}

TEST_F(Certificates, SerialNumbersAreLongPositiveAndDifferent) {
  std::set<std::string> serials;
  for (int i = 0; i < 50; ++i) {
    const Certificate certificate = issue_device(ca_, ca_key_, device_key_.public_key(), "device");
    mbedtls_x509_crt parsed;
    mbedtls_x509_crt_init(&parsed);
    ASSERT_EQ(mbedtls_x509_crt_parse_der(&parsed, certificate.der.data(), certificate.der.size()),
              0);
    EXPECT_EQ(parsed.serial.len, 16U);
    EXPECT_GT(parsed.serial.p[0], 0);
    EXPECT_LT(parsed.serial.p[0], 0x80);
    serials.emplace(reinterpret_cast<const char*>(parsed.serial.p), parsed.serial.len);
    mbedtls_x509_crt_free(&parsed);
  }
  EXPECT_EQ(serials.size(), 50U);
}

TEST_F(Certificates, TheirDescriptionSurvivesTheFile) {
  EXPECT_EQ(gateway_.ip_addresses,
            (std::vector<std::string>{"127.0.0.1", "192.168.7.9", "fd00::1"}));
  EXPECT_EQ(gateway_.dns_names, std::vector<std::string>{"gateway.example"});
  EXPECT_EQ(gateway_.public_key, gateway_key_.public_key());
  EXPECT_EQ(device_.common_name, "sensor-7");
  EXPECT_TRUE(device_.ip_addresses.empty());
  const Certificate loaded = load_certificate(saved(gateway_, "gateway.crt"));
  EXPECT_EQ(loaded.der, gateway_.der);
  EXPECT_EQ(loaded.ip_addresses, gateway_.ip_addresses);
  EXPECT_EQ(parse_certificate(device_.der).public_key, device_key_.public_key());
}

TEST_F(Certificates, BadNamesAreRefused) {
  const PublicKey& key = device_key_.public_key();
  for (const std::string name : {"", "Upper", "under_score", "a,CN=b", "a/b", "umlaut-\xC3\xA4",
                                 "a b", "../x", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"}) {
    EXPECT_THROW((void)issue_device(ca_, ca_key_, key, name), PkiError) << name;
  }
  EXPECT_NO_THROW((void)issue_device(ca_, ca_key_, key, std::string(32, 'z')));
  EXPECT_THROW((void)issue_gateway(ca_, ca_key_, key, {{}, {"gateway.example"}}), PkiError);
  EXPECT_THROW((void)issue_gateway(ca_, ca_key_, key, {{"localhost"}, {}}), PkiError);
  EXPECT_THROW((void)issue_gateway(ca_, ca_key_, key, {{"1.2.3"}, {}}), PkiError);
  EXPECT_THROW((void)issue_gateway(ca_, ca_key_, key, {{"::1"}, {"bad name"}}), PkiError);
  EXPECT_THROW((void)issue_ca(ca_key_, "a,O=b"), PkiError);
  EXPECT_THROW((void)issue_ca(ca_key_, ""), PkiError);
}

TEST_F(Certificates, OnlyTheCaIssues) {
  EXPECT_THROW((void)issue_device(device_, device_key_, gateway_key_.public_key(), "x"), PkiError);
  EXPECT_THROW((void)issue_device(ca_, device_key_, gateway_key_.public_key(), "x"), PkiError);
}

TEST_F(Certificates, EveryAlteredByteIsRefusedOrDoesNotVerify) {
  const char client[] = MBEDTLS_OID_CLIENT_AUTH;
  for (std::size_t i = 0; i < device_.der.size(); ++i) {
    std::vector<std::uint8_t> altered = device_.der;
    altered[i] ^= 0x04U;
    try {
      const Certificate certificate = parse_certificate(altered);
      EXPECT_NE(mbedtls_verdict(ca_, certificate, client, sizeof client - 1), 0U) << "byte " << i;
    } catch (const PkiError&) {
    }
  }
}

TEST_F(Certificates, OtherBytesAreNoCertificate) {
  EXPECT_THROW((void)parse_certificate({}), PkiError);
  std::vector<std::uint8_t> longer = device_.der;
  longer.push_back(0);
  EXPECT_THROW((void)parse_certificate(longer), PkiError);
  std::vector<std::uint8_t> shorter = device_.der;
  shorter.pop_back();
  EXPECT_THROW((void)parse_certificate(shorter), PkiError);
}

TEST_F(Certificates, AFileHoldsExactlyOne) {
  const std::vector<std::uint8_t> one = read_file(saved(ca_, "one"), 10000);
  std::vector<std::uint8_t> two = one;
  two.insert(two.end(), one.begin(), one.end());
  create_file(folder_ / "two", two, Access::kPublic);
  EXPECT_THROW((void)load_certificate(folder_ / "two"), PkiError);
  create_file(folder_ / "none", {}, Access::kPublic);
  EXPECT_THROW((void)load_certificate(folder_ / "none"), PkiError);
}

}  // namespace
}  // namespace skep::pki

#include "skep/pki/certs_only.h"

#include <gtest/gtest.h>

#include "skep/pki/certificate.h"
#include "skep/pki/files.h"
#include "skep/pki_testing/command.h"
#include "skep/pki_testing/temporary_directory.h"

namespace skep::pki {
namespace {

TEST(CertsOnly, IsWhatOpensslReads) {
  const pki_testing::TemporaryDirectory folder;
  const PrivateKey key = PrivateKey::generate();
  const Certificate ca = issue_ca(key, "Skep federation");
  create_file(folder / "bag.p7", certs_only(ca.der), Access::kPublic);
  const auto printed =
      pki_testing::run({"openssl", "pkcs7", "-inform", "DER", "-in", (folder / "bag.p7").string(),
                        "-print_certs", "-out", (folder / "ca.pem").string()});
  ASSERT_EQ(printed.exit_code, 0) << printed.err;
  const auto pem = read_file(folder / "ca.pem", 16384);
  const std::string text(pem.begin(), pem.end());
  const auto begin = text.find("-----BEGIN");
  ASSERT_NE(begin, std::string::npos);
  create_file(folder / "only.pem", Bytes(pem).subspan(begin), Access::kPublic);
  EXPECT_EQ(load_certificate(folder / "only.pem").der, ca.der);
}

TEST(CertsOnly, RefusesWhatIsNoCertificate) {
  EXPECT_THROW(certs_only(std::vector<std::uint8_t>{1, 2, 3}), PkiError);
  EXPECT_THROW(certs_only({}), PkiError);
}

}  // namespace
}  // namespace skep::pki

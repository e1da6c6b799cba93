#include "skep/transport_coap/certificate_dates.h"

#include <gtest/gtest.h>

#include "skep/transport_testing/certificates.h"

namespace skep::transport {
namespace {

using transport_testing::Buffer;

// From 2020-01-01 (UTCTime) to the end of 2099 (GeneralizedTime): what `date -u -d … +%s` says.
constexpr std::uint64_t kFrom = 1'577'836'800;
constexpr std::uint64_t kTo = 4'102'444'799;

Buffer certificate() {
  return transport_testing::make_credential("bee", transport_testing::Usage::kAuthority, nullptr)
      .certificate;
}

TEST(CertificateDates, AreSecondsSince1970) {
  const auto dates = read_certificate_dates(certificate());
  ASSERT_TRUE(dates.ok());
  EXPECT_EQ(dates->not_before_unix_s, kFrom);
  EXPECT_EQ(dates->not_after_unix_s, kTo);
}

TEST(CertificateDates, BothEndsAreIncluded) {
  const Buffer der = certificate();
  EXPECT_EQ(check_certificate_dates(der, kFrom - 1), Status::kRejected);
  EXPECT_EQ(check_certificate_dates(der, kFrom), Status::kOk);
  EXPECT_EQ(check_certificate_dates(der, kTo), Status::kOk);
  EXPECT_EQ(check_certificate_dates(der, kTo + 1), Status::kRejected);
}

TEST(CertificateDates, RefusesWhatIsNoCertificate) {
  const Buffer der = certificate();
  EXPECT_EQ(check_certificate_dates({}, kFrom), Status::kMalformed);
  for (std::size_t length = 0; length < der.size(); ++length) {
    EXPECT_EQ(read_certificate_dates({der.data(), length}).status(), Status::kMalformed) << length;
  }
}

}  // namespace
}  // namespace skep::transport

#include "skep/round/certificate_dates.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace skep::round {
namespace {

using Buffer = std::vector<std::uint8_t>;

Buffer joined(const std::vector<Buffer>& parts) {
  Buffer all;
  for (const Buffer& part : parts) all.insert(all.end(), part.begin(), part.end());
  return all;
}

Buffer element(std::uint8_t tag, const Buffer& content) {
  const auto low = static_cast<std::uint8_t>(content.size());
  const auto high = static_cast<std::uint8_t>(content.size() >> 8U);
  return joined({{tag}, content.size() < 0x80 ? Buffer{low} : Buffer{0x82, high, low}, content});
}

Buffer time_of(const std::string& text) {
  return element(text.size() == 13 ? 0x17 : 0x18, {text.begin(), text.end()});
}

/// As much of a certificate as there is up to its subject, and 300 bytes after it.
Buffer certificate(const Buffer& validity, bool has_version = true) {
  const Buffer version = has_version ? Buffer{0xA0, 3, 2, 1, 2} : Buffer{};
  const Buffer inner = joined({version, element(0x02, {7}), element(0x30, {6, 1, 42}),
                               element(0x30, Buffer(40, 0x31)), element(0x30, validity),
                               element(0x30, Buffer(300, 0x31))});
  return element(0x30, element(0x30, inner));
}

Buffer certificate(const std::string& from, const std::string& to) {
  return certificate(joined({time_of(from), time_of(to)}));
}

Status status_of(const Buffer& der) { return read_certificate_dates(der).status(); }

void expect_dates(const std::string& from, const std::string& to, std::uint64_t from_unix_s,
                  std::uint64_t to_unix_s) {
  const auto dates = read_certificate_dates(certificate(from, to));
  ASSERT_TRUE(dates.ok()) << from << " " << to;
  EXPECT_EQ(dates->not_before_unix_s, from_unix_s);
  EXPECT_EQ(dates->not_after_unix_s, to_unix_s);
}

// What `date -u -d … +%s` says.
TEST(CertificateDates, AreSecondsSince1970) {
  expect_dates("261122000000Z", "20361231235959Z", 1'795'305'600, 2'114'380'799);
  expect_dates("700101000000Z", "491231235959Z", 0, 2'524'607'999);
  expect_dates("240229120000Z", "99991231235959Z", 1'709'208'000, 253'402'300'799);
  const Buffer validity = joined({time_of("261122000000Z"), time_of("361122000000Z")});
  EXPECT_EQ(status_of(certificate(validity, /*has_version=*/false)), Status::kOk);
}

TEST(CertificateDates, BothEndsAreIncluded) {
  const Buffer der = certificate("261122000000Z", "261122000009Z");
  EXPECT_EQ(check_certificate_dates(der, 1'795'305'599), Status::kRejected);
  EXPECT_EQ(check_certificate_dates(der, 1'795'305'600), Status::kOk);
  EXPECT_EQ(check_certificate_dates(der, 1'795'305'609), Status::kOk);
  EXPECT_EQ(check_certificate_dates(der, 1'795'305'610), Status::kRejected);
  EXPECT_EQ(check_certificate_dates({}, 1'795'305'605), Status::kMalformed);
}

TEST(CertificateDates, RefusesWhatIsNoDate) {
  for (const char* text :
       {"261322000000Z", "260022000000Z", "260132000000Z", "260100000000Z", "250229000000Z",
        "21000229000000Z", "261122240000Z", "261122006000Z", "261122000060Z", "2611220000:0Z",
        "26112200000:Z", "/61122000000Z", "261122000000+", "2611220000Z", "19691231235959Z",
        "20261122000000.5Z"}) {
    EXPECT_EQ(status_of(certificate(text, "361122000000Z")), Status::kMalformed) << text;
    EXPECT_EQ(status_of(certificate("261122000000Z", text)), Status::kMalformed) << text;
  }
}

TEST(CertificateDates, AnyBytesAreSafe) {
  const Buffer der = certificate("261122000000Z", "361122000000Z");
  ASSERT_EQ(status_of(der), Status::kOk);
  for (std::size_t length = 0; length < der.size(); ++length) {
    const Buffer cut(der.begin(), der.begin() + static_cast<std::ptrdiff_t>(length));
    EXPECT_EQ(status_of(cut), Status::kMalformed) << length;
  }
  for (std::size_t at = 0; at < 90; ++at) {
    for (const int value : {0x00, 0x7F, 0x80, 0x81, 0x82, 0x83, 0xFF}) {
      Buffer changed = der;
      changed[at] = static_cast<std::uint8_t>(value);
      (void)status_of(changed);  // the sanitizers look on
    }
  }
  const Buffer three_dates =
      joined({time_of("261122000000Z"), time_of("361122000000Z"), time_of("461122000000Z")});
  EXPECT_EQ(status_of(certificate(three_dates)), Status::kMalformed);
}

}  // namespace
}  // namespace skep::round

#include <gtest/gtest.h>

#include <cstring>
#include <string>
#include <vector>

#include "skep/wire/problem.h"
#include "skep/wire/response_code.h"

namespace skep::wire {
namespace {

constexpr unsigned kLastStatus = static_cast<unsigned>(Status::kInternal);

// As RFC 7252 writes codes: class.detail.
std::string dotted(std::uint8_t code) {
  const unsigned detail = code & 0x1FU;
  return std::to_string(code >> 5U) + (detail < 10 ? ".0" : ".") + std::to_string(detail);
}

TEST(ResponseCode, IsTheTableOfTheReference) {
  const std::vector<std::pair<Status, const char*>> table = {
      {Status::kOk, "2.04"},
      {Status::kMalformed, "4.00"},
      {Status::kUnsupportedVersion, "4.00"},
      {Status::kUnsupported, "4.00"},
      {Status::kUndecryptable, "4.00"},
      {Status::kWrongNonce, "4.01"},
      {Status::kBadSignature, "4.03"},
      {Status::kWrongDevice, "4.03"},
      {Status::kWrongFederation, "4.03"},
      {Status::kRevoked, "4.03"},
      {Status::kNotFound, "4.04"},
      {Status::kWrongRound, "4.09"},
      {Status::kWrongBase, "4.09"},
      {Status::kAlreadyAnswered, "4.09"},
      {Status::kTooLarge, "4.13"},
      {Status::kNormExceeded, "4.22"},
      {Status::kInternal, "5.00"},
      {Status::kStorageFailed, "5.00"},
      {Status::kCryptoFailed, "5.00"},
      {Status::kBusy, "5.03"},
  };
  for (const auto& [status, code] : table) {
    EXPECT_EQ(dotted(response_code(status)), code) << to_string(status);
  }
  EXPECT_EQ(dotted(kCodeTooManyRequests), "4.29");
}

TEST(ResponseCode, OnlyOkIsASuccess) {
  EXPECT_EQ(response_code(Status::kOk), kCodeChanged);
  for (unsigned i = 1; i <= kLastStatus; ++i) {
    const std::uint8_t code = response_code(static_cast<Status>(i));
    EXPECT_TRUE(code >> 5U == 4 || code >> 5U == 5) << i;
  }
}

TEST(Problem, CarriesEveryStatusThere) {
  for (unsigned i = 1; i <= kLastStatus; ++i) {
    const auto status = static_cast<Status>(i);
    std::vector<std::uint8_t> out(kMaxProblemBytes);
    const Result<std::size_t> size = encode(make_problem(status, "why"), out);
    ASSERT_TRUE(size.ok());
    const Result<Problem> read = decode_problem(Bytes(out).first(*size));
    ASSERT_TRUE(read.ok());
    EXPECT_EQ(status_of(*read), status);
  }
}

TEST(Problem, OfAnUnknownCodeIsRejected) {
  Problem problem = make_problem(Status::kBusy, "");
  problem.code = kLastStatus + 1;
  EXPECT_EQ(status_of(problem), Status::kRejected);
}

TEST(Problem, CannotBeOk) {
  EXPECT_EQ(status_of(make_problem(Status::kOk, "")), Status::kInternal);
}

TEST(Problem, DetailMayBeMissingLongOrNotPrintable) {
  EXPECT_STREQ(make_problem(Status::kBusy, nullptr).detail, "");
  EXPECT_STREQ(make_problem(Status::kBusy, "a\tb\xff").detail, "a?b?");
  const std::string long_text(500, 'x');
  EXPECT_EQ(std::strlen(make_problem(Status::kBusy, long_text.c_str()).detail), 96U);
}

}  // namespace
}  // namespace skep::wire

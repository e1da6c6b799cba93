// The encoding of records, signed heads, and what the check of a chain finds.
#include <gtest/gtest.h>
#include <pwd.h>
#include <rapidcheck/gtest.h>
#include <unistd.h>

#include <algorithm>

#include "skep/audit/chain.h"
#include "skep/audit/operator.h"
#include "skep/seal/crypto.h"

namespace skep::audit {
namespace {

constexpr FederationId kFederation{1, 2, 3, 4, 5, 6, 7, 8};

TEST(AuditActor, AnOperatorIsAUserOfThisMachine) {
  const passwd* const me = ::getpwuid(::getuid());
  const std::string number = "uid " + std::to_string(::getuid());
  const Actor actor = operator_of(::getuid(), "skepctl");
  EXPECT_EQ(actor.kind, ActorKind::kOperator);
  EXPECT_EQ(actor.name, me == nullptr ? number : number + " (" + me->pw_name + ")");
  EXPECT_EQ(actor.origin, "skepctl");
  constexpr std::uint32_t kNobody = 4'000'000'000;
  if (::getpwuid(kNobody) == nullptr) {
    EXPECT_EQ(operator_of(kNobody, "").name, "uid 4000000000");
  }
}

class Audit : public testing::Test {
 protected:
  static void SetUpTestSuite() { ASSERT_EQ(seal::initialize_crypto(), Status::kOk); }

  Audit() : key_(*seal::SigningKey::generate()) {
    Digest previous = chain_origin(kFederation);
    for (std::int64_t number = 1; number <= 5; ++number) {
      records_.push_back({.number = number, .entry = make_entry(number)});
      previous = record_hash(number, previous, records_.back().entry);
      records_.back().hash = previous;
    }
  }

  static Entry make_entry(std::int64_t number) {
    return {.unix_s = 1'000 + number,
            .event = Event::kDeviceAdded,
            .actor = operator_of(1000, "skepctl"),
            .subject = "device bee-" + std::to_string(number),
            .after = "enrolled"};
  }
  [[nodiscard]] SignedHead head_of(std::int64_t number) const {
    return sign({.federation = kFederation,
                 .number = number,
                 .hash = records_.at(static_cast<std::size_t>(number - 1)).hash,
                 .unix_s = 2'000 + number},
                key_);
  }
  [[nodiscard]] seal::VerifyingKey verifying_key() const {
    return *seal::VerifyingKey::from_bytes(*key_.public_key());
  }
  [[nodiscard]] Report run(std::vector<SignedHead> heads = {},
                           const std::optional<SignedHead>& kept = std::nullopt) const {
    std::size_t next = 0;
    return check(
        kFederation, verifying_key(),
        [&]() -> std::optional<Record> {
          if (next == records_.size()) return std::nullopt;
          return records_[next++];
        },
        std::move(heads), kept);
  }

  seal::SigningKey key_;
  std::vector<Record> records_;
};

TEST_F(Audit, EncodingIsAsDocumented) {
  Digest previous;
  previous.fill(0xAB);
  const std::vector<std::uint8_t> bytes =
      encode(258, previous,
             {.unix_s = -1,
              .event = Event::kRoundClosed,
              .actor = {.kind = ActorKind::kDevice, .name = "b", .origin = "xy"},
              .subject = "",
              .before = "o",
              .after = "c"});
  std::vector<std::uint8_t> expected;
  const auto add = [&expected](std::initializer_list<int> more) {
    for (const int byte : more) expected.push_back(static_cast<std::uint8_t>(byte));
  };
  for (const char letter : std::string("skep audit record v1")) add({letter});
  add({0});
  add({0, 0, 0, 0, 0, 0, 1, 2});                        // number
  expected.insert(expected.end(), 32, 0xAB);            // the hash before
  add({255, 255, 255, 255, 255, 255, 255, 255});        // time
  add({0, 0, 0, 0, 0, 0, 0, 6});                        // event
  add({0, 0, 0, 0, 0, 0, 0, 3});                        // kind of actor
  add({0, 0, 0, 1, 'b', 0, 0, 0, 2, 'x', 'y'});         // name, origin
  add({0, 0, 0, 0, 0, 0, 0, 1, 'o', 0, 0, 0, 1, 'c'});  // subject, before, after
  EXPECT_EQ(bytes, expected);
}

RC_GTEST_PROP(AuditEncoding, DifferentTextsHaveDifferentEncodings,
              (const std::string& a, const std::string& b, const std::string& c,
               const std::string& d)) {
  RC_PRE(a != c || b != d);
  RC_ASSERT(encode(1, {}, {.subject = a, .before = b}) !=
            encode(1, {}, {.subject = c, .before = d}));
}

TEST_F(Audit, AFederationsChainIsItsOwn) {
  EXPECT_NE(chain_origin(kFederation), chain_origin({9}));
}

TEST_F(Audit, WholeLogIsRight) {
  const Report report = run({head_of(4), head_of(2)}, head_of(3));
  EXPECT_FALSE(report.finding);
  EXPECT_EQ(report.records, 5);
  EXPECT_EQ(report.heads, 2);
  EXPECT_EQ(report.signed_records, 4);
}

TEST_F(Audit, EmptyLogIsRight) {
  records_.clear();
  EXPECT_FALSE(run().finding);
}

TEST_F(Audit, FirstBadRecordIsNamed) {
  records_[2].entry.after = "Enrolled";
  const Report report = run();
  ASSERT_TRUE(report.finding);
  EXPECT_EQ(report.finding->number, 3);
  EXPECT_EQ(report.records, 2);
}

TEST_F(Audit, CutOffRecordsShowInAHead) {
  const SignedHead head = head_of(5);
  records_.resize(3);
  EXPECT_FALSE(run().finding);  // What no head covers can be cut off.
  for (const Report& report : {run({head}), run({}, head)}) {
    ASSERT_TRUE(report.finding);
    EXPECT_EQ(report.finding->number, 4);
  }
}

TEST_F(Audit, RewrittenPastShowsInAHead) {
  const SignedHead head = head_of(4);
  records_[1].entry.after = "revoked";
  Digest previous = records_[0].hash;
  for (std::size_t i = 1; i < records_.size(); ++i) {
    previous = record_hash(records_[i].number, previous, records_[i].entry);
    records_[i].hash = previous;
  }
  EXPECT_FALSE(run().finding);
  const Report report = run({}, head);
  ASSERT_TRUE(report.finding);
  EXPECT_EQ(report.finding->number, 4);
}

TEST_F(Audit, ForgedAndForeignHeadsAreFound) {
  const SignedHead good = head_of(2);
  const auto expect_found = [this](SignedHead head) {
    EXPECT_TRUE(run({head}).finding);
    EXPECT_TRUE(run({}, head).finding);
  };
  for (std::size_t i = 0; i < good.signature.size(); ++i) {
    SignedHead bad = good;
    bad.signature[i] ^= 1U;
    expect_found(bad);
  }
  SignedHead later = good;
  ++later.head.unix_s;
  expect_found(later);
  SignedHead zero = good;
  zero.head.number = 0;
  expect_found(zero);
  SignedHead beyond = good;
  beyond.head.number = 9;
  expect_found(beyond);
  Head foreign = good.head;
  foreign.federation[0] ^= 1U;
  expect_found(sign(foreign, key_));
  foreign.number = 9;
  expect_found(sign(foreign, key_));
  expect_found(sign(good.head, *seal::SigningKey::generate()));
}

TEST_F(Audit, HeadIsReadAsItWasWritten) {
  const SignedHead head = head_of(3);
  const std::string text = to_text(head);
  EXPECT_EQ(parse_head(text), head);
  EXPECT_EQ(parse_head(text + "\n"), head);
  EXPECT_EQ(verify(parse_head(text), verifying_key()), Status::kOk);
}

TEST_F(Audit, NoOtherTextIsAHead) {
  const std::string text = to_text(head_of(3));
  std::string capitals = text;
  std::ranges::transform(capitals, capitals.begin(), [](char c) {
    return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  });
  for (const std::string& other :
       {std::string(), text + " ", text + "\n\n", " " + text, text.substr(1), capitals,
        text.substr(0, text.size() - 1), text + "0", std::string("skep-audit-head-v1")}) {
    EXPECT_THROW((void)parse_head(other), AuditError) << other;
  }
}

RC_GTEST_PROP(AuditHead, WhatIsReadIsWhatWouldBeWritten, (const std::string& garbage)) {
  const std::string line = to_text({.head = {.number = 7}, .signature = {}});
  const std::size_t at = *rc::gen::inRange<std::size_t>(0, line.size());
  std::string text = line;
  text.replace(at, garbage.size(), garbage);
  try {
    const std::string again = to_text(parse_head(text));
    RC_ASSERT(text == again || text == again + "\n");
  } catch (const AuditError& error) {
    RC_ASSERT(error.status() == Status::kMalformed);
  }
}

}  // namespace
}  // namespace skep::audit

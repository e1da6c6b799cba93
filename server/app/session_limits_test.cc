#include "session_limits.h"

#include <gtest/gtest.h>

#include <string>

namespace skep::app {
namespace {

// Sessions are told apart by their addresses and never looked into.
const coap_session_t* session(std::uintptr_t number) {
  return reinterpret_cast<const coap_session_t*>(number * 8);
}

PeerAddress address(std::uint8_t last_byte) { return {1, 2, 3, last_byte}; }

std::string objection(const SessionLimits& limits, const PeerAddress& from) {
  const char* text = limits.objection(from);
  return text == nullptr ? "" : text;
}

constexpr Limits kFew{.handshakes = 4,
                      .handshakes_per_address = 2,
                      .handshake_timeout_s = 30,
                      .sessions = 6,
                      .sessions_per_address = 3};

TEST(SessionLimits, BoundsHandshakesOfAnAddressAndInAll) {
  SessionLimits limits(kFew);
  limits.begin(session(1), address(1), 0);
  EXPECT_EQ(objection(limits, address(1)), "");
  limits.begin(session(2), address(1), 0);
  EXPECT_NE(objection(limits, address(1)).find("of this address"), std::string::npos);
  EXPECT_EQ(objection(limits, address(2)), "");
  limits.begin(session(3), address(2), 0);
  limits.begin(session(4), address(3), 0);
  EXPECT_EQ(objection(limits, address(4)), "too many handshakes are under way");
  limits.establish(session(1));
  EXPECT_EQ(objection(limits, address(4)), "");
  EXPECT_EQ(objection(limits, address(1)), "");
  EXPECT_EQ(limits.handshakes(), 3U);
}

TEST(SessionLimits, BoundsSessionsOfAnAddressAndInAll) {
  SessionLimits limits(kFew);
  for (std::uintptr_t i = 1; i <= 6; ++i) {
    limits.begin(session(i), address(i <= 3 ? 1 : 2), 0);
    limits.establish(session(i));
    if (i == 3) {
      EXPECT_EQ(objection(limits, address(1)), "this address has too many sessions");
    }
  }
  EXPECT_EQ(objection(limits, address(3)), "there are too many sessions");
  limits.end(session(1), 0);
  EXPECT_EQ(objection(limits, address(3)), "");
  EXPECT_EQ(objection(limits, address(1)), "");
  EXPECT_EQ(limits.sessions(), 5U);
}

TEST(SessionLimits, AFailedHandshakeCountsForItsAddressForAWhile) {
  SessionLimits limits(kFew);
  for (std::uintptr_t i = 1; i <= 2; ++i) {
    limits.begin(session(1), address(1), 0);
    limits.end(session(1), 10);
  }
  EXPECT_EQ(limits.handshakes(), 0U);
  EXPECT_NE(objection(limits, address(1)), "");
  EXPECT_EQ(objection(limits, address(2)), "");
  limits.forgive(39);
  EXPECT_NE(objection(limits, address(1)), "");
  limits.forgive(40);
  EXPECT_EQ(objection(limits, address(1)), "");
}

TEST(SessionLimits, NamesTheHandshakesThatTakeTooLong) {
  SessionLimits limits(kFew);
  limits.begin(session(1), address(1), 0);
  limits.begin(session(2), address(1), 1);
  limits.begin(session(3), address(2), 0);
  limits.establish(session(3));
  EXPECT_TRUE(limits.overdue(29).empty());
  EXPECT_EQ(limits.overdue(30), std::vector{session(1)});
}

TEST(SessionLimits, RememberABoundedNumberOfFailures) {
  SessionLimits limits(kFew);
  const PeerAddress first = address(0xFF);
  for (int i = 0; i < 2; ++i) {
    limits.begin(session(1), first, 0);
    limits.end(session(1), 0);
  }
  EXPECT_NE(objection(limits, first), "");
  for (std::size_t i = 0; i < SessionLimits::kMaxFailed; ++i) {
    const PeerAddress other{9, static_cast<std::uint8_t>(i), static_cast<std::uint8_t>(i >> 8U)};
    limits.begin(session(1), other, 0);
    limits.end(session(1), 0);
  }
  EXPECT_EQ(objection(limits, first), "");
}

}  // namespace
}  // namespace skep::app

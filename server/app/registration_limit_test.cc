#include "registration_limit.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>

#include <string>

namespace skep::app {
namespace {

PeerAddress address_of(const std::string& text) {
  coap_address_t address;
  coap_address_init(&address);
  if (inet_pton(AF_INET, text.c_str(), &address.addr.sin.sin_addr) == 1) {
    address.addr.sin.sin_family = AF_INET;
  } else {
    EXPECT_EQ(inet_pton(AF_INET6, text.c_str(), &address.addr.sin6.sin6_addr), 1) << text;
    address.addr.sin6.sin6_family = AF_INET6;
  }
  return peer_address(address);
}

std::string bee(int number) { return "bee-" + std::to_string(number); }

const PeerAddress kHere = address_of("192.0.2.1");

TEST(PeerAddress, IsAnIpv4AddressOrAnIpv6Network) {
  EXPECT_NE(address_of("192.0.2.1"), address_of("192.0.2.2"));
  EXPECT_EQ(address_of("::ffff:192.0.2.1"), address_of("192.0.2.1"));
  EXPECT_EQ(address_of("2001:db8:0:1::1"), address_of("2001:db8:0:1:ffff:ffff:ffff:ffff"));
  EXPECT_NE(address_of("2001:db8:0:1::1"), address_of("2001:db8:0:2::1"));
}

TEST(RegistrationLimit, RefusesTheEleventhInAMinuteAndSaysWhenToComeAgain) {
  RegistrationLimit limit(Limits{});
  for (int i = 0; i < 10; ++i) ASSERT_EQ(limit.admit(kHere, bee(i), false, 100 + i), 0U);
  EXPECT_EQ(limit.admit(kHere, bee(10), false, 110), 50U);
  EXPECT_EQ(limit.admit(kHere, bee(10), false, 159), 1U);
  EXPECT_EQ(limit.admit(kHere, bee(10), false, 160), 0U);
  EXPECT_EQ(limit.admit(kHere, bee(11), false, 160), 1U);
}

TEST(RegistrationLimit, CountsADeviceOnceAndAnotherAddressForItself) {
  RegistrationLimit limit(Limits{});
  for (int i = 0; i < 10; ++i) ASSERT_EQ(limit.admit(kHere, bee(i), false, 0), 0U);
  EXPECT_EQ(limit.admit(kHere, bee(3), false, 1), 0U);
  EXPECT_EQ(limit.admit(address_of("192.0.2.2"), bee(10), false, 1), 0U);
  EXPECT_EQ(limit.admit(kHere, bee(10), false, 1), 59U);
}

TEST(RegistrationLimit, LetsDevicesThatTookPartBackAtOnce) {
  RegistrationLimit limit(Limits{});
  for (int i = 0; i < 100; ++i) ASSERT_EQ(limit.admit(kHere, bee(i), true, 0), 0U);
  EXPECT_EQ(limit.admit(kHere, bee(100), false, 0), 0U);
}

TEST(RegistrationLimit, BoundsTheDevicesOfAnAddress) {
  RegistrationLimit limit({.registrations_per_minute = 0, .devices_per_address = 3});
  for (int i = 0; i < 3; ++i) ASSERT_EQ(limit.admit(kHere, bee(i), false, 0), 0U);
  EXPECT_EQ(limit.admit(kHere, bee(3), true, 0), RegistrationLimit::kMaxRetryAfterS);
  EXPECT_EQ(limit.admit(kHere, bee(1), false, 50), 0U);
  EXPECT_EQ(limit.admit(kHere, bee(3), false, RegistrationLimit::kRememberS - 1), 1U);
  // Two were not seen for a day.
  EXPECT_EQ(limit.admit(kHere, bee(3), false, RegistrationLimit::kRememberS), 0U);
  EXPECT_EQ(limit.admit(kHere, bee(4), false, RegistrationLimit::kRememberS), 0U);
  EXPECT_EQ(limit.admit(kHere, bee(5), false, RegistrationLimit::kRememberS), 50U);
}

TEST(RegistrationLimit, HoldsABoundedNumberOfAddresses) {
  RegistrationLimit limit(Limits{});
  for (int i = 0; i < 10; ++i) ASSERT_EQ(limit.admit(kHere, bee(i), false, 0), 0U);
  for (std::size_t i = 0; i < 2 * RegistrationLimit::kMaxAddresses; ++i) {
    const std::string network = "2001:db8:" + std::to_string(i % 9'000) + ":1::1";
    ASSERT_EQ(limit.admit(address_of(network), "wasp", false, 0), 0U);
    // What is in use stays, whatever comes by.
    if (i % 1'000 == 0) {
      ASSERT_EQ(limit.admit(kHere, bee(10), false, 0), 60U);
    }
  }
  EXPECT_EQ(limit.addresses(), RegistrationLimit::kMaxAddresses);
}

TEST(RegistrationLimit, CanBeOff) {
  RegistrationLimit limit({.registrations_per_minute = 0, .devices_per_address = 0});
  for (int i = 0; i < 2'000; ++i) ASSERT_EQ(limit.admit(kHere, bee(i), false, 0), 0U);
  EXPECT_EQ(limit.addresses(), 0U);
}

}  // namespace
}  // namespace skep::app

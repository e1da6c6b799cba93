#include "skep/port_baremetal/provisioning.h"

#include <gtest/gtest.h>

#include <array>

namespace skep::port_baremetal {
namespace {

constexpr FlashGeometry kFlash{
    .size_bytes = 65'536, .erase_unit_bytes = 4'096, .program_unit_bytes = 8};

Provisioning example() {
  return {.credentials_offset = 4'096,
          .credentials_bytes = 900,
          .samples_offset = 8'192,
          .sample_count = 40,
          .feature_count = 64,
          .storage_offset = 16'384,
          .storage_bytes = 49'152,
          .address = {10, 0, 2, 15},
          .netmask = {255, 255, 255, 0},
          .router = {10, 0, 2, 2},
          .gateway = {192, 0, 2, 7},
          .gateway_port = 5'684,
          .training_seed = 7,
          .refresh_ms = 1,
          .answer_timeout_ms = 2,
          .backoff_first_ms = 3,
          .backoff_longest_ms = 4,
          .ack_timeout_ms = 5};
}

std::array<std::uint8_t, kProvisioningBytes> encoded(const Provisioning& provisioning) {
  std::array<std::uint8_t, kProvisioningBytes> bytes{};
  EXPECT_EQ(encode(provisioning, bytes), Status::kOk);
  return bytes;
}

TEST(Provisioning, ComesBackAsItWas) {
  const auto bytes = encoded(example());
  const Result<Provisioning> found = decode_provisioning(bytes, kFlash);
  ASSERT_TRUE(found.ok());
  EXPECT_EQ(encoded(*found), bytes);
  EXPECT_EQ(found->gateway, example().gateway);
  EXPECT_EQ(found->ack_timeout_ms, 5U);
  EXPECT_EQ(found->sample_bytes(), 130U);
}

TEST(Provisioning, AnErasedFlashHasNone) {
  std::array<std::uint8_t, kProvisioningBytes> erased{};
  erased.fill(0xFF);
  EXPECT_EQ(decode_provisioning(erased, kFlash).status(), Status::kNotFound);
  EXPECT_EQ(decode_provisioning({}, kFlash).status(), Status::kNotFound);
}

TEST(Provisioning, EveryFlippedBitIsFound) {
  for (std::size_t bit = 0; bit < kProvisioningBytes * 8; ++bit) {
    auto bytes = encoded(example());
    bytes[bit / 8] ^= static_cast<std::uint8_t>(1U << bit % 8);
    EXPECT_FALSE(decode_provisioning(bytes, kFlash).ok()) << "bit " << bit;
  }
}

TEST(Provisioning, PartsAreInsideOfTheFlash) {
  for (auto change : std::initializer_list<void (*)(Provisioning&)>{
           [](Provisioning& p) { p.credentials_offset = 0; },
           [](Provisioning& p) { p.credentials_bytes = 65'536; },
           [](Provisioning& p) { p.samples_offset = 8'193; },
           [](Provisioning& p) { p.sample_count = 0xFFFFFFFF; },
           [](Provisioning& p) { p.feature_count = 0; },
           [](Provisioning& p) { p.feature_count = 0xFFFFFFFF; },
           [](Provisioning& p) { p.storage_bytes = 49'153; },
           [](Provisioning& p) { p.storage_bytes = 53'248; },
           [](Provisioning& p) { p.storage_offset = 0xFFFFF000; },
           [](Provisioning& p) { p.gateway_port = 65'536; }}) {
    Provisioning bad = example();
    change(bad);
    EXPECT_EQ(decode_provisioning(encoded(bad), kFlash).status(), Status::kMalformed);
  }
}

}  // namespace
}  // namespace skep::port_baremetal

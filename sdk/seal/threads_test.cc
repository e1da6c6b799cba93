// One aggregation key and one signing key used by four threads: what the gateway's workers do.
// The thread sanitizer's build of this test is the one that matters.
#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <thread>

#include "seal_testing.h"
#include "skep/seal/envelope.h"

namespace skep::seal {
namespace {

using testing::Buffer;
using testing::compressed_from;
using testing::take;
using testing::to_buffer;

constexpr std::size_t kThreads = 4;
constexpr std::uint8_t kUpdatesPerThread = 25;

class Workers : public ::testing::TestWithParam<Kem> {};

INSTANTIATE_TEST_SUITE_P(Kems, Workers,
                         ::testing::Values(Kem::kP256HkdfSha256, Kem::kX25519HkdfSha256));

TEST_P(Workers, ShareTheirKeys) {
  const SigningKey device_key = take(SigningKey::generate());
  const VerifyingKey device = take(VerifyingKey::from_bytes(take(device_key.public_key())));
  const AggregationKey aggregation_key = take(AggregationKey::generate(GetParam()));
  const std::size_t keys_before = testing::live_key_count();
  std::atomic<int> opened_count = 0;

  const auto work = [&](std::uint8_t worker) {
    for (std::uint8_t i = 0; i < kUpdatesPerThread; ++i) {
      const Buffer delta(100 + i, worker);
      Buffer out(sealed_bytes_bound(static_cast<std::uint32_t>(delta.size())));
      const SealKeys keys{GetParam(), aggregation_key.public_key(), device_key};
      const Sealed sealed =
          take(seal_update(compressed_from(delta, i + 1U), testing::update_context(), keys, out));
      const wire::SealedUpdate update = take(wire::decode_sealed_update(sealed.bytes()));
      Buffer plaintext(update.ciphertext.size());
      if (verify_update_signature(update, device) != Status::kOk) continue;
      const wire::Update opened = take(open_update(update, aggregation_key, plaintext));
      if (to_buffer(opened.delta) == delta && opened.sample_count == i + 1U) ++opened_count;
    }
  };
  std::array<std::thread, kThreads> threads;
  for (std::size_t i = 0; i < kThreads; ++i) {
    threads[i] = std::thread(work, static_cast<std::uint8_t>(i));
  }
  for (std::thread& thread : threads) thread.join();

  EXPECT_EQ(opened_count, static_cast<int>(kThreads) * kUpdatesPerThread);
  EXPECT_EQ(testing::live_key_count(), keys_before);
}

}  // namespace
}  // namespace skep::seal

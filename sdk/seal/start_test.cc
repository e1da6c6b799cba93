// What happens before PSA Crypto has started, and when there is no entropy. A program of its
// own, because it replaces the operating system's entropy and starts PSA itself.
#include <gtest/gtest.h>
#include <mbedtls/entropy.h>
#include <psa/crypto.h>

#include <algorithm>
#include <array>

#include "seal_testing.h"
#include "skep/seal/crypto.h"
#include "skep/seal/envelope.h"

namespace {

bool entropy_works = false;

}  // namespace

// Takes the place of Mbed TLS's function of this name, which asks the operating system. Bytes
// need not be random here, as no secret is protected with them.
extern "C" int mbedtls_platform_entropy_poll(void* /*data*/, unsigned char* output, size_t length,
                                             size_t* written);
extern "C" int mbedtls_platform_entropy_poll(void* /*data*/, unsigned char* output, size_t length,
                                             size_t* written) {
  static unsigned char counter = 0;
  *written = 0;
  if (!entropy_works) return MBEDTLS_ERR_ENTROPY_SOURCE_FAILED;
  std::generate(output, output + length, [] { return ++counter; });
  *written = length;
  return 0;
}

namespace skep::seal {
namespace {

using testing::Buffer;
using testing::compressed_from;
using testing::take;

constexpr Kem kKem = Kem::kP256HkdfSha256;

class Start : public ::testing::Test {
 protected:
  void TearDown() override { mbedtls_psa_crypto_free(); }
};

/// Uses the generator up, so that its next call asks for entropy.
void exhaust_generator() {
  std::uint8_t byte = 0;
  while (psa_generate_random(&byte, 1) == PSA_SUCCESS) {
  }
}

// Hashing needs no state of PSA, so only keys are refused.
TEST_F(Start, ThereAreNoKeysBeforeIt) {
  EXPECT_EQ(SigningKey::generate().status(), Status::kCryptoFailed);
  EXPECT_EQ(SigningKey::from_bytes(Buffer(32, 1)).status(), Status::kCryptoFailed);
  EXPECT_EQ(VerifyingKey::from_bytes(Buffer(65, 4)).status(), Status::kCryptoFailed);
  EXPECT_EQ(AggregationKey::generate(kKem).status(), Status::kCryptoFailed);
}

TEST_F(Start, FailsWithoutEntropyAndCanBeRepeated) {
  entropy_works = false;
  EXPECT_EQ(initialize_crypto(), Status::kNoEntropy);
  EXPECT_FALSE(SigningKey::generate().ok());
  EXPECT_FALSE(AggregationKey::generate(kKem).ok());

  entropy_works = true;
  EXPECT_EQ(initialize_crypto(), Status::kOk);
  EXPECT_EQ(initialize_crypto(), Status::kOk);
  EXPECT_TRUE(SigningKey::generate().ok());
  EXPECT_TRUE(AggregationKey::generate(kKem).ok());
}

TEST_F(Start, EntropyThatFailsLaterStopsAllNewKeys) {
  entropy_works = true;
  ASSERT_EQ(initialize_crypto(), Status::kOk);
  const SigningKey device_key = take(SigningKey::generate());
  const AggregationKey aggregation_key = take(AggregationKey::generate(kKem));
  const Buffer delta(100, 0x5A);
  Buffer out(sealed_bytes_bound(100));

  entropy_works = false;
  exhaust_generator();
  EXPECT_EQ(SigningKey::generate().status(), Status::kNoEntropy);
  EXPECT_EQ(AggregationKey::generate(kKem).status(), Status::kNoEntropy);
  EXPECT_EQ(hpke::Sender::setup(kKem, aggregation_key.public_key(), {}).status(),
            Status::kNoEntropy);
  EXPECT_EQ(seal_update(compressed_from(delta, 1), testing::update_context(),
                        {kKem, aggregation_key.public_key(), device_key}, out)
                .status(),
            Status::kNoEntropy);
  EXPECT_FALSE(testing::contains(out, Bytes(delta).first(16)));
}

}  // namespace
}  // namespace skep::seal

// Starts the cryptography once for all tests of a program.
#include <gtest/gtest.h>

#include "skep/seal/crypto.h"

namespace {

class CryptoEnvironment : public ::testing::Environment {
 public:
  void SetUp() override { ASSERT_EQ(skep::seal::initialize_crypto(), skep::Status::kOk); }
};

const auto* const kEnvironment = ::testing::AddGlobalTestEnvironment(new CryptoEnvironment);

}  // namespace

#include "skep/release/package.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>

#include "skep/release/initial_model.h"
#include "testing/package_fixture.h"

namespace skep::release {
namespace {

using release_testing::SignedModel;
using release_testing::small_fields;

Status status_of_opening(Bytes package, const seal::VerifyingKey& key) {
  try {
    (void)open_package(package, key);
    return Status::kOk;
  } catch (const PackageError& error) {
    EXPECT_STRNE(error.what(), "");
    return error.status();
  }
}

Status status_of_building(const ManifestFields& fields, Bytes weights,
                          const seal::SigningKey& key) {
  try {
    (void)build_package(fields, weights, key);
    return Status::kOk;
  } catch (const PackageError& error) {
    EXPECT_STRNE(error.what(), "");
    return error.status();
  }
}

class Package : public testing::Test {
 protected:
  const SignedModel model_;

  [[nodiscard]] Status open(Bytes package) const {
    return status_of_opening(package, model_.verifying);
  }
  /// Where in the package the weights begin: they are its last field.
  [[nodiscard]] std::size_t weights_offset() const {
    return model_.package.size() - model_.weights.size();
  }
};

TEST_F(Package, OpensToWhatWasBuilt) {
  const OpenedPackage opened = open_package(model_.package, model_.verifying);
  const ManifestFields fields = small_fields();
  EXPECT_EQ(opened.weights, model_.weights);
  EXPECT_TRUE(
      std::equal(fields.federation.begin(), fields.federation.end(), opened.manifest.federation));
  EXPECT_STREQ(opened.manifest.model_name, "small");
  EXPECT_EQ(opened.manifest.model_version, 9U);
  EXPECT_EQ(opened.manifest.rolls_back_to, 4U);
  EXPECT_EQ(opened.manifest.round, 12U);
  EXPECT_EQ(opened.manifest.contributor_count, 20U);
  EXPECT_EQ(opened.manifest.evaluation.correct_count, 90U);
  EXPECT_EQ(opened.manifest.created_unix_s, 1700000000U);
  EXPECT_EQ(opened.manifest.minimum_sdk_version, 0x000100U);
  EXPECT_EQ(opened.spec.inputs, fields.spec.inputs);
  EXPECT_EQ(opened.spec.layers, fields.spec.layers);
}

TEST_F(Package, TheSameContentGivesTheSameBytes) {
  EXPECT_EQ(build_package(small_fields(), model_.weights, model_.key), model_.package);
}

TEST_F(Package, EveryBitOutsideOfTheWeightsMatters) {
  for (std::size_t i = 0; i < weights_offset(); ++i) {
    for (unsigned bit = 0; bit < 8; ++bit) {
      std::vector<std::uint8_t> altered = model_.package;
      altered[i] ^= static_cast<std::uint8_t>(1U << bit);
      EXPECT_NE(open(altered), Status::kOk) << "byte " << i << ", bit " << bit;
    }
  }
}

TEST_F(Package, EveryBitOfTheManifestAndTheSignatureIsASignatureMatter) {
  const OpenedPackage opened = open_package(model_.package, model_.verifying);
  const auto flip_all = [&](Bytes part) {
    const auto at =
        std::search(model_.package.begin(), model_.package.end(), part.begin(), part.end());
    ASSERT_NE(at, model_.package.end());
    const auto offset = static_cast<std::size_t>(at - model_.package.begin());
    for (std::size_t i = 0; i < 8 * part.size(); ++i) {
      std::vector<std::uint8_t> altered = model_.package;
      altered[offset + i / 8] ^= static_cast<std::uint8_t>(1U << (i % 8));
      EXPECT_EQ(open(altered), Status::kBadSignature) << "bit " << i;
    }
  };
  flip_all(opened.manifest_bytes);
  flip_all(opened.signature);
}

TEST_F(Package, EveryBitOfTheWeightsMatters) {
  for (std::size_t i = weights_offset(); i < model_.package.size(); ++i) {
    std::vector<std::uint8_t> altered = model_.package;
    altered[i] ^= static_cast<std::uint8_t>(1U << (i % 8));
    EXPECT_EQ(open(altered), Status::kBadDigest) << "byte " << i;
  }
}

TEST_F(Package, EveryTruncationIsRefused) {
  for (std::size_t size = 0; size < model_.package.size(); ++size) {
    EXPECT_NE(open(Bytes(model_.package).first(size)), Status::kOk) << size;
  }
}

TEST_F(Package, AppendedBytesAreRefused) {
  for (const int byte : {0x00, 0x1A, 0x20, 0xFF}) {
    std::vector<std::uint8_t> longer = model_.package;
    longer.push_back(static_cast<std::uint8_t>(byte));
    EXPECT_NE(open(longer), Status::kOk) << byte;
  }
}

TEST_F(Package, AnotherKeyIsRefused) {
  const SignedModel other;
  EXPECT_EQ(status_of_opening(model_.package, other.verifying), Status::kBadSignature);
}

TEST_F(Package, APlanSignatureIsNoModelSignature) {
  const OpenedPackage opened = open_package(model_.package, model_.verifying);
  const Result<seal::Signature> other =
      model_.key.sign(seal::Domain::kRoundPlan, opened.manifest_bytes);
  ASSERT_TRUE(other.ok());
  std::vector<std::uint8_t> altered = model_.package;
  const auto at =
      std::search(altered.begin(), altered.end(), opened.signature.begin(), opened.signature.end());
  std::copy(other->begin(), other->end(), at);
  EXPECT_EQ(open(altered), Status::kBadSignature);
}

TEST_F(Package, TooLargeIsRefusedBeforeItIsRead) {
  EXPECT_EQ(open(std::vector<std::uint8_t>(kMaxPackageBytes + 1)), Status::kTooLarge);
}

TEST_F(Package, TheWeightsOfAnotherSpecAreNotSigned) {
  ManifestFields fields = small_fields();
  fields.spec.layers[2].outputs = 4;
  EXPECT_EQ(status_of_building(fields, model_.weights, model_.key), Status::kMalformed);
  std::vector<std::uint8_t> bad_exponent = model_.weights;
  bad_exponent[0] = 1;  // Exponents are −30 … 0.
  bad_exponent[1] = 0;
  EXPECT_EQ(status_of_building(small_fields(), bad_exponent, model_.key), Status::kMalformed);
}

TEST_F(Package, FieldsOutOfRangeAreNotSigned) {
  const auto refused = [&](auto change) {
    ManifestFields fields = small_fields();
    change(fields);
    return status_of_building(fields, model_.weights, model_.key);
  };
  EXPECT_EQ(refused([](ManifestFields& f) { f.model_name = ""; }), Status::kInvalidArgument);
  EXPECT_EQ(refused([](ManifestFields& f) { f.model_name = "Digits"; }), Status::kInvalidArgument);
  EXPECT_EQ(refused([](ManifestFields& f) { f.model_name = std::string(33, 'a'); }),
            Status::kInvalidArgument);
  EXPECT_EQ(refused([](ManifestFields& f) { f.model_version = 0; }), Status::kInvalidArgument);
  EXPECT_EQ(refused([](ManifestFields& f) { f.rolls_back_to = 9; }), Status::kInvalidArgument);
  EXPECT_EQ(refused([](ManifestFields& f) { f.evaluation.correct_count = 101; }),
            Status::kInvalidArgument);
  EXPECT_EQ(refused([](ManifestFields& f) { f.spec.layer_count = 0; }), Status::kInvalidArgument);
}

RC_GTEST_PROP(PackageProperty, AnyBytesAreRefusedWithoutHarm, ()) {
  static const SignedModel model;
  const auto bytes = *rc::gen::arbitrary<std::vector<std::uint8_t>>();
  RC_ASSERT(status_of_opening(bytes, model.verifying) != Status::kOk);
}

TEST(Hex, IsLowerCase) {
  const std::array<std::uint8_t, 3> bytes{0x00, 0xAB, 0x1F};
  EXPECT_EQ(to_hex(bytes), "00ab1f");
}

TEST(Sha256, OfAbc) {  // FIPS 180-4, example B.1
  const std::array<std::uint8_t, 3> abc{'a', 'b', 'c'};
  EXPECT_EQ(to_hex(sha256(abc)),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

}  // namespace
}  // namespace skep::release

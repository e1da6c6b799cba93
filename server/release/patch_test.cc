#include "skep/release/patch.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "skep/release/step.h"
#include "skep/wire/weights_difference.h"
#include "testing/package_fixture.h"

namespace skep::release {
namespace {

using Buffer = std::vector<std::uint8_t>;
using release_testing::SignedModel;
using release_testing::small_fields;
using release_testing::small_spec;

class Patch : public testing::Test {
 protected:
  [[nodiscard]] Buffer package(std::uint32_t version, Bytes weights,
                               const ModelSpec& spec = small_spec()) const {
    ManifestFields fields = small_fields();
    fields.rolls_back_to = 0;
    fields.model_version = version;
    fields.spec = spec;
    return build_package(fields, weights, model_.key);
  }

  SignedModel model_;
};

Buffer applied(const wire::ModelPatch& patch, Bytes base) {
  wire::DifferenceDecoder decoder(static_cast<std::uint32_t>(base.size()));
  Buffer weights(base.begin(), base.end());
  Bytes coded = patch.difference;
  const auto done = decoder.decode(coded, weights);
  EXPECT_TRUE(done.ok());
  EXPECT_TRUE(coded.empty());
  EXPECT_EQ(decoder.finish(), Status::kOk);
  return weights;
}

TEST_F(Patch, CarriesTheSignedManifestAndMakesTheWeights) {
  const Buffer base = package(3, model_.weights);
  Buffer weights = model_.weights;
  weights[2] ^= 1;  // of W[0][0]
  const Buffer target = package(9, weights);
  const auto bytes = build_patch(base, target);
  ASSERT_TRUE(bytes.has_value());
  EXPECT_LT(bytes->size() + 50, target.size());
  EXPECT_EQ(build_patch(base, target), bytes) << "the same bytes";

  const auto patch = wire::decode_model_patch(*bytes);
  ASSERT_TRUE(patch.ok());
  EXPECT_EQ(patch->base_version, 3U);
  const OpenedPackage opened = open_package(target, model_.verifying);
  EXPECT_TRUE(std::ranges::equal(patch->manifest, opened.manifest_bytes));
  EXPECT_TRUE(std::ranges::equal(patch->signature, opened.signature));
  EXPECT_EQ(applied(*patch, model_.weights), weights);
}

TEST_F(Patch, LeadsBackToAnOldModelAsWell) {
  Buffer weights = model_.weights;
  weights[2] ^= 1;
  const auto bytes = build_patch(package(3, weights), package(4, model_.weights));
  ASSERT_TRUE(bytes.has_value());
  EXPECT_EQ(applied(*wire::decode_model_patch(*bytes), weights), model_.weights);
}

TEST_F(Patch, ThereIsNoneBetweenModelsOfDifferentLayers) {
  ModelSpec other = small_spec();
  other.layers[0].outputs = other.layers[1].outputs = 6;
  const Buffer base = package(3, initial_weights(other, 7), other);
  EXPECT_FALSE(build_patch(base, package(4, model_.weights)).has_value());
  // As long as the small model, in other layers: 5-4-3 has 2 + 40 + 16 and 2 + 24 + 12 bytes.
  ModelSpec same_size = small_spec();
  same_size.inputs = 5;
  same_size.layer_count = 1;
  same_size.layers[0].outputs = 3;
  EXPECT_FALSE(
      build_patch(package(3, initial_weights(same_size, 7), same_size), package(4, model_.weights))
          .has_value());
}

TEST_F(Patch, ThereIsNoneThatIsNotShorter) {
  std::mt19937 random(1);
  Buffer noise = model_.weights;
  for (std::size_t at = 2; at < 58; ++at) noise[at] = static_cast<std::uint8_t>(random());
  for (std::size_t at = 60; at < 96; ++at) noise[at] = static_cast<std::uint8_t>(random());
  EXPECT_FALSE(build_patch(package(3, model_.weights), package(4, noise)).has_value());
}

TEST_F(Patch, RefusesWhatIsNoPackage) {
  const Buffer good = package(3, model_.weights);
  for (const Buffer& bad : {Buffer{}, Buffer(100, 0xFF), Buffer(good.begin(), good.end() - 1)}) {
    EXPECT_THROW((void)build_patch(bad, good), PackageError);
    EXPECT_THROW((void)build_patch(good, bad), PackageError);
  }
}

// What the gateway rounds is what makes the patch short.
TEST_F(Patch, QuantisedStepIsShorterThanAnExactOne) {
  ModelSpec spec = small_spec();
  spec.inputs = 64;
  spec.layers[0].outputs = spec.layers[1].outputs = 32;
  const Buffer base = initial_weights(spec, 1);
  Buffer weights = base;
  std::mt19937 random(2);
  for (std::size_t at = 2; at < 2 + 2 * 64 * 32; at += 2) {
    weights[at] = static_cast<std::uint8_t>(random());  // steps below 2^8
  }
  const auto exact = build_patch(package(3, base, spec), package(4, weights, spec));
  const auto quantised =
      build_patch(package(3, base, spec), package(4, quantise_step(spec, base, weights, 4), spec));
  ASSERT_TRUE(exact.has_value() && quantised.has_value());
  EXPECT_LT(quantised->size(), exact->size() * 2 / 3);
}

}  // namespace
}  // namespace skep::release

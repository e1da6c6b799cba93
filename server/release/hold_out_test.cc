#include "skep/release/hold_out.h"

#include <gtest/gtest.h>

#include <fstream>

#include "skep/pki_testing/temporary_directory.h"
#include "skep/release/initial_model.h"
#include "testing/package_fixture.h"

namespace skep::release {
namespace {

// Two inputs, two classes, weights chosen by hand: logits = features.
ModelSpec identity_spec() {
  ModelSpec spec;
  spec.inputs = 2;
  spec.input_exponent = 0;
  spec.layer_count = 1;
  spec.layers[0] = {LayerKind::kDense, 2};
  return spec;
}

// exponent 0, W = [[1, 0], [0, 1]], b = 0 (docs/reference/weights.md).
const std::vector<std::uint8_t> kIdentityWeights = {0, 0, 1, 0, 0, 0, 0, 0, 1,
                                                    0, 0, 0, 0, 0, 0, 0, 0, 0};

std::string message_of(const std::string& text) {
  try {
    (void)parse_hold_out(text, "x.csv", identity_spec());
  } catch (const ReleaseError& error) {
    EXPECT_EQ(error.status(), Status::kMalformed);
    return error.what();
  }
  return "(no error)";
}

TEST(HoldOut, ReadsSamplesInOrder) {
  const HoldOut samples = parse_hold_out("1,-2,0\n-32768,32767,1\r\n5,6,0", "x", identity_spec());
  ASSERT_EQ(samples.sample_count(), 3U);
  EXPECT_EQ(samples.width(), 2U);
  EXPECT_EQ(samples.features(1)[0], -32768);
  EXPECT_EQ(samples.features(1)[1], 32767);
  EXPECT_EQ(samples.features(2)[1], 6);
  EXPECT_EQ(samples.label(1), 1);
}

TEST(HoldOut, SaysWhereAndWhatWasExpected) {
  EXPECT_EQ(message_of("1,2,0\n1,x,0\n"),
            "x.csv, line 2, column 2: 'x' where an integer from -32768 to 32767 was expected");
  EXPECT_EQ(message_of("1,2,2\n"),
            "x.csv, line 1, column 3: '2' where an integer from 0 to 1 was expected");
}

TEST(HoldOut, IsStrict) {
  for (const char* text : {"",
                           "\n",
                           "1,2\n",
                           "1,2,0,\n",
                           "1,2,0,0\n",
                           "1,2,0\n\n1,2,0\n",
                           " 1,2,0\n",
                           "1, 2,0\n",
                           "1,2,0 \n",
                           "+1,2,0\n",
                           "1.0,2,0\n",
                           "1,,0\n",
                           "32768,2,0\n",
                           "-32769,2,0\n",
                           "1,2,-1\n",
                           "\"1\",2,0\n",
                           "a,b,c\n",
                           "1,2,99999999999999999999\n",
                           "1;2;0\n",
                           "0x1,2,0\n"}) {
    EXPECT_NE(message_of(text), "(no error)") << text;
  }
}

TEST(HoldOut, AFileThatCannotBeReadIsNamed) {
  const pki_testing::TemporaryDirectory folder;
  try {
    (void)load_hold_out(folder / "none.csv", identity_spec());
    FAIL();
  } catch (const ReleaseError& error) {
    EXPECT_EQ(error.status(), Status::kStorageFailed);
    EXPECT_NE(std::string(error.what()).find("none.csv"), std::string::npos);
  }
  EXPECT_THROW((void)load_hold_out(folder.path(), identity_spec()), ReleaseError);
  std::ofstream(folder / "a.csv") << "1,2,0\n3,4,1\n";
  EXPECT_EQ(load_hold_out(folder / "a.csv", identity_spec()).sample_count(), 2U);
}

TEST(Evaluate, CountsAndAverages) {
  // Right, right, wrong; the third by 4 nats.
  const HoldOut samples = parse_hold_out("9,0,0\n0,9,1\n4,0,1\n", "x", identity_spec());
  const wire::EvaluationMetrics metrics = evaluate(identity_spec(), kIdentityWeights, samples);
  EXPECT_EQ(metrics.sample_count, 3U);
  EXPECT_EQ(metrics.correct_count, 2U);
  // ln(1 + e^-9) twice and ln(1 + e^4).
  const double expected = (2 * 0.00012340219 + 4.01814993) / 3;
  EXPECT_NEAR(metrics.mean_loss_q16 / 65536.0, expected, 1e-3);
}

ModelSpec identity_with(Loss loss) {
  ModelSpec spec = identity_spec();
  spec.loss = loss;
  return spec;
}

TEST(HoldOut, LabelsAreThoseOfTheLoss) {
  const ModelSpec binary = identity_with(Loss::kBinaryCrossEntropy);
  EXPECT_EQ(parse_hold_out("1,2,3\n", "x", binary).label(0), 3);
  EXPECT_THROW((void)parse_hold_out("1,2,4\n", "x", binary), ReleaseError);
  EXPECT_THROW((void)parse_hold_out("1,2\n", "x", binary), ReleaseError);
  const ModelSpec autoencoder = identity_with(Loss::kMeanSquaredError);
  const HoldOut samples = parse_hold_out("1,2\n3,4,65535\n", "x", autoencoder);
  ASSERT_EQ(samples.sample_count(), 2U);
  EXPECT_EQ(samples.features(1)[1], 4);
  for (const char* text : {"1\n", "1,2,65536\n", "1,2,-1\n", "1,2,3,4\n"}) {
    EXPECT_THROW((void)parse_hold_out(text, "x", autoencoder), ReleaseError) << text;
  }
}

TEST(Evaluate, BinaryCrossEntropyIsRightIfAllBitsAre) {
  const ModelSpec spec = identity_with(Loss::kBinaryCrossEntropy);
  const HoldOut samples = parse_hold_out("9,-9,1\n9,9,3\n-9,9,1\n", "x", spec);
  const wire::EvaluationMetrics metrics = evaluate(spec, kIdentityWeights, samples);
  EXPECT_EQ(metrics.correct_count, 2U);
  // ln(1 + e^-9) for each right bit, 9 more for each wrong one; the mean of two bits, of three.
  EXPECT_NEAR(metrics.mean_loss_q16 / 65536.0, 3 + 0.00012340219, 1e-3);
}

TEST(Evaluate, AnAutoencoderHasALossAndNoAccuracy) {
  const ModelSpec spec = identity_with(Loss::kMeanSquaredError);
  // Weights of twice the identity: each output is off by its feature.
  std::vector<std::uint8_t> twice = kIdentityWeights;
  twice[2] = twice[8] = 2;
  const HoldOut samples = parse_hold_out("1,2\n3,4,1\n", "x", spec);
  const wire::EvaluationMetrics metrics = evaluate(spec, twice, samples);
  EXPECT_EQ(metrics.sample_count, 2U);
  EXPECT_EQ(metrics.correct_count, 0U);
  EXPECT_EQ(metrics.mean_loss_q16, (1 + 4 + 9 + 16) * 65536U / 4);
  EXPECT_EQ(evaluate(spec, kIdentityWeights, samples).mean_loss_q16, 0U);
  EXPECT_FALSE(has_accuracy(spec.loss));
}

TEST(Evaluate, DoesNotDependOnTheOrderOfSamples) {
  const ModelSpec spec = identity_spec();
  const HoldOut forwards = parse_hold_out("9,0,0\n3,2,1\n4,0,1\n", "x", spec);
  const HoldOut backwards = parse_hold_out("4,0,1\n3,2,1\n9,0,0\n", "x", spec);
  const wire::EvaluationMetrics a = evaluate(spec, kIdentityWeights, forwards);
  const wire::EvaluationMetrics b = evaluate(spec, kIdentityWeights, backwards);
  EXPECT_EQ(a.mean_loss_q16, b.mean_loss_q16);
  EXPECT_EQ(a.correct_count, b.correct_count);
}

TEST(Evaluate, RefusesWhatDoesNotFit) {
  const HoldOut samples = parse_hold_out("9,0,0\n", "x", identity_spec());
  const auto status = [&](const ModelSpec& spec, Bytes weights, const HoldOut& hold_out) {
    try {
      (void)evaluate(spec, weights, hold_out);
      return Status::kOk;
    } catch (const ReleaseError& error) {
      return error.status();
    }
  };
  EXPECT_EQ(status(identity_spec(), Bytes(kIdentityWeights).first(17), samples),
            Status::kMalformed);
  EXPECT_EQ(status(identity_spec(), kIdentityWeights, HoldOut({1, 2, 3}, {0})),
            Status::kInvalidArgument);
  EXPECT_EQ(status(identity_spec(), kIdentityWeights, HoldOut({1, 2}, {2})),
            Status::kInvalidArgument);
  EXPECT_EQ(status(ModelSpec{}, kIdentityWeights, samples), Status::kInvalidArgument);
}

TEST(InitialWeights, AreTheSeedsAndLoadable) {
  const ModelSpec spec = release_testing::small_spec();
  EXPECT_EQ(initial_weights(spec, 1), initial_weights(spec, 1));
  EXPECT_NE(initial_weights(spec, 1), initial_weights(spec, 2));
  const HoldOut samples = parse_hold_out("1,2,3,4,5,2\n", "x", spec);
  EXPECT_EQ(evaluate(spec, initial_weights(spec, 1), samples).sample_count, 1U);
  EXPECT_THROW((void)initial_weights(ModelSpec{}, 1), ReleaseError);
}

}  // namespace
}  // namespace skep::release

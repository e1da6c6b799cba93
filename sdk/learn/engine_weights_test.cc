// Weights in and out: initial values, the blob, differences.
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "bounded_step_test_support.h"
#include "engine_test_support.h"
#include "skep/learn/engine.h"
#include "skep/learn_testing/specs.h"

namespace skep::learn {
namespace {

using learn_testing::mlp_spec;
using Blob = std::vector<std::uint8_t>;

constexpr ModelSpec kDigits = mlp_spec({64, 32, 10}, -4);
constexpr ModelSpec kTiny = mlp_spec({2, 1, 2}, -15);

TEST(Initialize, FollowsHe) {
  for (const std::uint16_t inputs : std::initializer_list<std::uint16_t>{1, 3, 64, 784, 4096}) {
    const auto outputs = static_cast<std::uint16_t>(std::min(40000 / inputs, 4096));
    const ModelSpec spec = mlp_spec({inputs, outputs}, 0);
    TestEngine engine(spec, Purpose::kInference);
    ASSERT_EQ(engine->initialize(inputs), Status::kOk);
    const LayerValues layer = values_of_blob(spec, engine.blob())[0];
    const double limit = std::sqrt(6.0 / inputs);
    double sum = 0;
    double squares = 0;
    double largest = 0;
    for (const double w : layer.weights) {
      sum += w;
      squares += w * w;
      largest = std::max(largest, std::abs(w));
    }
    const auto n = static_cast<double>(layer.weights.size());
    EXPECT_LE(largest, limit);
    EXPECT_GE(largest, limit * 0.99);
    EXPECT_NEAR(squares / n, 2.0 / inputs, 2.0 / inputs * 5 / std::sqrt(n)) << inputs;
    EXPECT_NEAR(sum / n, 0, 5 * std::sqrt(2.0 / inputs / n)) << inputs;
    for (const double b : layer.biases) EXPECT_EQ(b, 0);
  }
}

TEST(Initialize, LeavesTwoBitsOfHeadroom) {
  TestEngine engine(kDigits, Purpose::kInference);
  ASSERT_EQ(engine->initialize(4), Status::kOk);
  const Blob blob = engine.blob();
  for (const FusedLayer& layer : ParameterLayers(kDigits)) {
    int largest = 0;
    for (std::uint32_t i = 0; i < layer.weight_count; ++i) {
      const std::uint32_t at = layer.weights_offset + 2 * i;
      const auto w = static_cast<std::int16_t>(blob[at] | blob[at + 1] << 8);
      largest = std::max(largest, std::abs(int{w}));
    }
    EXPECT_LT(largest, 1 << 13);
    EXPECT_GE(largest, (1 << 12) * 99 / 100);
  }
}

TEST(Initialize, IsDeterminedByItsSeed) {
  TestEngine a(kDigits, Purpose::kTraining);
  TestEngine b(kDigits, Purpose::kInference);
  ASSERT_EQ(a->initialize(9), Status::kOk);
  ASSERT_EQ(b->initialize(9), Status::kOk);
  EXPECT_EQ(a.blob(), b.blob());
  ASSERT_EQ(b->initialize(10), Status::kOk);
  EXPECT_NE(a.blob(), b.blob());
}

TEST(WeightsBlob, BytesAreThoseOfTheReference) {
  TestEngine engine(kTiny, Purpose::kInference);
  const Blob blob{0xF5, 0xFF,              // exponent −11
                  0x01, 0x02, 0xFE, 0xFF,  // W = [0x0201, −2]
                  0x78, 0x56, 0x34, 0x12,  // b = [0x12345678]
                  0x00, 0x00,              // exponent 0
                  0x00, 0x80, 0xFF, 0x7F,  // W = [−32768; 32767]
                  0x00, 0x00, 0x00, 0x80, 0xFF, 0xFF, 0xFF, 0xFF};
  ASSERT_EQ(engine->load(SpanSource(blob)), Status::kOk);
  EXPECT_EQ(engine.blob(), blob);
}

RC_GTEST_PROP(WeightsBlob, RoundTripsForAnyValues, ()) {
  TestEngine engine(kDigits, Purpose::kTraining);
  auto blob = *rc::gen::container<Blob>(4908, rc::gen::arbitrary<std::uint8_t>());
  for (const FusedLayer& layer : ParameterLayers(kDigits)) {
    const int exponent = *rc::gen::inRange(kMinWeightExponent, kMaxWeightExponent + 1);
    blob[layer.exponent_offset] = static_cast<std::uint8_t>(exponent);
    blob[layer.exponent_offset + 1] = static_cast<std::uint8_t>(exponent >> 8);
  }
  RC_ASSERT(engine->load(SpanSource(blob)) == Status::kOk);
  RC_ASSERT(engine.blob() == blob);
}

TEST(WeightsBlob, MalformedOnesChangeNothing) {
  TestEngine engine(kDigits, Purpose::kTraining);
  ASSERT_EQ(engine->initialize(2), Status::kOk);
  const Blob before = engine.blob();
  std::vector<std::int16_t> delta(engine.plan().parameter_count, 77);
  const auto expect_refused = [&](const Blob& blob) {
    EXPECT_EQ(engine->load(SpanSource(blob)), Status::kMalformed);
    EXPECT_EQ(engine.blob(), before);
    EXPECT_EQ(engine->difference_from(SpanSource(blob), delta, 1).status(), Status::kMalformed);
    EXPECT_EQ(delta, std::vector<std::int16_t>(delta.size(), 77));
  };
  for (const std::size_t size : {0U, 1U, 2U, 4907U, 4909U, 9816U}) expect_refused(Blob(size));
  for (const FusedLayer& layer : ParameterLayers(kDigits)) {
    for (const int exponent : {-32768, -31, 1, 15, 32767}) {
      Blob blob = before;
      blob[layer.exponent_offset] = static_cast<std::uint8_t>(exponent);
      blob[layer.exponent_offset + 1] = static_cast<std::uint8_t>(exponent >> 8);
      expect_refused(blob);
    }
  }
}

TEST(WeightsBlob, StoreNeedsExactlyTheBlobsSize) {
  TestEngine engine(kTiny, Purpose::kInference);
  Blob out(engine.plan().weights_blob_bytes + 1, 0x5A);
  EXPECT_EQ(engine->store(out), Status::kInvalidArgument);
  EXPECT_EQ(engine->store(MutableBytes(out).first(out.size() - 2)), Status::kInvalidArgument);
  EXPECT_EQ(out, Blob(out.size(), 0x5A));
}

// A medium that fails after some reads, or turns into other bytes.
class FaultySource final : public ByteSource {
 public:
  FaultySource(const Blob& blob, int good_reads, bool garbage)
      : blob_(blob), reads_left_(good_reads), garbage_(garbage) {}
  [[nodiscard]] std::uint32_t size_bytes() const override {
    return static_cast<std::uint32_t>(blob_.size());
  }
  Status read(std::uint32_t offset, MutableBytes out) const override {
    largest_read_ = std::max(largest_read_, out.size());
    if (reads_left_-- > 0) return SpanSource(blob_).read(offset, out);
    std::fill(out.begin(), out.end(), std::uint8_t{0x6E});
    return garbage_ ? Status::kOk : Status::kStorageFailed;
  }
  mutable std::size_t largest_read_ = 0;

 private:
  const Blob& blob_;
  mutable int reads_left_;
  bool garbage_;
};

TEST(WeightsBlob, AFailingMediumIsReportedWhereverItFails) {
  TestEngine engine(kDigits, Purpose::kInference);
  ASSERT_EQ(engine->initialize(2), Status::kOk);
  const Blob blob = engine.blob();
  std::vector<std::int16_t> delta(engine.plan().parameter_count);
  const int load_reads = 2 + (4908 + 63) / 64;
  const int difference_reads = load_reads + (4908 + 63) / 64;
  for (int good = 0; good < difference_reads; ++good) {
    const FaultySource source(blob, good, false);
    EXPECT_EQ(engine->difference_from(source, delta, 1).status(), Status::kStorageFailed) << good;
    EXPECT_LE(source.largest_read_, 64U);
  }
  EXPECT_TRUE(engine->difference_from(FaultySource(blob, difference_reads, false), delta, 1).ok());
  for (int good = 0; good < load_reads; ++good) {
    EXPECT_EQ(engine->load(FaultySource(blob, good, false)), Status::kStorageFailed) << good;
  }
  EXPECT_EQ(engine->load(FaultySource(blob, load_reads, false)), Status::kOk);
}

TEST(WeightsBlob, AMediumThatChangesItsMindIsNotTrusted) {
  TestEngine engine(kDigits, Purpose::kInference);
  const Blob blob = engine.blob();
  std::vector<std::int16_t> delta(engine.plan().parameter_count);
  // Good while the exponents are checked, garbage when they are read again.
  EXPECT_EQ(engine->load(FaultySource(blob, 2, true)), Status::kStorageFailed);
  EXPECT_EQ(engine->difference_from(FaultySource(blob, 2, true), delta, 1).status(),
            Status::kStorageFailed);
  const std::vector<std::int16_t> features(64, 16);
  EXPECT_TRUE(engine->forward(features).ok());
}

TEST(Difference, RefusesWrongArguments) {
  TestEngine engine(kTiny, Purpose::kTraining);
  const Blob blob = engine.blob();
  std::vector<std::int16_t> out(engine.plan().parameter_count + 1, 7);
  const auto difference = [&](std::size_t size, std::uint32_t samples) {
    return engine->difference_from(SpanSource(blob), std::span(out).first(size), samples).status();
  };
  EXPECT_EQ(difference(out.size(), 1), Status::kInvalidArgument);
  EXPECT_EQ(difference(out.size() - 2, 1), Status::kInvalidArgument);
  EXPECT_EQ(difference(out.size() - 1, 0), Status::kInvalidArgument);
  EXPECT_EQ(out, std::vector<std::int16_t>(out.size(), 7));
}

TEST(Difference, OfAModelFromItselfIsZero) {
  TestEngine engine(kDigits, Purpose::kTraining);
  ASSERT_EQ(engine->initialize(6), Status::kOk);
  std::vector<std::int16_t> out(engine.plan().parameter_count, 7);
  const Result<Delta> delta = engine->difference_from(SpanSource(engine.blob()), out, 12);
  ASSERT_TRUE(delta.ok());
  EXPECT_EQ(delta->sample_count, 12U);
  EXPECT_EQ(delta->exponent, kMinDeltaExponent);
  EXPECT_EQ(delta->values.data(), out.data());
  EXPECT_EQ(out, std::vector<std::int16_t>(out.size(), 0));
}

Blob random_tiny_blob() {
  Blob blob;
  const auto value = rc::gen::arbitrary<std::int16_t>();
  const auto bias = rc::gen::arbitrary<std::int32_t>();
  const auto exponent = rc::gen::inRange(kMinWeightExponent, kMaxWeightExponent + 1);
  append_layer(blob, *exponent, {*value, *value}, {*bias});
  append_layer(blob, *exponent, {*value, *value}, {*bias, *bias});
  return blob;
}

std::vector<double> values_of(const Blob& blob) {
  std::vector<double> values;
  for (const LayerValues& layer : values_of_blob(kTiny, blob)) {
    values.insert(values.end(), layer.weights.begin(), layer.weights.end());
    values.insert(values.end(), layer.biases.begin(), layer.biases.end());
  }
  return values;
}

RC_GTEST_PROP(Difference, IsTheRealDifferenceRoundedInTheFinestExponent, ()) {
  // Doubles hold every value here exactly: at most 62 bits apart only for differences, whose
  // error of 2^-53 relative is far below the half unit that is allowed.
  const Blob own = random_tiny_blob();
  const Blob base = random_tiny_blob();
  TestEngine engine(kTiny, Purpose::kInference);
  RC_ASSERT(engine->load(SpanSource(own)) == Status::kOk);
  std::vector<std::int16_t> out(7);
  const Result<Delta> delta = engine->difference_from(SpanSource(base), out, 1);
  RC_ASSERT(delta.ok());
  RC_ASSERT(delta->exponent >= kMinDeltaExponent);
  RC_ASSERT(delta->exponent <= kMaxDeltaExponent);

  const std::vector<double> w = values_of(own);
  const std::vector<double> b = values_of(base);
  double largest = 0;
  for (std::size_t i = 0; i < w.size(); ++i) {
    const double exact = std::ldexp(w[i] - b[i], -delta->exponent);
    const double kept = std::clamp(exact, -32768.0, 32767.0);
    RC_ASSERT(std::abs(out[i] - kept) <= 0.5 + 1e-6);
    if (delta->exponent < kMaxDeltaExponent) RC_ASSERT(std::abs(exact) <= 32767.5 + 1e-6);
    largest = std::max(largest, std::abs(exact));
  }
  if (delta->exponent > kMinDeltaExponent) RC_ASSERT(2 * largest >= 32767.0);
}

RC_GTEST_PROP(Difference, ChangesSignWhenTheModelsAreSwapped, ()) {
  const Blob a = random_tiny_blob();
  const Blob b = random_tiny_blob();
  TestEngine engine_a(kTiny, Purpose::kInference);
  TestEngine engine_b(kTiny, Purpose::kInference);
  RC_ASSERT(engine_a->load(SpanSource(a)) == Status::kOk);
  RC_ASSERT(engine_b->load(SpanSource(b)) == Status::kOk);
  std::vector<std::int16_t> forth(7);
  std::vector<std::int16_t> back(7);
  const Result<Delta> first = engine_a->difference_from(SpanSource(b), forth, 1);
  const Result<Delta> second = engine_b->difference_from(SpanSource(a), back, 1);
  RC_ASSERT(first->exponent == second->exponent);
  for (std::size_t i = 0; i < forth.size(); ++i) {
    const int opposite = std::clamp(-back[i], -32768, 32767);
    RC_ASSERT(forth[i] == opposite || (forth[i] == -32768 && back[i] == 32767));
  }
}

}  // namespace
}  // namespace skep::learn

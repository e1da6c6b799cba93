#include "update_assembler.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <numeric>
#include <vector>

namespace skep::app {
namespace {

constexpr std::size_t kBlock = 16;
constexpr std::size_t kMax = 100;

std::vector<std::uint8_t> make_body(std::size_t size) {
  std::vector<std::uint8_t> body(size);
  std::iota(body.begin(), body.end(), std::uint8_t{1});
  return body;
}

// Block `number` of `body`, with a message id of its own.
UpdateBlock block_of(const std::vector<std::uint8_t>& body, std::uint32_t number,
                     std::uint16_t first_id = 100) {
  const std::size_t offset = number * kBlock;
  const std::size_t length = std::min(kBlock, body.size() - offset);
  return {.number = number,
          .more = offset + length < body.size(),
          .offset = offset,
          .data = Bytes(body).subspan(offset, length),
          .announced_bytes = body.size(),
          .message_id = static_cast<std::uint16_t>(first_id + number)};
}

TEST(UpdateAssembler, JoinsBlocksAndHoldsNothingAfterwards) {
  const auto body = make_body(40);
  UpdateAssembler upload(kMax);
  EXPECT_EQ(upload.add(block_of(body, 0), 0), UploadStep::kContinue);
  EXPECT_EQ(upload.add(block_of(body, 1), 0), UploadStep::kContinue);
  ASSERT_EQ(upload.add(block_of(body, 2), 0), UploadStep::kComplete);
  EXPECT_EQ(upload.take_body(), body);
  EXPECT_EQ(upload.held_bytes(), 0U);
}

TEST(UpdateAssembler, RepeatedBlocksHaveNoEffect) {
  const auto body = make_body(40);
  UpdateAssembler upload(kMax);
  for (const std::uint32_t number : {0U, 0U, 1U, 1U, 0U}) {
    EXPECT_EQ(upload.add(block_of(body, number), 0), UploadStep::kContinue);
  }
  ASSERT_EQ(upload.add(block_of(body, 2), 0), UploadStep::kComplete);
  EXPECT_EQ(upload.take_body(), body);
}

TEST(UpdateAssembler, RepeatedLastBlockIsAcknowledgedUntilForgotten) {
  const auto body = make_body(20);
  UpdateAssembler upload(kMax);
  (void)upload.add(block_of(body, 0), 0);
  ASSERT_EQ(upload.add(block_of(body, 1), 0), UploadStep::kComplete);
  (void)upload.take_body();
  EXPECT_EQ(upload.add(block_of(body, 1), 1), UploadStep::kRepeatedLast);
  EXPECT_EQ(upload.add(block_of(body, 1), kUploadSilenceS), UploadStep::kGap);
}

TEST(UpdateAssembler, AnswerThatIsNotComingEndsTheAcknowledgements) {
  const auto body = make_body(20);
  UpdateAssembler upload(kMax);
  (void)upload.add(block_of(body, 0), 0);
  ASSERT_EQ(upload.add(block_of(body, 1), 0), UploadStep::kComplete);
  (void)upload.take_body();
  upload.forget_completed();
  EXPECT_EQ(upload.add(block_of(body, 1), 1), UploadStep::kGap);
}

TEST(UpdateAssembler, GapGivesUp) {
  const auto body = make_body(60);
  UpdateAssembler upload(kMax);
  EXPECT_EQ(upload.add(block_of(body, 1), 0), UploadStep::kGap);
  (void)upload.add(block_of(body, 0), 0);
  EXPECT_EQ(upload.add(block_of(body, 2), 0), UploadStep::kGap);
  EXPECT_EQ(upload.held_bytes(), 0U);
  EXPECT_EQ(upload.add(block_of(body, 1), 0), UploadStep::kGap);
}

TEST(UpdateAssembler, OtherBytesForAHeldBlockAreNoRepetition) {
  const auto body = make_body(60);
  const std::vector<std::uint8_t> other(60, 0xEE);
  UpdateAssembler upload(kMax);
  (void)upload.add(block_of(body, 0), 0);
  (void)upload.add(block_of(body, 1), 0);
  EXPECT_EQ(upload.add(block_of(other, 1), 0), UploadStep::kGap);
}

TEST(UpdateAssembler, NewFirstBlockBeginsAnew) {
  const auto body = make_body(40);
  UpdateAssembler upload(kMax);
  (void)upload.add(block_of(std::vector<std::uint8_t>(40, 9), 0), 0);
  (void)upload.add(block_of(std::vector<std::uint8_t>(40, 9), 1), 0);
  for (const std::uint32_t number : {0U, 1U}) (void)upload.add(block_of(body, number, 500), 0);
  ASSERT_EQ(upload.add(block_of(body, 2, 500), 0), UploadStep::kComplete);
  EXPECT_EQ(upload.take_body(), body);
}

TEST(UpdateAssembler, RefusesWhatIsTooLargeBeforeItTakesMemory) {
  UpdateAssembler upload(kMax);
  UpdateBlock block = block_of(make_body(16), 0);
  block.more = true;
  block.announced_bytes = std::size_t{1} << 30U;
  EXPECT_EQ(upload.add(block, 0), UploadStep::kTooLarge);
  EXPECT_EQ(upload.held_bytes(), 0U);

  const auto largest = make_body(kMax + 1);  // unannounced
  for (std::uint32_t number = 0; number < 6; ++number) {
    UpdateBlock piece = block_of(largest, number);
    piece.announced_bytes = 0;
    EXPECT_EQ(upload.add(piece, 0), UploadStep::kContinue);
  }
  UpdateBlock last = block_of(largest, 6);
  last.announced_bytes = 0;
  EXPECT_EQ(upload.add(last, 0), UploadStep::kTooLarge);
  EXPECT_EQ(upload.held_bytes(), 0U);
}

TEST(UpdateAssembler, SilenceFreesTheBody) {
  const auto body = make_body(40);
  UpdateAssembler upload(kMax);
  (void)upload.add(block_of(body, 0), 0);
  upload.expire(kUploadSilenceS - 1);
  EXPECT_GT(upload.held_bytes(), 0U);
  upload.expire(kUploadSilenceS);
  EXPECT_EQ(upload.held_bytes(), 0U);
  EXPECT_EQ(upload.add(block_of(body, 1), kUploadSilenceS), UploadStep::kGap);
}

RC_GTEST_PROP(UpdateAssemblerProperty, NeverHoldsMoreThanTheBound, ()) {
  UpdateAssembler upload(kMax);
  const auto steps = *rc::gen::inRange<std::size_t>(0, 60);
  const std::vector<std::uint8_t> data(64, 7);
  for (std::size_t i = 0; i < steps; ++i) {
    const auto number = *rc::gen::inRange<std::uint32_t>(0, 8);
    const auto length = *rc::gen::inRange<std::size_t>(0, 65);
    const auto step = upload.add({.number = number,
                                  .more = *rc::gen::arbitrary<bool>(),
                                  .offset = number * kBlock,
                                  .data = Bytes(data).first(length),
                                  .announced_bytes = *rc::gen::inRange<std::size_t>(0, 2 * kMax),
                                  .message_id = *rc::gen::arbitrary<std::uint16_t>()},
                                 static_cast<std::int64_t>(i));
    if (step == UploadStep::kComplete) RC_ASSERT(upload.take_body().size() <= kMax);
    if (step == UploadStep::kTooLarge) RC_ASSERT(upload.held_bytes() == 0U);
    RC_ASSERT(upload.held_bytes() <= 2 * kMax);  // a vector grows by doubling
  }
}

}  // namespace
}  // namespace skep::app

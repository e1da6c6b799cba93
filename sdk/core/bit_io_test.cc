#include "skep/core/bit_io.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <cstdint>
#include <vector>

namespace skep {
namespace {

struct Field {
  bool unary;
  std::uint32_t count;
  std::uint32_t value;
};

rc::Gen<Field> any_field() {
  return rc::gen::exec([] {
    const bool unary = *rc::gen::arbitrary<bool>();
    if (unary) return Field{true, 0, *rc::gen::inRange<std::uint32_t>(0, 200)};
    const auto count = *rc::gen::inRange<std::uint32_t>(0, 25);
    return Field{false, count, *rc::gen::inRange<std::uint32_t>(0, 1U << count)};
  });
}

std::vector<std::uint8_t> write_all(const std::vector<Field>& fields) {
  std::vector<std::uint8_t> out(fields.size() * 26 + 1);
  BitWriter writer(out);
  for (const Field& field : fields) {
    const Status status =
        field.unary ? writer.write_unary(field.value) : writer.write(field.value, field.count);
    EXPECT_EQ(status, Status::kOk);
  }
  const Result<std::size_t> size = writer.finish();
  EXPECT_TRUE(size.ok());
  out.resize(*size);
  return out;
}

TEST(BitWriter, PutsTheFirstBitHighest) {
  std::vector<std::uint8_t> out(3);
  BitWriter writer(out);
  ASSERT_EQ(writer.write(0b101, 3), Status::kOk);
  ASSERT_EQ(writer.write_unary(2), Status::kOk);    // 110
  ASSERT_EQ(writer.write(0xFFF1, 4), Status::kOk);  // 0001, what is above is ignored
  const Result<std::size_t> size = writer.finish();
  ASSERT_TRUE(size.ok());
  EXPECT_EQ(*size, 2U);
  EXPECT_EQ(out[0], 0b10111000);
  EXPECT_EQ(out[1], 0b01000000);
}

TEST(BitWriter, RefusesWhatDoesNotFit) {
  std::vector<std::uint8_t> out(1);
  BitWriter writer(out);
  EXPECT_EQ(writer.write(0x7F, 7), Status::kOk);
  EXPECT_EQ(writer.write(1, 9), Status::kNoMemory);

  BitWriter partial(MutableBytes{});
  EXPECT_EQ(partial.write(1, 1), Status::kOk);
  EXPECT_EQ(partial.finish().status(), Status::kNoMemory);
}

RC_GTEST_PROP(BitIo, ReadsWhatWasWritten, ()) {
  const auto fields = *rc::gen::container<std::vector<Field>>(any_field());
  const std::vector<std::uint8_t> bytes = write_all(fields);
  BitReader reader(bytes);
  for (const Field& field : fields) {
    std::uint32_t value = 0;
    const Status status =
        field.unary ? reader.read_unary(field.value, value) : reader.read(field.count, value);
    RC_ASSERT(status == Status::kOk);
    RC_ASSERT(value == field.value);
  }
  RC_ASSERT(reader.check_end() == Status::kOk);
}

TEST(BitReader, RefusesToReadPastTheEnd) {
  const std::vector<std::uint8_t> bytes{0xFF, 0xFF, 0xFF, 0xFF, 0xFF};
  BitReader reader(bytes);
  std::uint32_t value = 7;
  ASSERT_EQ(reader.read(24, value), Status::kOk);
  EXPECT_EQ(value, 0xFFFFFFU);
  EXPECT_EQ(reader.read(17, value), Status::kMalformed);
  EXPECT_EQ(value, 0xFFFFFFU) << "unchanged on error";
  EXPECT_EQ(reader.read(16, value), Status::kOk);
  EXPECT_EQ(reader.check_end(), Status::kOk);
  EXPECT_EQ(reader.read(1, value), Status::kMalformed);
  EXPECT_EQ(reader.read(0, value), Status::kOk);
  EXPECT_EQ(value, 0U);
}

TEST(BitReader, RefusesUnaryWithoutEndOrAboveItsBound) {
  const std::vector<std::uint8_t> ones(9, 0xFF);
  std::uint32_t value = 7;
  BitReader endless(ones);
  EXPECT_EQ(endless.read_unary(UINT32_MAX, value), Status::kMalformed);
  BitReader bounded(ones);
  EXPECT_EQ(bounded.read_unary(40, value), Status::kMalformed);
  EXPECT_EQ(value, 7U);

  const std::vector<std::uint8_t> exactly_40{0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x00};
  BitReader fits(exactly_40);
  EXPECT_EQ(fits.read_unary(40, value), Status::kOk);
  EXPECT_EQ(value, 40U);
  BitReader one_too_many(exactly_40);
  EXPECT_EQ(one_too_many.read_unary(39, value), Status::kMalformed);
}

TEST(BitReader, EndsOnlyWithAPaddingOfZeros) {
  const auto end_after = [](std::vector<std::uint8_t> bytes, std::uint32_t bits) {
    BitReader reader(bytes);
    std::uint32_t value = 0;
    EXPECT_EQ(reader.read(bits, value), Status::kOk);
    return reader.check_end();
  };
  EXPECT_EQ(end_after({}, 0), Status::kOk);
  EXPECT_EQ(end_after({0xE0}, 3), Status::kOk);
  EXPECT_EQ(end_after({0xE1}, 3), Status::kMalformed) << "a padding bit is set";
  EXPECT_EQ(end_after({0xFF, 0x00}, 8), Status::kMalformed) << "a whole byte is left";
  EXPECT_EQ(end_after({0, 0, 0, 0, 0, 0}, 1), Status::kMalformed);
  EXPECT_EQ(end_after({0x00}, 0), Status::kMalformed);
}

}  // namespace
}  // namespace skep

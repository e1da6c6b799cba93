#include "skep/port_baremetal/sensor_frame.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <cstdint>
#include <vector>

namespace skep::port_baremetal {
namespace {

using Buffer = std::vector<std::uint8_t>;
using Readings = std::vector<std::int32_t>;

Buffer frame_of(const Readings& readings) {
  Buffer frame(sensor_frame_bytes(readings.size()));
  EXPECT_EQ(encode_sensor_frame(readings, frame), Status::kOk);
  return frame;
}

// The frames that come out.
std::vector<Readings> read(SensorFrameReader& reader, const Buffer& bytes) {
  std::vector<Readings> found;
  for (const std::uint8_t byte : bytes) {
    if (!reader.push(byte)) continue;
    found.emplace_back(reader.readings().begin(), reader.readings().end());
  }
  return found;
}

void append(Buffer& to, const Buffer& bytes) { to.insert(to.end(), bytes.begin(), bytes.end()); }

rc::Gen<Readings> any_readings(std::size_t channels) {
  return rc::gen::container<Readings>(channels, rc::gen::arbitrary<std::int32_t>());
}

// By a model of the format in Python, whose CRC of "123456789" is 0xF4, as it is published.
TEST(SensorFrame, IsWhatTheHeaderSays) {
  EXPECT_EQ(frame_of({12'345}), (Buffer{0xA5, 0x01, 0x39, 0x30, 0x00, 0x00, 0x8C}));
  EXPECT_EQ(frame_of({-1, 0}),
            (Buffer{0xA5, 0x02, 0xFF, 0xFF, 0xFF, 0xFF, 0x00, 0x00, 0x00, 0x00, 0xFB}));
}

TEST(SensorFrame, RefusesWhatDoesNotFit) {
  Buffer out(sensor_frame_bytes(1) - 1, 7);
  EXPECT_EQ(encode_sensor_frame(Readings{1}, out), Status::kNoMemory);
  EXPECT_EQ(encode_sensor_frame({}, out), Status::kInvalidArgument);
  EXPECT_EQ(encode_sensor_frame(Readings(kMaxSensorChannels + 1), out), Status::kInvalidArgument);
  EXPECT_EQ(out, Buffer(out.size(), 7));
}

TEST(SensorFrame, UpToThreeFlippedBitsAreFound) {
  for (const std::size_t channels : {1U, 2U, 3U}) {
    const Buffer good = frame_of(Readings(channels, 0x12A5'01C3));
    const std::size_t bits = good.size() * 8;
    SensorFrameReader clean(channels);
    ASSERT_EQ(read(clean, good).size(), 1U);
    const auto flip = [](Buffer& frame, std::size_t bit) {
      frame[bit / 8] ^= static_cast<std::uint8_t>(1U << bit % 8);
    };
    const auto check = [&](const Buffer& frame) {
      SensorFrameReader reader(channels);
      ASSERT_TRUE(read(reader, frame).empty());
    };
    for (std::size_t a = 0; a < bits; ++a) {
      Buffer one = good;
      flip(one, a);
      ASSERT_NO_FATAL_FAILURE(check(one));
      for (std::size_t b = a + 1; b < bits; ++b) {
        Buffer two = one;
        flip(two, b);
        ASSERT_NO_FATAL_FAILURE(check(two));
        for (std::size_t c = b + 1; c < bits; ++c) {
          Buffer three = two;
          flip(three, c);
          ASSERT_NO_FATAL_FAILURE(check(three));
        }
      }
    }
  }
}

TEST(SensorFrame, AFrameOfAnotherSensorIsGarbage) {
  SensorFrameReader reader(1);
  EXPECT_TRUE(read(reader, frame_of({1, 2})).empty());
  EXPECT_EQ(read(reader, frame_of({3})), (std::vector<Readings>{{3}}));
  EXPECT_EQ(reader.skipped_bytes(), sensor_frame_bytes(2));
  EXPECT_EQ(reader.bad_frames(), 0U);
}

TEST(SensorFrame, AFrameInsideOfWhatBeganLikeOneIsFound) {
  SensorFrameReader reader(1);
  Buffer bytes{0xA5, 0x01, 0xA5, 0xA5, 0x01};  // the line was cut, twice
  append(bytes, frame_of({-77}));
  EXPECT_EQ(read(reader, bytes), (std::vector<Readings>{{-77}}));
  EXPECT_EQ(reader.skipped_bytes(), 5U);
  EXPECT_EQ(reader.bad_frames(), 2U);
}

TEST(SensorFrame, ChannelsAreClamped) {
  SensorFrameReader none(0);
  EXPECT_EQ(read(none, frame_of({5})), (std::vector<Readings>{{5}}));
  SensorFrameReader many(kMaxSensorChannels + 1);
  const Readings most(kMaxSensorChannels, INT32_MIN);
  EXPECT_EQ(read(many, frame_of(most)), (std::vector<Readings>{most}));
}

RC_GTEST_PROP(SensorFrameProperty, CleanLinesLoseNothing, ()) {
  const auto channels = *rc::gen::inRange<std::size_t>(1, kMaxSensorChannels + 1);
  const auto sent = *rc::gen::container<std::vector<Readings>>(any_readings(channels));
  Buffer bytes;
  for (const Readings& readings : sent) append(bytes, frame_of(readings));
  SensorFrameReader reader(channels);
  RC_ASSERT(read(reader, bytes) == sent);
  RC_ASSERT(reader.skipped_bytes() == 0U);
}

// Garbage of the bytes that frames are made of, so that much of it begins like one. What is sent
// after it is found, whatever the reader made of the garbage; every byte is accounted for.
RC_GTEST_PROP(SensorFrameProperty, GarbageNeverCostsAFrameAfterIt, ()) {
  const auto channels = *rc::gen::inRange<std::size_t>(1, 4);
  const auto garbage = *rc::gen::container<Buffer>(
      rc::gen::element<std::uint8_t>(0xA5, static_cast<std::uint8_t>(channels), 0x00, 0xFF));
  const Readings sent = *any_readings(channels);
  const Buffer frame = frame_of(sent);
  // Without a frame in the garbage, or across its end.
  const auto holds_frame = [&](const Buffer& bytes) {
    for (std::size_t at = 0; at + frame.size() <= bytes.size(); ++at) {
      const Buffer part(bytes.begin() + static_cast<std::ptrdiff_t>(at),
                        bytes.begin() + static_cast<std::ptrdiff_t>(at + frame.size()));
      SensorFrameReader alone(channels);
      if (!read(alone, part).empty()) return true;
    }
    return false;
  };
  Buffer overlap = garbage;
  append(overlap, Buffer(frame.begin(), frame.end() - 1));
  RC_PRE(!holds_frame(overlap));

  SensorFrameReader reader(channels);
  Buffer bytes = garbage;
  append(bytes, frame);
  RC_ASSERT(read(reader, bytes) == std::vector<Readings>{sent});
  RC_ASSERT(reader.skipped_bytes() == garbage.size());
}

}  // namespace
}  // namespace skep::port_baremetal

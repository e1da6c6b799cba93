#include "skep/observe/sliding_window.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <cmath>
#include <cstdint>
#include <vector>

namespace skep::observe {
namespace {

RC_GTEST_PROP(SlidingWindow, HoldsTheMeansOfTheLastFrames, ()) {
  const WindowOptions options{.channels = *rc::gen::inRange<std::uint16_t>(1, 4),
                              .frames = *rc::gen::inRange<std::uint16_t>(1, 6),
                              .stride = *rc::gen::inRange<std::uint8_t>(1, 5)};
  std::vector<std::int32_t> memory(SlidingWindow::words_for(options), 12345);
  SlidingWindow window(memory, options);
  std::vector<std::vector<std::int32_t>> frames;
  std::vector<std::int64_t> sums(options.channels);
  const int readings = *rc::gen::inRange(0, 60);
  for (int i = 1; i <= readings; ++i) {
    const auto reading = *rc::gen::container<std::vector<std::int32_t>>(
        options.channels, rc::gen::inRange(kMinReading, kMaxReading + 1));
    for (std::size_t c = 0; c < reading.size(); ++c) sums[c] += reading[c];
    const Result<bool> is_complete = window.push(reading);
    RC_ASSERT(is_complete.ok());
    RC_ASSERT(*is_complete == (i % options.stride == 0));
    if (!*is_complete) continue;
    std::vector<std::int32_t> frame;
    for (std::int64_t& sum : sums) {
      frame.push_back(
          static_cast<std::int32_t>(std::llround(static_cast<long double>(sum) / options.stride)));
      sum = 0;
    }
    frames.push_back(frame);
    RC_ASSERT(window.is_full() == (frames.size() >= options.frames));
    for (std::size_t age = 0; age < std::min<std::size_t>(frames.size(), options.frames); ++age) {
      const auto got = window.frame(static_cast<std::uint32_t>(age));
      RC_ASSERT(
          (std::vector<std::int32_t>(got.begin(), got.end()) == frames[frames.size() - 1 - age]));
    }
  }
}

TEST(SlidingWindow, LargestSumsDoNotOverflow) {
  for (const std::int32_t extreme : {kMinReading, kMaxReading}) {
    std::vector<std::int32_t> memory(2);
    SlidingWindow window(memory, {.channels = 1, .frames = 1, .stride = 255});
    for (int i = 0; i < 255; ++i) {
      ASSERT_TRUE(window.push(std::vector<std::int32_t>{extreme}).ok());
    }
    EXPECT_EQ(window.frame(0)[0], extreme);
  }
}

TEST(SlidingWindow, RefusesBadReadingsAndChangesNothing) {
  std::vector<std::int32_t> memory(2 * 3);
  SlidingWindow window(memory, {.channels = 2, .frames = 2, .stride = 2});
  ASSERT_FALSE(*window.push(std::vector<std::int32_t>{1, 2}));
  for (const std::vector<std::int32_t>& bad :
       {std::vector<std::int32_t>{}, {1}, {1, 2, 3}, {1, kMaxReading + 1}, {INT32_MIN, 0}}) {
    EXPECT_EQ(window.push(bad).status(), Status::kInvalidArgument);
  }
  ASSERT_TRUE(*window.push(std::vector<std::int32_t>{3, 4}));
  EXPECT_EQ(window.frame(0)[0], 2);
  EXPECT_EQ(window.frame(0)[1], 3);
}

TEST(SlidingWindow, RefusesOptionsAndMemoryThatDoNotDo) {
  std::vector<std::int32_t> memory(3);
  const std::vector<std::int32_t> reading{1};
  for (const WindowOptions& options :
       {WindowOptions{.channels = 0, .frames = 1}, {.frames = 0}, {.frames = 1, .stride = 0}}) {
    EXPECT_EQ(SlidingWindow(memory, options).push(reading).status(), Status::kInvalidArgument);
  }
  EXPECT_EQ(SlidingWindow(memory, {.frames = 3}).push(reading).status(), Status::kNoMemory);
  EXPECT_TRUE(SlidingWindow(memory, {.frames = 2}).push(reading).ok());
}

}  // namespace
}  // namespace skep::observe

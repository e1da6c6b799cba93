#include "skep/status.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <set>
#include <string>

namespace skep {
namespace {

TEST(Status, EveryValueHasItsOwnName) {
  std::set<std::string> names;
  for (std::uint8_t value = 0; value <= static_cast<std::uint8_t>(Status::kInternal); ++value) {
    names.insert(to_string(static_cast<Status>(value)));
  }
  EXPECT_EQ(names.size(), static_cast<std::size_t>(Status::kInternal) + 1);
  EXPECT_EQ(names.count("Unknown"), 0U);
  EXPECT_STREQ(to_string(Status::kNoEntropy), "NoEntropy");
}

TEST(Status, AForeignNumberHasANameToo) {
  EXPECT_STREQ(to_string(static_cast<Status>(255)), "Unknown");
}

constexpr Result<int> half(int value) {
  if (value % 2 != 0) return Status::kInvalidArgument;
  return value / 2;
}

TEST(Result, WorksInConstantExpressions) {
  static_assert(half(8).ok());
  static_assert(*half(8) == 4);
  static_assert(half(7).status() == Status::kInvalidArgument);
}

TEST(Result, AnErrorOfOkIsABug) { EXPECT_EQ(Result<int>(Status::kOk).status(), Status::kInternal); }

TEST(Result, CopiesMovesAndDestroysItsValueOnce) {
  struct Counted {
    explicit Counted(int& alive) : alive_(&alive) { ++*alive_; }
    Counted(const Counted& other) : alive_(other.alive_) { ++*alive_; }
    Counted(Counted&& other) noexcept : alive_(other.alive_) { ++*alive_; }
    Counted& operator=(const Counted&) = delete;
    ~Counted() { --*alive_; }
    int* alive_;
  };
  int alive = 0;
  {
    const Result<Counted> first{Counted(alive)};
    EXPECT_EQ(alive, 1);
    const Result<Counted> copy(first);
    EXPECT_EQ(alive, 2);
    const Result<Counted> error(Status::kBusy);
    const Result<Counted> copied_error(error);
    EXPECT_EQ(copied_error.status(), Status::kBusy);
    EXPECT_EQ(alive, 2);
  }
  EXPECT_EQ(alive, 0);
}

Result<int> twice_the_half(int value) {
  SKEP_ASSIGN_OR_RETURN(const int h, half(value));
  return h * 2;
}

TEST(Result, AssignOrReturnBindsOrReturns) {
  EXPECT_EQ(*twice_the_half(10), 10);
  EXPECT_EQ(twice_the_half(11).status(), Status::kInvalidArgument);
}

}  // namespace
}  // namespace skep

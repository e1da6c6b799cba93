#include "skep/checked/take.h"

#include <gtest/gtest.h>

#include <memory>

namespace skep::checked {
namespace {

template <typename Action>
std::string thrown_by(const Action& action) {
  try {
    action();
  } catch (const std::runtime_error& error) {
    return error.what();
  }
  return {};
}

TEST(Checked, PassesOnWhatIsThere) {
  require(Status::kOk, "nothing to say");
  const auto value = take(Result(std::make_unique<int>(7)), "a number that cannot be copied");
  EXPECT_EQ(*value, 7);
}

TEST(Checked, SaysWhatWasTriedAndWhyNot) {
  EXPECT_EQ(thrown_by([] { require(Status::kNoMemory, "plan"); }),
            std::string("plan: ") + to_string(Status::kNoMemory));
  EXPECT_EQ(thrown_by([] { (void)take(Result<int>(Status::kNotFound), "key"); }),
            std::string("key: ") + to_string(Status::kNotFound));
}

}  // namespace
}  // namespace skep::checked

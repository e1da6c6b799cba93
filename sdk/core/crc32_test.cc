#include "skep/core/crc32.h"

#include <gtest/gtest.h>

#include <string_view>

namespace skep {
namespace {

Bytes bytes_of(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

TEST(Crc32, CheckValueOfTheCatalogue) {
  EXPECT_EQ(crc32(bytes_of("123456789")), 0xCBF43926U);
  EXPECT_EQ(crc32(bytes_of("")), 0U);
  EXPECT_EQ(crc32(bytes_of("The quick brown fox jumps over the lazy dog")), 0x414FA339U);
}

TEST(Crc32, PiecesGiveTheWhole) {
  const std::string_view text = "The quick brown fox jumps over the lazy dog";
  for (std::size_t split = 0; split <= text.size(); ++split) {
    const std::uint32_t first = crc32(bytes_of(text.substr(0, split)));
    EXPECT_EQ(crc32(bytes_of(text.substr(split)), first), 0x414FA339U) << split;
  }
}

}  // namespace
}  // namespace skep

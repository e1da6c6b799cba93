#include "skep/port_host/csv_samples.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>

#include "temporary_folder.h"

namespace skep::port_host {
namespace {

using test::error_of;
using test::TemporaryFolder;
using testing::HasSubstr;

TEST(CsvSamples, ReadsRowsWithTheLabelLast) {
  const TemporaryFolder folder;
  for (const std::string text :
       {"0,-5,16,3\n32767,-32768,1,65535\n", "0,-5,16,3\n32767,-32768,1,65535",
        "0,-5,16,3\r\n32767,-32768,1,65535\r\n"}) {
    CsvSamples samples(folder.write("a.csv", text));
    EXPECT_EQ(samples.count(), 2U);
    EXPECT_EQ(samples.feature_count(), 3U);
    std::array<std::int16_t, 3> features{};
    std::uint16_t label = 0;
    ASSERT_EQ(samples.read(0, features, label), Status::kOk);
    EXPECT_EQ(features, (std::array<std::int16_t, 3>{0, -5, 16}));
    EXPECT_EQ(label, 3);
    ASSERT_EQ(samples.read(1, features, label), Status::kOk);
    EXPECT_EQ(features, (std::array<std::int16_t, 3>{32767, -32768, 1}));
    EXPECT_EQ(label, 65535);
  }
}

TEST(CsvSamples, RefusesReadsOfWhatIsNotThere) {
  const TemporaryFolder folder;
  CsvSamples samples(folder.write("a.csv", "1,2,3\n"));
  std::array<std::int16_t, 3> features{};
  std::uint16_t label = 77;
  EXPECT_EQ(samples.read(1, std::span(features).first(2), label), Status::kInvalidArgument);
  EXPECT_EQ(samples.read(0, features, label), Status::kInvalidArgument);
  EXPECT_EQ(samples.read(0, std::span(features).first(1), label), Status::kInvalidArgument);
  EXPECT_EQ(label, 77);
}

struct BadFile {
  const char* content;
  const char* where;
  const char* why;
};

class CsvSamplesRefuses : public testing::TestWithParam<BadFile> {};

TEST_P(CsvSamplesRefuses, NamingRowColumnAndReason) {
  const TemporaryFolder folder;
  const std::string path = folder.write("bad.csv", GetParam().content);
  const std::string error = error_of([&] { const CsvSamples samples(path); });
  EXPECT_THAT(error, HasSubstr(path));
  EXPECT_THAT(error, HasSubstr(GetParam().where));
  EXPECT_THAT(error, HasSubstr(GetParam().why));
}

INSTANTIATE_TEST_SUITE_P(
    Files, CsvSamplesRefuses,
    testing::Values(BadFile{"", "", "holds no sample"},
                    BadFile{"1,2\n3,x\n", "row 2, column 2", "\"x\""},
                    BadFile{"1,2\n3.5,1\n", "row 2, column 1", "\"3.5\""},
                    BadFile{"1, 2\n", "row 1, column 2", "\" 2\""},
                    BadFile{"+1,2\n", "row 1, column 1", "\"+1\""},
                    BadFile{"1,\n", "row 1, column 2", "\"\""},
                    BadFile{"1,,2\n", "row 1, column 2", "\"\""},
                    BadFile{"a,b\n1,2\n", "row 1, column 1", "\"a\""},
                    BadFile{"32768,0\n", "row 1, column 1", "-32768 to 32767"},
                    BadFile{"1,65536\n", "row 1, column 2", "0 to 65535"},
                    BadFile{"1,-1\n", "row 1, column 2", "0 to 65535"},
                    BadFile{"5\n", "row 1, column 1", "at least one feature"},
                    BadFile{"1,2\n\n", "row 2, column 1", "at least one feature"},
                    BadFile{"1,2,3\n1,2\n", "row 2, column 2", "2 columns, the first one has 3"},
                    BadFile{"1,2\n1,2,3\n", "row 2, column 2", "3 columns, the first one has 2"},
                    BadFile{"99999999999999999999,1\n", "row 1, column 1", "integer"}));

TEST(CsvSamples, SaysWhenTheFileIsMissing) {
  EXPECT_THAT(error_of([] { const CsvSamples samples("/nonexistent/x.csv"); }),
              HasSubstr("/nonexistent/x.csv: cannot be opened"));
}

}  // namespace
}  // namespace skep::port_host

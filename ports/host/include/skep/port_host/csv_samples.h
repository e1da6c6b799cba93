// Labelled samples from a CSV file.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "skep/platform.h"

namespace skep::port_host {

/// Rows of decimal integers separated by commas: the features (−32768 … 32767), then the label
/// (0 … 65535). No header, no blanks, no quotes, no empty lines; lines end in LF or CRLF, the last
/// one may lack it. The file is read once, into memory.
class CsvSamples final : public SampleSource {
 public:
  /// Throws std::runtime_error whose text names file, row and column (both from 1) and says what
  /// was expected, if the file cannot be read, holds no sample, a row has another number of
  /// columns than the first, or a value is not an integer in its range.
  explicit CsvSamples(const std::string& path);

  [[nodiscard]] std::uint32_t count() override {
    return static_cast<std::uint32_t>(labels_.size());
  }

  /// Features per sample, ≥ 1.
  [[nodiscard]] std::size_t feature_count() const { return feature_count_; }

  Status read(std::uint32_t index, std::span<std::int16_t> features, std::uint16_t& label) override;

 private:
  void add_row(const std::string& path, std::size_t row, std::string_view line);

  std::size_t feature_count_ = 0;
  std::vector<std::int16_t> features_;  // sample after sample
  std::vector<std::uint16_t> labels_;
};

}  // namespace skep::port_host

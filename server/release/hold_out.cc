#include "skep/release/hold_out.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <fstream>
#include <limits>
#include <utility>

#include "engine_on_heap.h"

namespace skep::release {
namespace {

constexpr std::uintmax_t kMaxHoldOutBytes = std::uintmax_t{256} << 20U;

/// Walks through the text and knows where it is, for messages.
class CsvReader {
 public:
  CsvReader(std::string_view text, const std::string& name) : rest_(text), name_(name) {}

  /// False at the end of the text. A line without end is a line too.
  bool next_line() {
    if (rest_.empty()) return false;
    const std::size_t end = rest_.find('\n');
    line_ = rest_.substr(0, end);
    rest_ = end == std::string_view::npos ? std::string_view{} : rest_.substr(end + 1);
    if (line_.ends_with('\r')) line_.remove_suffix(1);
    ++line_number_;
    column_ = 0;
    return true;
  }

  /// Of the line that next_line() went to.
  [[nodiscard]] std::size_t column_count() const {
    return 1 + static_cast<std::size_t>(std::count(line_.begin(), line_.end(), ','));
  }

  /// The next field as an integer in low … high.
  long next_integer(long low, long high, std::size_t column_count) {
    ++column_;
    const bool is_last = column_ == column_count;
    const std::size_t comma = line_.find(',');
    if (is_last != (comma == std::string_view::npos)) fail_width(column_count, is_last);
    const std::string_view field = line_.substr(0, comma);
    line_ = is_last ? std::string_view{} : line_.substr(comma + 1);
    long value = 0;
    const char* const end = field.data() + field.size();
    const auto [stop, error] = std::from_chars(field.data(), end, value);
    if (error != std::errc{} || stop != end || value < low || value > high) {
      fail("'" + std::string(field.substr(0, 20)) + "' where an integer from " +
           std::to_string(low) + " to " + std::to_string(high) + " was expected");
    }
    return value;
  }

  [[noreturn]] void fail(const std::string& what) const {
    throw ReleaseError(Status::kMalformed, name_ + ", line " + std::to_string(line_number_) +
                                               ", column " + std::to_string(column_) + ": " + what);
  }

 private:
  [[noreturn]] void fail_width(std::size_t column_count, bool too_many) const {
    fail(std::string(too_many ? "more" : "fewer") + " than the " + std::to_string(column_count) +
         " columns expected (the model's features, then the label)");
  }

  std::string_view rest_;
  std::string_view line_;
  const std::string& name_;
  std::size_t line_number_ = 0;
  std::size_t column_ = 0;
};

long largest_label(const ModelSpec& spec) {
  switch (spec.loss) {
    case Loss::kSoftmaxCrossEntropy:
      return spec.outputs() - 1;
    case Loss::kBinaryCrossEntropy:
      return (1L << spec.outputs()) - 1;
    case Loss::kMeanSquaredError:
      break;
  }
  return std::numeric_limits<std::uint16_t>::max();
}

/// Whether what the engine has just computed is right. With the mean squared error nothing is.
bool is_correct(const learn::Engine& engine, std::uint16_t label) {
  const Result<std::uint16_t> predicted = engine.predicted_class();
  return predicted.ok() && *predicted == label;
}

}  // namespace

HoldOut::HoldOut(std::vector<std::int16_t> features, std::vector<std::uint16_t> labels)
    : features_(std::move(features)), labels_(std::move(labels)), width_(0) {
  if (!labels_.empty()) width_ = features_.size() / labels_.size();
  if (width_ * labels_.size() != features_.size()) {
    throw ReleaseError(Status::kInvalidArgument, "samples of different widths");
  }
}

HoldOut parse_hold_out(std::string_view text, const std::string& name, const ModelSpec& spec) {
  std::vector<std::int16_t> features;
  std::vector<std::uint16_t> labels;
  CsvReader reader(text, name);
  while (reader.next_line()) {
    const bool has_label =
        spec.loss != Loss::kMeanSquaredError || reader.column_count() != spec.inputs;
    const std::size_t columns = std::size_t{spec.inputs} + (has_label ? 1 : 0);
    for (std::size_t i = 0; i < spec.inputs; ++i) {
      features.push_back(static_cast<std::int16_t>(
          reader.next_integer(std::numeric_limits<std::int16_t>::min(),
                              std::numeric_limits<std::int16_t>::max(), columns)));
    }
    const long label = has_label ? reader.next_integer(0, largest_label(spec), columns) : 0;
    labels.push_back(static_cast<std::uint16_t>(label));
  }
  if (labels.empty()) throw ReleaseError(Status::kMalformed, name + " has no samples");
  return {std::move(features), std::move(labels)};
}

HoldOut load_hold_out(const std::filesystem::path& path, const ModelSpec& spec) {
  std::error_code error;
  const std::uintmax_t size = std::filesystem::file_size(path, error);
  std::ifstream file(path, std::ios::binary);
  if (error || !file) {
    throw ReleaseError(Status::kStorageFailed, "cannot read the hold-out set " + path.string() +
                                                   (error ? ": " + error.message() : ""));
  }
  if (size > kMaxHoldOutBytes) {
    throw ReleaseError(Status::kTooLarge, "the hold-out set " + path.string() + " has " +
                                              std::to_string(size) + " bytes: expected at most " +
                                              std::to_string(kMaxHoldOutBytes));
  }
  std::string text(static_cast<std::size_t>(size), '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (static_cast<std::uintmax_t>(file.gcount()) != size) {
    throw ReleaseError(Status::kStorageFailed, "cannot read the hold-out set " + path.string());
  }
  return parse_hold_out(text, path.string(), spec);
}

wire::EvaluationMetrics evaluate(const ModelSpec& spec, Bytes weights, const HoldOut& samples) {
  EngineOnHeap heap(spec, learn::Purpose::kInference);
  heap.load(weights);
  learn::Engine& engine = heap.engine();
  wire::EvaluationMetrics metrics{};
  std::uint64_t loss_sum_q16 = 0;
  if (samples.width() != spec.inputs && samples.sample_count() != 0) {
    throw ReleaseError(Status::kInvalidArgument, "samples of " + std::to_string(samples.width()) +
                                                     " features for a model of " +
                                                     std::to_string(spec.inputs));
  }
  for (std::size_t i = 0; i < samples.sample_count(); ++i) {
    const Result<std::uint32_t> loss_q16 = engine.evaluate(samples.features(i), samples.label(i));
    if (!loss_q16.ok()) {
      throw ReleaseError(Status::kInvalidArgument, "label " + std::to_string(samples.label(i)) +
                                                       " for a model of " +
                                                       std::to_string(spec.outputs()) + " outputs");
    }
    loss_sum_q16 += *loss_q16;
    if (is_correct(engine, samples.label(i))) ++metrics.correct_count;
  }
  const std::uint64_t count = samples.sample_count();
  metrics.sample_count = static_cast<std::uint32_t>(count);
  if (count > 0) {
    metrics.mean_loss_q16 = static_cast<std::uint32_t>((loss_sum_q16 + count / 2) / count);
  }
  return metrics;
}

}  // namespace skep::release

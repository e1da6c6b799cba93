// The operator's own labelled samples, on which a candidate is judged before it is released.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string_view>
#include <vector>

#include "skep/bytes.h"
#include "skep/model_spec.h"
#include "skep/release/error.h"
#include "skep/wire/codec.h"

namespace skep::release {

/// Samples in the order of the file; all have the same number of features.
class HoldOut {
 public:
  /// features.size() is a multiple of labels.size() (the quotient is the width of a sample).
  HoldOut(std::vector<std::int16_t> features, std::vector<std::uint16_t> labels);

  [[nodiscard]] std::size_t sample_count() const { return labels_.size(); }
  [[nodiscard]] std::size_t width() const { return width_; }
  /// index < sample_count().
  [[nodiscard]] std::span<const std::int16_t> features(std::size_t index) const {
    return std::span(features_).subspan(index * width_, width_);
  }
  [[nodiscard]] std::uint16_t label(std::size_t index) const { return labels_[index]; }

 private:
  std::vector<std::int16_t> features_;
  std::vector<std::uint16_t> labels_;
  std::size_t width_;
};

/// Reads a CSV without header: one sample a line, `spec.inputs` features as integers in units of
/// 2^spec.input_exponent (−32768 … 32767), then the label as the loss has it: a class index (0 …
/// outputs − 1), with binary cross-entropy the bits of all outputs (0 … 2^outputs − 1). With the
/// mean squared error it may be left out and is not looked at (0 … 65535). Separated by single
/// commas; no blanks, no quotes, no empty line; lines end with LF or CRLF.
///
/// Errors: ReleaseError of kStorageFailed if the file cannot be read, of kTooLarge if it exceeds
/// 256 MiB, of kMalformed with file, line and column for anything else, an empty file included.
HoldOut load_hold_out(const std::filesystem::path& path, const ModelSpec& spec);

/// The same on text in memory; `name` stands for the file in messages.
HoldOut parse_hold_out(std::string_view text, const std::string& name, const ModelSpec& spec);

/// Whether EvaluationMetrics.correct_count says something about a model of this loss: an
/// autoencoder is never right, and judged by its mean loss alone.
[[nodiscard]] constexpr bool has_accuracy(Loss loss) { return loss != Loss::kMeanSquaredError; }

/// Runs the engine over all samples: how many it classifies right (with binary cross-entropy: with
/// all bits right; 0 unless has_accuracy()), and the mean loss (rounded to nearest). Integer only:
/// the same on every machine.
///
/// Errors: ReleaseError of kInvalidArgument if the spec cannot run or the samples have another
/// width or labels that the loss does not know; of kMalformed if `weights` is not the spec's blob.
wire::EvaluationMetrics evaluate(const ModelSpec& spec, Bytes weights, const HoldOut& samples);

}  // namespace skep::release

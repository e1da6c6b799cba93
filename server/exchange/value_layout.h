// What the axes of an ONNX tensor are in our terms.
//
// ONNX puts channels before height and width, exporters move and merge axes as they like, and we
// keep [height][width][channels]. So that weights can be put into our order wherever a graph
// flattens, each axis remembers which of our dimensions it runs over, in which order.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "skep/exchange/error.h"
#include "skep/model_spec.h"

namespace skep::exchange {

/// Of one value between two operators, without the axis of the batch. Axes are counted as ONNX
/// does, the batch being axis 0. Errors are ExchangeErrors of kUnsupported that begin with `where`,
/// and leave the layout as it was.
class ValueLayout {
 public:
  /// Zeros before and after one axis.
  struct Padding {
    std::int64_t before = 0;
    std::int64_t after = 0;
  };

  /// Of the graph's input. Its axes are the sample's, as they are, until bind_image().
  explicit ValueLayout(const std::vector<std::uint32_t>& extents);

  /// Decides what the axes of the graph's input are, if that is still open: `channel_axis` has the
  /// channels, the others are height and width (or width alone).
  void bind_image(std::size_t channel_axis, const std::string& where);
  /// Decides that the graph's input is a plain vector, if that is still open.
  void bind_vector();
  [[nodiscard]] bool is_bound() const { return bound_; }

  /// The sample's shape as bound. Requires is_bound().
  [[nodiscard]] const Shape& input_shape() const { return input_shape_; }
  /// Of the value, [height][width][channels]. Requires is_bound().
  [[nodiscard]] const Shape& shape() const { return shape_; }
  /// With the batch's.
  [[nodiscard]] std::size_t rank() const { return axes_.size() + 1; }
  [[nodiscard]] std::uint64_t extent(std::size_t axis) const;

  // What moves axes takes their padding along; nothing else may be called on a padded value.
  void transpose(const std::vector<std::int64_t>& permutation, const std::string& where);
  void squeeze(const std::vector<std::int64_t>& axes, const std::string& where);
  void unsqueeze(const std::vector<std::int64_t>& axes, const std::string& where);
  /// To the given extents, the batch's first; 0 keeps one, −1 stands for the rest.
  void reshape(const std::vector<std::int64_t>& extents, const std::string& where);
  /// All axes into one. Our values become a plain vector.
  void flatten();

  /// Zeros around the value, `pads` as ONNX has them for all axes: those before, then those after.
  /// The extents stay what they are: a convolution takes the zeros as its own.
  void pad(const std::vector<std::int64_t>& pads, const std::string& where);
  [[nodiscard]] bool is_padded() const { return !paddings_.empty(); }
  /// Of each axis but the batch's. Requires is_padded().
  [[nodiscard]] const std::vector<Padding>& paddings() const { return paddings_; }
  void clear_padding() { paddings_.clear(); }

  /// That axis 1 has the channels and the others are height and width, or width alone.
  void require_channels_first(const std::string& where) const;
  [[nodiscard]] bool is_channel_axis(std::size_t axis) const;
  /// That there is one axis, whose order is ours, besides the batch's.
  void require_vector(const std::string& where) const;

  /// For each value in ONNX's order, the axes as they are, its index in ours.
  [[nodiscard]] std::vector<std::uint32_t> our_order() const;
  /// The same for the graph's input. Requires is_bound().
  [[nodiscard]] std::vector<std::uint32_t> our_order_of_input() const;

  /// After a layer on a value that require_channels_first() accepts.
  void set_image(const Shape& shape);
  /// After a layer whose output is a plain vector of `channels`.
  void set_vector(std::uint16_t channels);
  /// After a mean or maximum over all axes but `channel_axis`, which then have extent 1, or are
  /// gone.
  void set_mean(std::size_t channel_axis, bool keep_axes);

 private:
  struct Dimension {
    int id;
    std::uint32_t extent;
    friend bool operator==(const Dimension&, const Dimension&) = default;
  };
  using Axis = std::vector<Dimension>;

  [[nodiscard]] static Axis without_ones(const Axis& axis);
  [[nodiscard]] static std::uint64_t extent_of(const Axis& axis);
  [[nodiscard]] std::size_t index_of(std::int64_t axis, std::size_t rank,
                                     const std::string& where) const;
  [[nodiscard]] bool runs_over(std::size_t axis, int id) const;
  [[nodiscard]] std::vector<std::uint64_t> resolve(const std::vector<std::int64_t>& extents,
                                                   const std::string& where) const;
  void store(const Shape& shape);
  void split(const std::vector<std::uint64_t>& extents);
  [[nodiscard]] bool place_ones(const std::vector<std::uint64_t>& extents);

  [[nodiscard]] static std::vector<std::uint32_t> order(const Axis& dimensions, const Axis& stored);

  std::vector<Axis> axes_;
  std::vector<Padding> paddings_;  // empty, or one an axis
  Axis stored_;                    // the order in which our values lie
  Axis input_;                     // the graph's input as it lies, in the terms of input_stored_
  Axis input_stored_;
  Shape input_shape_{};
  Shape shape_{};
  bool bound_ = false;
};

}  // namespace skep::exchange

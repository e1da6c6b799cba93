#include "value_layout.h"

#include <algorithm>

namespace skep::exchange {
namespace {

// Of our dimensions; those of an input that is not bound yet come after them.
constexpr int kHeight = 0;
constexpr int kWidth = 1;
constexpr int kChannels = 2;
constexpr int kFirstUnbound = 3;

[[noreturn]] void refuse(const std::string& where, const std::string& what) {
  throw ExchangeError(Status::kUnsupported, where + ": " + what);
}

std::uint16_t narrow(std::uint64_t extent) {
  return static_cast<std::uint16_t>(std::min<std::uint64_t>(extent, UINT16_MAX));
}

}  // namespace

ValueLayout::ValueLayout(const std::vector<std::uint32_t>& extents) {
  for (const std::uint32_t extent : extents) {
    const Dimension dimension{kFirstUnbound + static_cast<int>(axes_.size()), extent};
    axes_.push_back({dimension});
    stored_.push_back(dimension);
  }
  input_ = input_stored_ = stored_;
}

ValueLayout::Axis ValueLayout::without_ones(const Axis& axis) {
  Axis result;
  for (const Dimension& dimension : axis) {
    if (dimension.extent != 1) result.push_back(dimension);
  }
  return result;
}

std::uint64_t ValueLayout::extent_of(const Axis& axis) {
  std::uint64_t product = 1;  // Of an input's extents, whose product was checked.
  for (const Dimension& dimension : axis) product *= dimension.extent;
  return product;
}

std::uint64_t ValueLayout::extent(std::size_t axis) const { return extent_of(axes_.at(axis - 1)); }

void ValueLayout::bind_image(std::size_t channel_axis, const std::string& where) {
  if (bound_) return;
  if (axes_.size() < 2 || axes_.size() > 3 || channel_axis < 1 || channel_axis > axes_.size()) {
    refuse(where, "works on a value of rank " + std::to_string(rank()) +
                      ": expected 3 (a series) or 4 (an image)");
  }
  std::vector<Axis> positions = axes_;
  const Axis channels = positions[channel_axis - 1];
  positions.erase(positions.begin() + static_cast<std::ptrdiff_t>(channel_axis - 1));
  const auto is_merged = [](const Axis& axis) { return without_ones(axis).size() > 1; };
  if (is_merged(channels) || std::any_of(positions.begin(), positions.end(), is_merged)) {
    refuse(where, "works on axes that were merged before");
  }
  const std::uint64_t height = positions.size() == 2 ? extent_of(positions[0]) : 1;
  input_shape_ = {narrow(height), narrow(extent_of(positions.back())), narrow(extent_of(channels))};
  bound_ = true;
  // From now on the axes run over our dimensions.
  std::size_t position = 0;
  for (std::size_t i = 0; i < axes_.size(); ++i) {
    const bool is_first_of_two = axes_.size() == 3 && position == 0;
    const int id = i + 1 == channel_axis ? kChannels : is_first_of_two ? kHeight : kWidth;
    if (id != kChannels) ++position;
    for (Dimension& dimension : input_) {
      for (const Dimension& bound : without_ones(axes_[i])) {
        if (dimension.id == bound.id) dimension.id = id;
      }
    }
    axes_[i] = {{id, static_cast<std::uint32_t>(extent_of(axes_[i]))}};
  }
  store(input_shape_);
  input_ = without_ones(input_);
  input_stored_ = stored_;
}

void ValueLayout::bind_vector() {
  if (bound_) return;
  // The sample's values in the order of the graph's input.
  input_shape_ = shape_ = {1, 1, narrow(extent_of(stored_))};
  bound_ = true;
}

std::size_t ValueLayout::index_of(std::int64_t axis, std::size_t rank,
                                  const std::string& where) const {
  const auto signed_rank = static_cast<std::int64_t>(rank);
  if (axis < 0) axis += signed_rank;
  if (axis < 1 || axis >= signed_rank) {
    refuse(where, "axis " + std::to_string(axis) + " of a value of rank " + std::to_string(rank) +
                      ": expected 1 to " + std::to_string(rank - 1) + " (0 is the batch)");
  }
  return static_cast<std::size_t>(axis - 1);
}

void ValueLayout::transpose(const std::vector<std::int64_t>& permutation,
                            const std::string& where) {
  std::vector<std::int64_t> sorted = permutation;
  std::sort(sorted.begin(), sorted.end());
  bool valid = permutation.size() == rank() && permutation.front() == 0;
  for (std::size_t i = 0; valid && i < sorted.size(); ++i) {
    valid = sorted[i] == static_cast<std::int64_t>(i);
  }
  if (!valid) refuse(where, "perm is no order of the axes that leaves the batch first");
  std::vector<Axis> axes;
  std::vector<Padding> paddings;
  for (std::size_t i = 1; i < permutation.size(); ++i) {
    const std::size_t from = static_cast<std::size_t>(permutation[i]) - 1;
    axes.push_back(axes_[from]);
    if (is_padded()) paddings.push_back(paddings_[from]);
  }
  axes_ = std::move(axes);
  paddings_ = std::move(paddings);
}

void ValueLayout::squeeze(const std::vector<std::int64_t>& axes, const std::string& where) {
  std::vector<bool> goes(axes_.size());
  for (const std::int64_t axis : axes) {
    const std::size_t index = index_of(axis, rank(), where);
    if (extent_of(axes_[index]) != 1) {
      refuse(where, "axis " + std::to_string(index + 1) + " has extent " +
                        std::to_string(extent_of(axes_[index])) + ": expected 1");
    }
    if (is_padded() && (paddings_[index].before != 0 || paddings_[index].after != 0)) {
      refuse(where, "axis " + std::to_string(index + 1) + " is padded: expected extent 1");
    }
    goes[index] = true;
  }
  std::vector<Axis> rest;
  std::vector<Padding> paddings;
  for (std::size_t i = 0; i < axes_.size(); ++i) {
    if (goes[i]) continue;
    rest.push_back(axes_[i]);
    if (is_padded()) paddings.push_back(paddings_[i]);
  }
  if (rest.empty()) refuse(where, "leaves nothing but the batch");
  axes_ = std::move(rest);
  paddings_ = std::move(paddings);
}

void ValueLayout::unsqueeze(const std::vector<std::int64_t>& axes, const std::string& where) {
  constexpr std::size_t kMaxRank = 8;
  const std::size_t new_rank = rank() + axes.size();
  if (new_rank > kMaxRank) refuse(where, "makes a value of rank " + std::to_string(new_rank));
  std::vector<bool> is_new(new_rank - 1);
  for (const std::int64_t axis : axes) {
    const std::size_t index = index_of(axis, new_rank, where);
    if (is_new[index]) refuse(where, "axis " + std::to_string(index + 1) + " is named twice");
    is_new[index] = true;
  }
  std::vector<Axis> result;
  result.reserve(is_new.size());
  std::vector<Padding> paddings;
  std::size_t next = 0;
  for (const bool added : is_new) {
    result.push_back(added ? Axis{} : axes_[next]);
    if (is_padded()) paddings.push_back(added ? Padding{} : paddings_[next]);
    if (!added) ++next;
  }
  axes_ = std::move(result);
  paddings_ = std::move(paddings);
}

void ValueLayout::pad(const std::vector<std::int64_t>& pads, const std::string& where) {
  if (pads.size() != 2 * rank()) {
    refuse(where, "pads has " + std::to_string(pads.size()) + " numbers: expected " +
                      std::to_string(2 * rank()));
  }
  const auto is_zeros = [](std::int64_t pad) { return pad >= 0 && pad <= UINT8_MAX; };
  if (!std::all_of(pads.begin(), pads.end(), is_zeros)) {
    refuse(where, "pads has a number outside of 0 to 255");
  }
  if (pads[0] != 0 || pads[rank()] != 0) refuse(where, "pads the batch");
  std::vector<Padding> paddings;
  for (std::size_t i = 1; i < rank(); ++i) paddings.push_back({pads[i], pads[i + rank()]});
  paddings_ = std::move(paddings);
}

std::vector<std::uint64_t> ValueLayout::resolve(const std::vector<std::int64_t>& extents,
                                                const std::string& where) const {
  if (extents.size() < 2 || extents.size() > 8) {
    refuse(where, "makes a value of rank " + std::to_string(extents.size()) +
                      ": expected 2 to 8, the batch first");
  }
  std::uint64_t total = 1;
  for (const Axis& axis : axes_) total *= extent_of(axis);
  std::vector<std::uint64_t> result;
  std::uint64_t product = 1;
  std::ptrdiff_t open = -1;
  for (std::size_t i = 1; i < extents.size(); ++i) {
    std::uint64_t extent = static_cast<std::uint64_t>(std::max<std::int64_t>(extents[i], 0));
    if (extents[i] == 0 && i < rank()) extent = this->extent(i);
    if (extents[i] == -1 && open < 0) {
      open = static_cast<std::ptrdiff_t>(i) - 1;
      extent = 1;
    }
    if (extent == 0 || extent > total) refuse(where, "the new shape does not fit the value");
    product *= extent;  // ≤ total², which is below 2^64
    if (product > total) refuse(where, "the new shape does not fit the value");
    result.push_back(extent);
  }
  // With the rest elsewhere the batch must be what it was.
  if (extents[0] != 0 && extents[0] != 1 && !(extents[0] == -1 && open < 0)) {
    refuse(where, "the new shape begins with " + std::to_string(extents[0]) +
                      ": expected the batch (0, 1, or -1)");
  }
  if (open >= 0) result[static_cast<std::size_t>(open)] = total / product;
  if (product * (open >= 0 ? total / product : 1) != total) {
    refuse(where, "the new shape does not fit the value");
  }
  return result;
}

void ValueLayout::reshape(const std::vector<std::int64_t>& extents, const std::string& where) {
  const std::vector<std::uint64_t> target = resolve(extents, where);
  if (place_ones(target)) return;
  if (target.size() == 1) return flatten();
  if (!bound_ && axes_.size() == 1 && axes_.front() == stored_) return split(target);
  refuse(where,
         "cuts the value into other axes: expected a plain vector, or axes of extent 1 "
         "added or taken away");
}

/// True if nothing but axes of extent 1 came or went.
bool ValueLayout::place_ones(const std::vector<std::uint64_t>& extents) {
  std::vector<Axis> real;
  for (const Axis& axis : axes_) {
    if (extent_of(axis) != 1) real.push_back(axis);
  }
  std::vector<Axis> result;
  auto next = real.begin();
  for (const std::uint64_t extent : extents) {
    if (extent == 1) {
      result.emplace_back();
      continue;
    }
    if (next == real.end() || extent_of(*next) != extent) return false;
    result.push_back(*next++);
  }
  if (next != real.end()) return false;
  axes_ = std::move(result);
  return true;
}

void ValueLayout::split(const std::vector<std::uint64_t>& extents) {
  std::vector<std::uint32_t> narrow_extents;
  narrow_extents.reserve(extents.size());
  for (const std::uint64_t extent : extents) {
    narrow_extents.push_back(static_cast<std::uint32_t>(extent));
  }
  *this = ValueLayout(narrow_extents);
}

void ValueLayout::flatten() {
  Axis merged;
  for (const Axis& axis : axes_) merged.insert(merged.end(), axis.begin(), axis.end());
  axes_ = {merged};
  if (bound_) shape_ = {1, 1, narrow(extent_of(merged))};
}

bool ValueLayout::runs_over(std::size_t axis, int id) const {
  const Axis found = without_ones(axes_.at(axis));
  const auto stored = std::find_if(stored_.begin(), stored_.end(),
                                   [id](const Dimension& dimension) { return dimension.id == id; });
  return found == (stored == stored_.end() ? Axis{} : without_ones({*stored}));
}

bool ValueLayout::is_channel_axis(std::size_t axis) const {
  return axis >= 1 && axis <= axes_.size() && runs_over(axis - 1, kChannels) &&
         shape_.channels == extent(axis);
}

void ValueLayout::require_channels_first(const std::string& where) const {
  const bool is_image = axes_.size() == 3 && runs_over(1, kHeight) && runs_over(2, kWidth);
  const bool is_series = axes_.size() == 2 && runs_over(1, kWidth) && shape_.height == 1;
  if (!is_channel_axis(1) || !(is_image || is_series)) {
    refuse(where, "expected a value [batch, channels, height, width] or [batch, channels, width]");
  }
}

void ValueLayout::require_vector(const std::string& where) const {
  if (axes_.size() != 1) {
    refuse(where, "works on a value of rank " + std::to_string(rank()) +
                      ": expected 2, [batch, features] (put a Flatten before it)");
  }
}

std::vector<std::uint32_t> ValueLayout::order(const Axis& dimensions, const Axis& stored) {
  const auto stride_of = [&stored](int id) {
    std::uint32_t stride = 1;
    for (auto dimension = stored.rbegin(); dimension != stored.rend(); ++dimension) {
      if (dimension->id == id) break;
      stride *= dimension->extent;
    }
    return stride;
  };
  std::vector<std::uint32_t> result{0};
  for (const Dimension& dimension : dimensions) {
    const std::uint32_t stride = stride_of(dimension.id);
    std::vector<std::uint32_t> longer;
    for (const std::uint32_t index : result) {
      for (std::uint32_t i = 0; i < dimension.extent; ++i) longer.push_back(index + i * stride);
    }
    result = std::move(longer);
  }
  return result;
}

std::vector<std::uint32_t> ValueLayout::our_order() const {
  Axis all;
  for (const Axis& axis : axes_) all.insert(all.end(), axis.begin(), axis.end());
  return order(all, stored_);
}

std::vector<std::uint32_t> ValueLayout::our_order_of_input() const {
  return order(input_, input_stored_);
}

void ValueLayout::store(const Shape& shape) {
  shape_ = shape;
  stored_ = {{kHeight, shape.height}, {kWidth, shape.width}, {kChannels, shape.channels}};
}

void ValueLayout::set_image(const Shape& shape) {
  store(shape);
  const bool is_image = axes_.size() == 3;
  axes_ = {{stored_[kChannels]}};
  if (is_image) axes_.push_back({stored_[kHeight]});
  axes_.push_back({stored_[kWidth]});
}

void ValueLayout::set_vector(std::uint16_t channels) {
  store({1, 1, channels});
  axes_ = {{stored_[kChannels]}};
}

void ValueLayout::set_mean(std::size_t channel_axis, bool keep_axes) {
  store({1, 1, shape_.channels});
  axes_ = std::vector<Axis>(keep_axes ? axes_.size() : 1);
  axes_[keep_axes ? channel_axis - 1 : 0] = {stored_[kChannels]};
}

}  // namespace skep::exchange

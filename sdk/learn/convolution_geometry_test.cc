#include "convolution_geometry.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <cstdint>
#include <set>
#include <utility>

namespace skep::learn::internal {
namespace {

using Pairs = std::set<std::pair<std::uint32_t, std::uint32_t>>;

Axis random_axis() {
  Axis axis{};
  axis.taps = *rc::gen::inRange<std::uint32_t>(1, 7);
  axis.stride = *rc::gen::inRange<std::uint32_t>(1, 5);
  axis.pad = *rc::gen::inRange<std::uint32_t>(0, axis.taps);
  const std::uint32_t after = *rc::gen::inRange<std::uint32_t>(0, axis.taps);
  axis.inputs = *rc::gen::inRange<std::uint32_t>(1, 20);
  RC_PRE(axis.inputs + axis.pad + after >= axis.taps);
  axis.outputs = (axis.inputs + axis.pad + after - axis.taps) / axis.stride + 1;
  return axis;
}

// (tap, output) for all that meet `input`, by the definition: input = output * stride + tap − pad.
Pairs meetings_by_definition(const Axis& axis, std::uint32_t input) {
  Pairs pairs;
  for (std::uint32_t output = 0; output < axis.outputs; ++output) {
    for (std::uint32_t tap = 0; tap < axis.taps; ++tap) {
      if (input + axis.pad == output * axis.stride + tap) pairs.emplace(tap, output);
    }
  }
  return pairs;
}

RC_GTEST_PROP(ConvolutionGeometry, MeetingOfAnInputFollowsItsDefinition, ()) {
  const Axis axis = random_axis();
  for (std::uint32_t input = 0; input < axis.inputs; ++input) {
    const Axis::Meeting meeting = axis.meeting_of(input);
    Pairs pairs;
    for (std::uint32_t i = 0; i < meeting.count; ++i) {
      pairs.emplace(meeting.tap + i * axis.stride, meeting.output - i);
    }
    RC_ASSERT(pairs == meetings_by_definition(axis, input));
  }
}

RC_GTEST_PROP(ConvolutionGeometry, PhasesHaveEachTapAndInputOnce, ()) {
  const Axis axis = random_axis();
  std::uint32_t taps = 0;
  std::set<std::uint32_t> inputs;
  for (std::uint32_t phase = 0; phase < axis.stride; ++phase) {
    taps += axis.taps_in(phase);
    const Axis::Range qs = axis.inputs_in(phase);
    for (std::uint32_t q = qs.begin; q < qs.end; ++q) {
      RC_ASSERT(inputs.insert(q * axis.stride + phase - axis.pad).second);
    }
  }
  RC_ASSERT(taps == axis.taps);
  RC_ASSERT(inputs.size() == axis.inputs);
  RC_ASSERT(inputs.empty() || *inputs.rbegin() == axis.inputs - 1);
}

}  // namespace
}  // namespace skep::learn::internal

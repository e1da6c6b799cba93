// What comes over a sensor's line: from whatever is plugged in there. The first byte says how many
// channels the sensor has.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "skep/port_baremetal/sensor_frame.h"

namespace {

void require(bool condition, const char* what) {
  if (condition) return;
  std::fprintf(stderr, "violated: %s\n", what);
  std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace skep;
  using namespace skep::port_baremetal;
  if (size == 0) return 0;
  SensorFrameReader reader(data[0]);
  const std::size_t frame_bytes = sensor_frame_bytes(reader.readings().size());
  std::size_t in_frames = 0;
  for (std::size_t i = 1; i < size; ++i) {
    if (!reader.push(data[i])) continue;
    in_frames += frame_bytes;
    std::vector<std::uint8_t> frame(frame_bytes);
    require(encode_sensor_frame(reader.readings(), frame) == Status::kOk, "a frame has readings");
    require(
        i + 1 > frame_bytes && std::equal(frame.begin(), frame.end(), data + i + 1 - frame_bytes),
        "a frame that is found is one that was sent");
  }
  const std::size_t accounted = in_frames + reader.skipped_bytes();
  require(accounted <= size - 1 && size - 1 - accounted < frame_bytes, "no byte is lost");
  return 0;
}

#include "skep/port_baremetal/sensor_frame.h"

#include <algorithm>

#include "skep/core/little_endian.h"

namespace skep::port_baremetal {
namespace {

constexpr std::uint8_t kStart = 0xA5;
constexpr std::size_t kHeadBytes = 2;

// Bit by bit: a table would be 256 bytes of flash for frames that come once in minutes.
std::uint8_t crc8(Bytes bytes) {
  constexpr unsigned kPolynomial = 0x107;
  unsigned crc = 0;
  for (const std::uint8_t byte : bytes) {
    crc ^= byte;
    for (int bit = 0; bit < 8; ++bit) {
      crc <<= 1U;
      if ((crc & 0x100U) != 0) crc ^= kPolynomial;
    }
  }
  return static_cast<std::uint8_t>(crc);
}

}  // namespace

Status encode_sensor_frame(std::span<const std::int32_t> readings, MutableBytes out) {
  if (readings.empty() || readings.size() > kMaxSensorChannels) return Status::kInvalidArgument;
  const std::size_t size = sensor_frame_bytes(readings.size());
  if (out.size() < size) return Status::kNoMemory;
  out[0] = kStart;
  out[1] = static_cast<std::uint8_t>(readings.size());
  for (std::size_t i = 0; i < readings.size(); ++i) {
    store_u32(&out[kHeadBytes + 4 * i], static_cast<std::uint32_t>(readings[i]));
  }
  out[size - 1] = crc8(Bytes(out).subspan(1, size - 2));
  return Status::kOk;
}

SensorFrameReader::SensorFrameReader(std::size_t channels)
    : channels_(std::clamp<std::size_t>(channels, 1, kMaxSensorChannels)) {}

bool SensorFrameReader::push(std::uint8_t byte) {
  bytes_[size_++] = byte;
  const std::size_t frame_bytes = sensor_frame_bytes(channels_);
  if (!begins_frame()) {
    skip_to_next_start();
    return false;
  }
  if (size_ < frame_bytes) return false;
  if (crc8(Bytes(bytes_).subspan(1, frame_bytes - 2)) != bytes_[frame_bytes - 1]) {
    ++bad_frames_;
    skip_to_next_start();
    return false;
  }
  take_readings();
  size_ = 0;
  return true;
}

// As far as it has come.
bool SensorFrameReader::begins_frame() const {
  return bytes_[0] == kStart && (size_ < kHeadBytes || bytes_[1] == channels_);
}

// Requires size_ ≥ 1. The rest is shorter than a frame, so it completes none.
void SensorFrameReader::skip_to_next_start() {
  do {
    const auto rest = std::span(bytes_).first(size_).subspan(1);
    const auto start = std::ranges::find(rest, kStart);
    skipped_bytes_ += 1 + static_cast<std::uint32_t>(start - rest.begin());
    size_ = static_cast<std::size_t>(std::copy(start, rest.end(), bytes_.begin()) - bytes_.begin());
  } while (size_ != 0 && !begins_frame());
}

void SensorFrameReader::take_readings() {
  for (std::size_t i = 0; i < channels_; ++i) {
    readings_[i] = static_cast<std::int32_t>(load_u32(&bytes_[kHeadBytes + 4 * i]));
  }
}

}  // namespace skep::port_baremetal

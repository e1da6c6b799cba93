// How readings come over a sensor's serial line: frames with a checksum, found again after garbage.
//
//   byte 0       0xA5
//   byte 1       channels n, 1 … kMaxSensorChannels
//   2 … 4n + 1   a reading for each channel, int32, little-endian
//   4n + 2       CRC-8 of bytes 1 … 4n + 1: polynomial x^8 + x^2 + x + 1, initial value 0, most
//                significant bit first (that of SMBus 3.1, section 5.4.1.2)
//
// The CRC finds every burst of errors of up to 8 bits, and up to three flipped bits anywhere in a
// frame of up to three channels. Of random garbage that begins as a frame does, one in 256 passes.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "skep/bytes.h"
#include "skep/status.h"

namespace skep::port_baremetal {

inline constexpr std::size_t kMaxSensorChannels = 15;

[[nodiscard]] constexpr std::size_t sensor_frame_bytes(std::size_t channels) {
  return 3 + 4 * channels;
}

/// Writes a frame, the first sensor_frame_bytes(readings.size()) bytes of `out`.
///
/// Errors: kInvalidArgument for no readings or more than kMaxSensorChannels; kNoMemory if `out` is
/// too small. `out` is unchanged then.
Status encode_sensor_frame(std::span<const std::int32_t> readings, MutableBytes out);

/// Finds the frames of one sensor in the bytes of its line.
///
/// A byte that belongs to no whole frame is skipped, and what follows it looked at anew: garbage,
/// whatever it looks like, never costs a frame that comes whole after it. 140 B, no heap; a byte
/// takes O(frame) in the worst case, O(1) on a clean line. Not thread-safe.
class SensorFrameReader {
 public:
  /// `channels` is the sensor's, 1 … kMaxSensorChannels, and clamped to that: frames of another
  /// number are garbage.
  explicit SensorFrameReader(std::size_t channels);

  /// Takes the next byte. True if it completes a frame, whose readings() are then valid until the
  /// next call.
  [[nodiscard]] bool push(std::uint8_t byte);

  /// The last frame's, one for each channel.
  [[nodiscard]] std::span<const std::int32_t> readings() const {
    return std::span(readings_).first(channels_);
  }

  // ---- since the start; both wrap

  /// Bytes that belonged to no frame.
  [[nodiscard]] std::uint32_t skipped_bytes() const { return skipped_bytes_; }
  /// What began and ended like a frame and had a wrong checksum.
  [[nodiscard]] std::uint32_t bad_frames() const { return bad_frames_; }

 private:
  [[nodiscard]] bool begins_frame() const;
  void skip_to_next_start();
  void take_readings();

  std::array<std::uint8_t, sensor_frame_bytes(kMaxSensorChannels)> bytes_{};
  std::array<std::int32_t, kMaxSensorChannels> readings_{};
  std::size_t channels_;
  std::size_t size_ = 0;  // of bytes_: what may become a frame
  std::uint32_t skipped_bytes_ = 0;
  std::uint32_t bad_frames_ = 0;
};

}  // namespace skep::port_baremetal

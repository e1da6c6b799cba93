// What a platform owes the SDK. A port implements these interfaces and includes nothing else.
//
// None of these functions may block for longer than the operation on the hardware takes. They are
// called from the one thread (or task) that calls Device::poll, never concurrently.
#pragma once

#include <cstdint>

#include "skep/bytes.h"
#include "skep/status.h"

namespace skep {

/// Monotonic time. Never goes backwards while the device is up; starts anywhere.
class Clock {
 public:
  /// Milliseconds since an arbitrary start.
  [[nodiscard]] virtual std::uint64_t now_ms() = 0;

 protected:
  ~Clock() = default;
};

/// A source of cryptographic randomness (a TRNG, or a generator seeded by one).
class Entropy {
 public:
  /// Fills `out` with unpredictable bytes.
  ///
  /// Errors: kNoEntropy if the source failed or is not ready; the caller then makes no key,
  /// nonce or noise (design: fail closed).
  virtual Status fill(MutableBytes out) = 0;

 protected:
  ~Entropy() = default;
};

/// Geometry of a NOR flash, or of something laid out like one.
struct FlashGeometry {
  std::uint32_t size_bytes;          ///< Total, a multiple of erase_unit_bytes.
  std::uint32_t erase_unit_bytes;    ///< A power of two, e.g. 4096.
  std::uint32_t program_unit_bytes;  ///< 1, 2, 4, 8 … 32: offsets and lengths of program().
};

/// Non-volatile memory with flash semantics: erase sets bytes to 0xFF, program clears bits.
///
/// Power may fail during any call: the bytes of the call in progress are then unspecified, all
/// others are unchanged. The SDK never programs a byte twice between erases.
class Storage {
 public:
  [[nodiscard]] virtual FlashGeometry geometry() const = 0;

  /// Errors: kInvalidArgument outside of the geometry; kStorageFailed.
  virtual Status read(std::uint32_t offset, MutableBytes out) = 0;

  /// Offset and length are multiples of program_unit_bytes.
  /// Errors: kInvalidArgument (alignment, bounds); kStorageFailed.
  virtual Status program(std::uint32_t offset, Bytes data) = 0;

  /// Offset and length are multiples of erase_unit_bytes.
  /// Errors: kInvalidArgument (alignment, bounds); kStorageFailed.
  virtual Status erase(std::uint32_t offset, std::uint32_t length_bytes) = 0;

  /// Returns once everything programmed so far survives a loss of power.
  /// Errors: kStorageFailed.
  virtual Status sync() = 0;

 protected:
  ~Storage() = default;
};

/// The device's own labelled data. It is read one sample at a time and never leaves the device.
class SampleSource {
 public:
  /// Number of samples that can be read now; may change between rounds, not during one.
  [[nodiscard]] virtual std::uint32_t count() = 0;

  /// Features as int16 with the ModelSpec's input exponent, and the class index.
  ///
  /// Errors: kInvalidArgument if index >= count() or features.size() is not the sample's;
  /// kStorageFailed if it cannot be read.
  virtual Status read(std::uint32_t index, std::span<std::int16_t> features,
                      std::uint16_t& label) = 0;

 protected:
  ~SampleSource() = default;
};

/// What a round would be paid with, as far as the application knows.
struct EnergyState {
  bool on_mains = true;
  std::uint8_t battery_percent = 100;  ///< 0 … 100; what is left.
  bool radio_is_cheap = true;  ///< The link is up, unmetered, or in its window: sending now costs
                               ///< no more than sending later.
};

/// Optional: what an application that has to be careful with energy tells the SDK. It is asked
/// before each round, and again about every DeviceConfig::refresh_ms while it says no; a round
/// that has begun goes on for as long as the application calls Device::poll.
class EnergySource {
 public:
  [[nodiscard]] virtual EnergyState energy() = 0;

 protected:
  ~EnergySource() = default;
};

/// What one device stands on. All members outlive the Device.
struct Platform {
  Clock& clock;
  Entropy& entropy;
  Storage& storage;
  SampleSource& samples;
};

}  // namespace skep

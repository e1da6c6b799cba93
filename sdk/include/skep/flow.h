// The device's one-way flow as types: Delta → Clipped → Noised → Compressed → Sealed.
//
// A value's type says what has been done to it, and only the stage that does it can make one, so
// skipping a step does not compile. The types are views: the memory belongs to the Device.
#pragma once

#include <cstdint>
#include <span>

#include "skep/bytes.h"
#include "skep/status.h"

namespace skep {

/// Smallest and largest exponent of a Delta, so that gateways can sum exactly in int64.
inline constexpr int kMinDeltaExponent = -32;
inline constexpr int kMaxDeltaExponent = 0;

/// Difference of a trained model from its base: element i is values[i] * 2^exponent.
/// Order: layer by layer, W row-major [outputs][inputs], then b.
struct Delta {
  std::span<std::int16_t> values;
  int exponent = 0;                ///< kMinDeltaExponent … kMaxDeltaExponent.
  std::uint32_t sample_count = 0;  ///< Samples trained on: the FedAvg weight, ≥ 1.
};

/// An L2 norm, unsigned Q16.16, > 0.
struct Norm {
  std::uint32_t q16 = 0;
};

class Clipped;
class Noised;
class Compressed;
class Sealed;

namespace privacy {
Result<Clipped> clip(Delta delta, Norm max_norm);
Noised without_noise(Clipped clipped);
}  // namespace privacy

namespace compress {
struct Options;
Result<Compressed> compress(const Noised& update, const Options& options, MutableBytes out,
                            std::span<std::int16_t> scratch);
}  // namespace compress

namespace seal {
struct UpdateContext;
struct SealKeys;
Result<Sealed> seal_update(const Compressed& update, const UpdateContext& context,
                           const SealKeys& keys, MutableBytes out);
}  // namespace seal

/// A Delta whose L2 norm is at most the bound that privacy::clip was given.
class Clipped {
 public:
  [[nodiscard]] const Delta& delta() const { return delta_; }

 private:
  explicit Clipped(Delta delta) : delta_(delta) {}
  friend Result<Clipped> privacy::clip(Delta delta, Norm max_norm);
  Delta delta_;
};

/// A clipped delta after the round's noise mechanism, which may be "none".
class Noised {
 public:
  [[nodiscard]] const Delta& delta() const { return delta_; }

 private:
  explicit Noised(Delta delta) : delta_(delta) {}
  friend Noised privacy::without_noise(Clipped clipped);
  Delta delta_;
};

/// The bytes that carry a noised delta (docs/reference/compressed-delta.md), and its FedAvg weight.
class Compressed {
 public:
  [[nodiscard]] Bytes bytes() const { return bytes_; }
  [[nodiscard]] std::uint32_t sample_count() const { return sample_count_; }

 private:
  Compressed(Bytes bytes, std::uint32_t sample_count)
      : bytes_(bytes), sample_count_(sample_count) {}
  friend Result<Compressed> compress::compress(const Noised& update,
                                               const compress::Options& options, MutableBytes out,
                                               std::span<std::int16_t> scratch);
  Bytes bytes_;
  std::uint32_t sample_count_;
};

/// An encrypted and signed update (a `SealedUpdate` message): the only thing that may be sent.
class Sealed {
 public:
  [[nodiscard]] Bytes bytes() const { return bytes_; }

 private:
  explicit Sealed(Bytes bytes) : bytes_(bytes) {}
  friend Result<Sealed> seal::seal_update(const Compressed& update,
                                          const seal::UpdateContext& context,
                                          const seal::SealKeys& keys, MutableBytes out);
  Bytes bytes_;
};

/// Something that was authenticated. Only the code that checked it may make one.
template <typename T, typename Checker>
class Verified {
 public:
  [[nodiscard]] const T& operator*() const { return value_; }
  [[nodiscard]] const T* operator->() const { return &value_; }

 private:
  explicit Verified(const T& value) : value_(value) {}
  friend Checker;
  T value_;
};

}  // namespace skep

// The gateway's one-way flow as types:
// Received → Opened → Valid → Accumulated → Candidate → Release.
//
// A value's type says what has been done to it, and only the stage that does it can make one: what
// is stored and aggregated was validated, what is published was evaluated. The types own their
// memory and are handed on by moving.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "skep/bytes.h"
#include "skep/model_spec.h"
#include "skep/wire/codec.h"

namespace skep {

namespace intake {
class Opener;
class Validator;
}  // namespace intake
namespace aggregate {
class Accumulator;
class Averager;
}  // namespace aggregate
namespace coordinator {
class Publisher;
}  // namespace coordinator

namespace server {

using Digest = std::array<std::uint8_t, wire::kDigestBytes>;
using PublicKey = std::array<std::uint8_t, wire::kP256PointBytes>;

/// An update as it arrived, and who the DTLS session says sent it. Nothing is known of the bytes.
struct Received {
  std::vector<std::uint8_t> bytes;  ///< Claim to be a SealedUpdate; any length, any content.
  std::string session_device;       ///< Common name of the session's certificate.
  PublicKey session_key{};          ///< Public key of the session's certificate.
};

/// An update whose sender was authenticated and whose content was decrypted, for the open round.
class Opened {
 public:
  [[nodiscard]] const std::string& device() const { return device_; }
  [[nodiscard]] std::uint32_t round() const { return round_; }
  [[nodiscard]] const Digest& digest() const { return digest_; }  ///< Of the sealed bytes.
  [[nodiscard]] const std::vector<std::uint8_t>& sealed() const { return sealed_; }
  /// Decrypted and decoded, its values not yet checked. Views into this object.
  [[nodiscard]] const wire::Update& content() const { return content_; }

  Opened(Opened&&) = default;
  Opened& operator=(Opened&&) = default;
  Opened(const Opened&) = delete;  // The copy's content() would point into the original.
  Opened& operator=(const Opened&) = delete;

 private:
  friend class intake::Opener;
  friend class intake::Validator;
  Opened() = default;

  std::string device_;
  std::uint32_t round_ = 0;
  Digest digest_{};
  std::vector<std::uint8_t> sealed_;
  std::vector<std::uint8_t> plaintext_;
  wire::Update content_{};  // into plaintext_, whose memory a move does not move
};

/// The elements of a delta that are not 0.
struct SparseDelta {
  std::uint32_t dimension = 0;
  int exponent = 0;  ///< kMinDeltaExponent … kMaxDeltaExponent.
  std::uint16_t scale = 1;
  std::vector<std::uint32_t> indices;  ///< Ascending, each < dimension.
  std::vector<std::int32_t> values;    ///< As many; element i is values[i] * scale * 2^exponent.
};

/// An update that keeps the round's plan in every respect: it may be stored and aggregated.
class Valid {
 public:
  [[nodiscard]] const std::string& device() const { return device_; }
  [[nodiscard]] std::uint32_t round() const { return round_; }
  [[nodiscard]] const Digest& digest() const { return digest_; }
  [[nodiscard]] const std::vector<std::uint8_t>& sealed() const { return sealed_; }
  [[nodiscard]] std::uint32_t sample_count() const { return sample_count_; }  ///< 1 … 2^24.
  [[nodiscard]] std::uint32_t loss_before_q16() const { return loss_before_q16_; }
  [[nodiscard]] std::uint32_t loss_after_q16() const { return loss_after_q16_; }
  [[nodiscard]] const SparseDelta& delta() const { return delta_; }

 private:
  friend class intake::Validator;
  Valid() = default;

  std::string device_;
  std::uint32_t round_ = 0;
  Digest digest_{};
  std::vector<std::uint8_t> sealed_;
  std::uint32_t sample_count_ = 0;
  std::uint32_t loss_before_q16_ = 0;
  std::uint32_t loss_after_q16_ = 0;
  SparseDelta delta_;
};

/// 128 bits hold the sum of any number of updates without rounding or overflow.
__extension__ using Int128 = __int128;

/// The sum over a round's updates of sample_count * delta, in units of 2^kMinDeltaExponent.
/// Exact, so the order in which they were added is of no consequence.
class Accumulated {
 public:
  [[nodiscard]] const std::vector<Int128>& sums() const { return sums_; }
  [[nodiscard]] std::uint64_t sample_count() const { return sample_count_; }
  [[nodiscard]] std::uint32_t contributor_count() const { return contributor_count_; }

 private:
  friend class aggregate::Accumulator;
  explicit Accumulated(std::size_t dimension) : sums_(dimension) {}

  std::vector<Int128> sums_;
  std::uint64_t sample_count_ = 0;
  std::uint32_t contributor_count_ = 0;
};

/// New weights for a model, not yet evaluated.
class Candidate {
 public:
  [[nodiscard]] const ModelSpec& spec() const { return spec_; }
  [[nodiscard]] Bytes weights() const { return weights_; }  ///< docs/reference/weights.md
  [[nodiscard]] std::uint32_t contributor_count() const { return contributor_count_; }

 private:
  friend class aggregate::Averager;
  friend class coordinator::Publisher;
  Candidate() = default;

  ModelSpec spec_;
  std::vector<std::uint8_t> weights_;
  std::uint32_t contributor_count_ = 0;
};

/// A candidate that was evaluated and signed; `accepted()` says whether it may be served.
class Release {
 public:
  [[nodiscard]] std::uint32_t version() const { return version_; }
  [[nodiscard]] bool accepted() const { return accepted_; }
  /// sample_count is 0 if there is no hold-out set.
  [[nodiscard]] const wire::EvaluationMetrics& evaluation() const { return evaluation_; }
  [[nodiscard]] const std::vector<std::uint8_t>& package() const { return package_; }

 private:
  friend class coordinator::Publisher;
  Release() = default;

  std::uint32_t version_ = 0;
  bool accepted_ = false;
  wire::EvaluationMetrics evaluation_{};
  std::vector<std::uint8_t> package_;
};

}  // namespace server
}  // namespace skep

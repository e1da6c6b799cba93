// A ModelPatch that arrives in pieces, turned into the ModelPackage that it stands for.
#pragma once

#include <array>
#include <cstdint>

#include "skep/bytes.h"
#include "skep/status.h"

namespace skep::wire {

/// The first byte of a ModelPatch. A ModelPackage begins with another one, so a device that asked
/// for a patch knows by it which of the two it gets.
inline constexpr std::uint8_t kModelPatchFirstByte = 0x08;  // field 1, varint

/// Reads the message around a difference; strict, like all decoders. What it hands on are the
/// bytes of the package as far as its weights, ready to be stored, and then the difference, which
/// a DifferenceDecoder turns into the weights.
///
///     while (!rest.empty()) { piece = reader.next(rest); … }
///     reader.finish();
///
/// No heap; 28 B, stack < 100 B. Not thread-safe. Nothing is trusted: neither manifest nor
/// signature are looked at.
class PatchReader {
 public:
  struct Piece {
    bool is_difference;  ///< False: of the package, to be stored as it is.
    Bytes bytes;         ///< Valid until the next call; empty if `rest` ended before any.
  };

  /// `base_version` is the version that the device has, `weights_bytes` (≥ 1) the size of its
  /// weights, which a patch never changes.
  PatchReader(std::uint32_t base_version, std::uint32_t weights_bytes)
      : base_version_(base_version), weights_bytes_(weights_bytes) {}

  /// Takes bytes from the front of `rest` up to the end of a field or of `rest`.
  ///
  /// Errors: kUnsupportedVersion if the message's version is not 1; kWrongBase if the patch is for
  /// another base; kMalformed for what is not a ModelPatch, bytes after its end included. After an
  /// error the reader is of no more use.
  [[nodiscard]] Result<Piece> next(Bytes& rest);

  /// Bytes of the package that were handed on; all that come before its weights once the first
  /// piece of the difference was.
  [[nodiscard]] std::uint32_t head_bytes() const { return head_bytes_; }

  /// No more bytes follow. Errors: kMalformed if the message is not complete.
  [[nodiscard]] Status finish() const;

 private:
  // What the next byte belongs to: the fields in the order of their numbers, of each first the tag,
  // then a varint (value or length), then the content of those that have one.
  enum class Place : std::uint8_t { kTag, kVarint, kContent };
  enum Field : std::uint8_t {
    kVersion = 1,
    kBaseVersion,
    kManifest,
    kSignature,
    kDifference,
    kEnd,
  };

  [[nodiscard]] bool has_content() const { return field_ >= kManifest; }
  Status take_byte(std::uint8_t byte);
  Status take_varint_byte(std::uint8_t byte);
  [[nodiscard]] Status check_value() const;
  Bytes begin_package_field();

  std::uint32_t base_version_;
  std::uint32_t weights_bytes_;
  std::uint32_t head_bytes_ = 0;
  std::uint32_t value_ = 0;  // the varint, then the bytes of the content that are missing
  std::uint8_t shift_ = 0;   // of the varint's next byte
  std::uint8_t field_ = kVersion;
  Place place_ = Place::kTag;
  bool is_announced_ = false;           // the package's field has its tag and length
  std::array<std::uint8_t, 6> head_{};  // tag and length of a field of the package
};

}  // namespace skep::wire

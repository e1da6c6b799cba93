// Bytes to messages and back: the only code that knows how proto/skep.proto is encoded.
//
// Decoding is strict. Every message has exactly one valid encoding, which is what protoc and
// nanopb write: fields in the order of their numbers, shortest varints, defaults left out. After
// decoding, the message is encoded again and compared with the input byte by byte (streamed, no
// buffer); so unknown fields, repeated singular fields, fields out of order, padded varints and
// missing fields of fixed length are all refused, and one signed content has one byte string.
// A new field therefore needs a new version number.
//
// All decoders, for any bytes whatever:
//   kTooLarge            the message is longer than any valid one (the kMax…Bytes below)
//   kUnsupportedVersion  it begins with a version field of 0 or above the message's latest, which
//                        is 1 except for RoundPlan
//   kUnsupported         a field has a value from its type's range that this build does not
//                        implement (an enum's unknown number, batch_size other than 1, format)
//   kMalformed           anything else that skep.proto does not allow: lengths, ranges, names
//
// All encoders: kInvalidArgument if the message is one that its decoder would refuse, kNoMemory
// if `out` is too small; otherwise the number of bytes written. On error `out` is unspecified.
//
// No heap, no global state: every function may be called from any thread. Stack, measured on
// x86-64 at -Os: below 600 B, plus up to three copies of a message that is returned by value
// (those that write to an `out` parameter avoid them).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "skep.pb.h"
#include "skep/bytes.h"
#include "skep/compression.h"
#include "skep/config.h"
#include "skep/model_spec.h"
#include "skep/status.h"

namespace skep::wire {

inline constexpr std::size_t kFederationBytes = 8;
inline constexpr std::size_t kNonceBytes = 16;
inline constexpr std::size_t kDigestBytes = 32;
inline constexpr std::size_t kShortDigestBytes = 16;  ///< Update.base_digest.
inline constexpr std::size_t kSignatureBytes = 64;    ///< ECDSA P-256, r ‖ s.
inline constexpr std::size_t kP256PointBytes = 65;    ///< Uncompressed: 04 ‖ x ‖ y.
inline constexpr std::size_t kX25519KeyBytes = 32;
inline constexpr std::size_t kPrivateKeyBytes = 32;
inline constexpr std::size_t kAeadTagBytes = 16;
inline constexpr std::size_t kMaxNameChars = 32;  ///< Device and model names, [a-z0-9-].
inline constexpr std::uint32_t kUpdateFormat =
    1;  ///< UpdateHeader.format: the plaintext is an Update.
inline constexpr std::uint32_t kRoundPlanVersion = 2;  ///< What gateways write; 1 is still read.
inline constexpr std::uint32_t kMaxSampleCount = 1U << 24U;

// Flat messages: plain structs without pointers.
using RoundPlan = skep_RoundPlan;
using UpdateHeader = skep_UpdateHeader;
using Receipt = skep_Receipt;
using ModelManifest = skep_ModelManifest;
using EvaluationMetrics = skep_EvaluationMetrics;
using Problem = skep_Problem;
using GatewayTime = skep_GatewayTime;
using DeviceCredentials = skep_DeviceCredentials;

// Messages with members of any length: views into the decoded buffer, which must outlive them.
struct SignedRoundPlan {
  Bytes plan;       ///< An encoded RoundPlan, not decoded yet: check the signature first.
  Bytes signature;  ///< kSignatureBytes.
};

struct SealedUpdate {
  Bytes header;      ///< An encoded UpdateHeader, not decoded yet.
  Bytes enc;         ///< kP256PointBytes or kX25519KeyBytes.
  Bytes ciphertext;  ///< More than kAeadTagBytes.
  Bytes signature;   ///< kSignatureBytes.
};

struct SignedTime {
  Bytes time;       ///< An encoded GatewayTime, not decoded yet: check the signature first.
  Bytes signature;  ///< kSignatureBytes.
};

/// The version field is not here: encode() writes it, decode_update() checks it.
struct Update {
  Bytes base_digest;  ///< kShortDigestBytes.
  std::uint32_t sample_count = 0;
  std::uint32_t loss_before_q16 = 0;
  std::uint32_t loss_after_q16 = 0;
  Bytes delta;  ///< Not empty.
};

struct ModelPackage {
  Bytes manifest;   ///< An encoded ModelManifest, not decoded yet.
  Bytes signature;  ///< kSignatureBytes.
  Bytes weights;    ///< Not empty.
};

/// The version field is not here: encode() writes it, decode_model_patch() checks it. A device
/// reads a patch with PatchReader (skep/wire/patch_reader.h), piece by piece.
struct ModelPatch {
  std::uint32_t base_version = 0;  ///< ≥ 1.
  Bytes manifest;                  ///< As in the ModelPackage of the version that it leads to.
  Bytes signature;                 ///< kSignatureBytes.
  Bytes difference;                ///< Not empty; skep/wire/weights_difference.h.
};

inline constexpr std::size_t kMaxRoundPlanBytes = skep_RoundPlan_size;
inline constexpr std::size_t kMaxSignedRoundPlanBytes =
    3 + kMaxRoundPlanBytes + 2 + kSignatureBytes;
inline constexpr std::size_t kMaxUpdateHeaderBytes = skep_UpdateHeader_size;
inline constexpr std::size_t kMaxReceiptBytes = skep_Receipt_size;
inline constexpr std::size_t kMaxManifestBytes = 1152;
inline constexpr std::size_t kMaxProblemBytes = skep_Problem_size;
inline constexpr std::size_t kMaxGatewayTimeBytes = skep_GatewayTime_size;
inline constexpr std::size_t kMaxSignedTimeBytes = 2 + kMaxGatewayTimeBytes + 2 + kSignatureBytes;
inline constexpr std::size_t kMaxDeviceCredentialsBytes = skep_DeviceCredentials_size;

/// The beginning of a ModelPackage that may lie in flash; its weights are only located.
struct PackageHead {
  std::array<std::uint8_t, kMaxManifestBytes> manifest;
  std::uint16_t manifest_bytes;
  std::array<std::uint8_t, kSignatureBytes> signature;
  std::uint32_t weights_offset;  ///< From the start of the package.
  std::uint32_t weights_bytes;   ///< ≥ 1; weights_offset + weights_bytes is the package's size.

  [[nodiscard]] Bytes manifest_view() const { return {manifest.data(), manifest_bytes}; }
};

[[nodiscard]] Result<RoundPlan> decode_round_plan(Bytes bytes);
[[nodiscard]] Result<SignedRoundPlan> decode_signed_round_plan(Bytes bytes);
[[nodiscard]] Result<UpdateHeader> decode_update_header(Bytes bytes);
[[nodiscard]] Result<SealedUpdate> decode_sealed_update(Bytes bytes);
[[nodiscard]] Result<Update> decode_update(Bytes bytes);
[[nodiscard]] Result<Receipt> decode_receipt(Bytes bytes);
[[nodiscard]] Result<ModelPatch> decode_model_patch(Bytes bytes);

/// The manifest's spec is checked as by to_model_spec().
[[nodiscard]] Result<ModelManifest> decode_model_manifest(Bytes bytes);
/// The same into `out`, unspecified on error: it spares a device's stack two copies.
Status read_model_manifest(Bytes bytes, ModelManifest& out);

[[nodiscard]] Result<Problem> decode_problem(Bytes bytes);
[[nodiscard]] Result<GatewayTime> decode_gateway_time(Bytes bytes);
[[nodiscard]] Result<SignedTime> decode_signed_time(Bytes bytes);

/// The result holds a private key: the caller wipes it after use.
[[nodiscard]] Result<DeviceCredentials> decode_device_credentials(Bytes bytes);

/// As above, into the caller's memory (2.3 KB that need not pass over a small stack).
/// On error `out` is unspecified.
Status decode_device_credentials(Bytes bytes, DeviceCredentials& out);

/// Reads manifest and signature, and locates the weights without reading them. The source holds
/// exactly one package. The manifest is not decoded: check the signature first.
///
/// Errors: kTooLarge if the source is larger than kMaxPackageBytes; kMalformed; kStorageFailed
/// if the source cannot be read.
[[nodiscard]] Result<PackageHead> read_model_package(const ByteSource& package);

/// As above, into the caller's memory (0.6 KB). On error `out` is unspecified.
Status read_model_package(const ByteSource& package, PackageHead& out);

[[nodiscard]] Result<std::size_t> encode(const RoundPlan& message, MutableBytes out);
[[nodiscard]] Result<std::size_t> encode(const SignedRoundPlan& message, MutableBytes out);
[[nodiscard]] Result<std::size_t> encode(const UpdateHeader& message, MutableBytes out);
[[nodiscard]] Result<std::size_t> encode(const Receipt& message, MutableBytes out);
[[nodiscard]] Result<std::size_t> encode(const ModelManifest& message, MutableBytes out);
[[nodiscard]] Result<std::size_t> encode(const ModelPackage& message, MutableBytes out);
[[nodiscard]] Result<std::size_t> encode(const ModelPatch& message, MutableBytes out);
[[nodiscard]] Result<std::size_t> encode(const Problem& message, MutableBytes out);
[[nodiscard]] Result<std::size_t> encode(const GatewayTime& message, MutableBytes out);
[[nodiscard]] Result<std::size_t> encode(const SignedTime& message, MutableBytes out);
[[nodiscard]] Result<std::size_t> encode(const DeviceCredentials& message, MutableBytes out);

/// `message.ciphertext` may lie in `out` at sealed_ciphertext_offset(): a device then needs no
/// second buffer. Other overlaps are not allowed.
[[nodiscard]] Result<std::size_t> encode(const SealedUpdate& message, MutableBytes out);

/// `message.delta` may lie in `out` at update_delta_offset(). Other overlaps are not allowed.
[[nodiscard]] Result<std::size_t> encode(const Update& message, MutableBytes out);

/// Where encode(SealedUpdate) puts the ciphertext, for members of these lengths.
[[nodiscard]] std::size_t sealed_ciphertext_offset(std::size_t header_bytes, std::size_t enc_bytes,
                                                   std::size_t ciphertext_bytes);

/// Where encode(Update) puts `message.delta`; of the delta only the length matters.
[[nodiscard]] std::size_t update_delta_offset(const Update& message);

/// Errors: kUnsupportedVersion; kUnsupported for an unknown layer kind or loss; kTooLarge if
/// layers or widths exceed this build's kMaxLayers or kMaxLayerWidth; kMalformed for other
/// values that skep.proto does not allow, a ReLU that changes the width among them.
[[nodiscard]] Result<ModelSpec> to_model_spec(const skep_ModelSpec& spec);

/// The inverse; copies without checking (encode() checks). layer_count ≤ kMaxLayers.
[[nodiscard]] skep_ModelSpec from_model_spec(const ModelSpec& spec);

/// How the plan wants the delta compressed; of version 1, which knew no other, top-K. Copies
/// without checking.
[[nodiscard]] Compression to_compression(const RoundPlan& plan);

/// The part of a nanopb bytes field that is in use, e.g. bytes_of(plan.aggregation_key).
template <typename SizedBytes>
requires requires(const SizedBytes& field) { field.size, field.bytes; }
[[nodiscard]] Bytes bytes_of(const SizedBytes& field) { return {field.bytes, field.size}; }

/// True for 1 … kMaxNameChars characters of [a-z0-9-].
[[nodiscard]] bool is_valid_name(const char* name, std::size_t length);

}  // namespace skep::wire

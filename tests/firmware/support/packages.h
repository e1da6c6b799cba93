// Model packages, good ones and those that nobody but an attacker or a fault would make.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "skep/bytes.h"
#include "skep/learn_testing/specs.h"
#include "skep/model/package_checks.h"
#include "skep/status.h"

namespace skep::firmware_test {

/// A model that the test board can train, and one that takes more memory.
inline constexpr ModelSpec kSmallSpec = learn_testing::mlp_spec({16, 12, 4}, -15);
inline constexpr ModelSpec kLargerSpec = learn_testing::mlp_spec({16, 16, 4}, -15);

inline constexpr std::uint8_t kFederation[wire::kFederationBytes] = {1, 2, 3, 4, 5, 6, 7, 8};

/// As on the wire, without any check.
struct RawLayer {
  std::uint32_t kind;
  std::uint32_t outputs;
};
struct RawSpec {
  std::uint32_t inputs;
  std::span<const RawLayer> layers;
};

enum class SignedBy : std::uint8_t {
  kOurs,       ///< ECDSA, signing_key().
  kForeigner,  ///< ECDSA, foreign_key().
  kHash,       ///< For HashVerifier.
};

struct PackageContent {
  std::uint32_t version;
  SignedBy signed_by = SignedBy::kOurs;
  const ModelSpec& model = kSmallSpec;  ///< Of the weights; no larger than kLargerSpec.
  const RawSpec* spec = nullptr;        ///< What the manifest says instead of `model`.
};

/// Weights drawn with the version as seed. Encoded by hand: the SDK's encoder refuses bad
/// manifests. The number of bytes. Errors: kNoMemory; those of signing.
Result<std::size_t> make_package(const PackageContent& content, MutableBytes out);

/// The ModelPatch that makes the package `to` of the model in `base`, which has `base_version`.
/// Both are packages of `model`. The number of bytes. Errors: kNoMemory.
Result<std::size_t> make_patch(const ModelSpec& model, std::uint32_t base_version, Bytes base,
                               Bytes to, MutableBytes out);

/// A keyed hash in place of a signature. What ModelSlots does with the answers does not depend on
/// the algorithm, and thousands of installations are quick.
class HashVerifier final : public model::PackageVerifier {
 public:
  [[nodiscard]] Result<model::VerifiedManifest> verify_manifest(Bytes manifest,
                                                                Bytes signature) override;
  Status verify_digest(const ByteSource& content, Bytes digest) override;
};

}  // namespace skep::firmware_test

// LabeledExtract and LabeledExpand of RFC 9180, section 4, on PSA's HKDF-SHA256.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "skep/bytes.h"
#include "skep/seal/hpke.h"
#include "skep/status.h"

namespace skep::seal::hpke {

inline constexpr std::size_t kHashBytes = 32;  // Nh of HKDF-SHA256
using HashSecret = SecretBytes<kHashBytes>;

/// Binds derived values to the algorithms in use.
class SuiteId {
 public:
  /// "KEM" ‖ kem (section 4.1).
  static SuiteId of_kem(Kem kem);
  /// "HPKE" ‖ kem ‖ HKDF-SHA256 ‖ AES-128-GCM (section 5.1).
  static SuiteId of_hpke(Kem kem);

  [[nodiscard]] Bytes view() const { return {bytes_.data(), size_bytes_}; }

 private:
  std::array<std::uint8_t, 10> bytes_{};
  std::size_t size_bytes_ = 0;
};

/// Errors: kTooLarge if ikm is longer than kMaxInfoBytes; kNoMemory; kCryptoFailed.
Result<HashSecret> labeled_extract(const SuiteId& suite, Bytes salt, std::string_view label,
                                   Bytes ikm);

/// Fills `out`. `first` and `second` together are the RFC's `info`.
/// Errors: kTooLarge if they are longer than two public keys, or out.size() > kMaxExportBytes;
/// kNoMemory; kCryptoFailed.
Status labeled_expand(const SuiteId& suite, const HashSecret& prk, std::string_view label,
                      Bytes first, Bytes second, MutableBytes out);

}  // namespace skep::seal::hpke

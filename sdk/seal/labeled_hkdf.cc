#include "labeled_hkdf.h"

#include <psa/crypto.h>

#include <algorithm>
#include <iterator>

#include "psa_status.h"

namespace skep::seal::hpke {
namespace {

constexpr std::string_view kVersionLabel = "HPKE-v1";
constexpr std::uint16_t kKdfHkdfSha256 = 0x0001;
constexpr std::uint16_t kAeadAes128Gcm = 0x0001;
constexpr std::size_t kMaxSuiteIdBytes = 10;
constexpr std::size_t kMaxLabelBytes = 16;
constexpr std::size_t kMaxContextBytes = 2 * kMaxPublicKeyBytes;
static_assert(kMaxContextBytes >= kMaxInfoBytes && kMaxContextBytes >= kMaxExporterContextBytes);

/// The concatenation that PSA wants as one buffer. Wiped: it may hold a shared secret.
class LabeledInput {
 public:
  Status append(Bytes bytes) {
    const MutableBytes rest = buffer_.mutable_view().subspan(size_bytes_);
    if (bytes.size() > rest.size()) return Status::kTooLarge;
    std::copy(bytes.begin(), bytes.end(), rest.begin());
    size_bytes_ += bytes.size();
    return Status::kOk;
  }
  Status append(std::string_view text) {
    return append(Bytes(reinterpret_cast<const std::uint8_t*>(text.data()), text.size()));
  }
  [[nodiscard]] Bytes view() const { return buffer_.view().first(size_bytes_); }

 private:
  SecretBytes<2 + kVersionLabel.size() + kMaxSuiteIdBytes + kMaxLabelBytes + kMaxContextBytes>
      buffer_;
  std::size_t size_bytes_ = 0;
};

/// A PSA key derivation that is aborted, and so wiped, on every path.
class Derivation {
 public:
  explicit Derivation(psa_algorithm_t algorithm)
      : operation_(psa_key_derivation_operation_init()),
        status_(psa_key_derivation_setup(&operation_, algorithm)) {}
  Derivation(const Derivation&) = delete;
  Derivation& operator=(const Derivation&) = delete;
  ~Derivation() { static_cast<void>(psa_key_derivation_abort(&operation_)); }

  Derivation& input(psa_key_derivation_step_t step, Bytes bytes) {
    if (status_ == PSA_SUCCESS) {
      status_ = psa_key_derivation_input_bytes(&operation_, step, bytes.data(), bytes.size());
    }
    return *this;
  }

  Status output(MutableBytes out) {
    if (status_ == PSA_SUCCESS) {
      status_ = psa_key_derivation_output_bytes(&operation_, out.data(), out.size());
    }
    return from_psa(status_);
  }

 private:
  psa_key_derivation_operation_t operation_;
  psa_status_t status_;
};

std::uint8_t high_byte(std::uint16_t value) { return static_cast<std::uint8_t>(value >> 8U); }
std::uint8_t low_byte(std::uint16_t value) { return static_cast<std::uint8_t>(value & 0xFFU); }

}  // namespace

SuiteId SuiteId::of_kem(Kem kem) {
  const auto number = static_cast<std::uint16_t>(kem);
  SuiteId id;
  id.bytes_ = {'K', 'E', 'M', high_byte(number), low_byte(number)};
  id.size_bytes_ = 5;
  return id;
}

SuiteId SuiteId::of_hpke(Kem kem) {
  const auto number = static_cast<std::uint16_t>(kem);
  SuiteId id;
  id.bytes_ = {'H',
               'P',
               'K',
               'E',
               high_byte(number),
               low_byte(number),
               high_byte(kKdfHkdfSha256),
               low_byte(kKdfHkdfSha256),
               high_byte(kAeadAes128Gcm),
               low_byte(kAeadAes128Gcm)};
  id.size_bytes_ = kMaxSuiteIdBytes;
  return id;
}

Result<HashSecret> labeled_extract(const SuiteId& suite, Bytes salt, std::string_view label,
                                   Bytes ikm) {
  if (ikm.size() > kMaxInfoBytes) return Status::kTooLarge;
  LabeledInput labeled_ikm;
  SKEP_TRY(labeled_ikm.append(kVersionLabel));
  SKEP_TRY(labeled_ikm.append(suite.view()));
  SKEP_TRY(labeled_ikm.append(label));
  SKEP_TRY(labeled_ikm.append(ikm));
  HashSecret prk;
  SKEP_TRY(Derivation(PSA_ALG_HKDF_EXTRACT(PSA_ALG_SHA_256))
               .input(PSA_KEY_DERIVATION_INPUT_SALT, salt)
               .input(PSA_KEY_DERIVATION_INPUT_SECRET, labeled_ikm.view())
               .output(prk.mutable_view()));
  return prk;
}

Status labeled_expand(const SuiteId& suite, const HashSecret& prk, std::string_view label,
                      Bytes first, Bytes second, MutableBytes out) {
  if (out.size() > kMaxExportBytes) return Status::kTooLarge;
  if (out.empty()) return Status::kOk;
  const auto length = static_cast<std::uint16_t>(out.size());
  const std::array<std::uint8_t, 2> length_bytes = {high_byte(length), low_byte(length)};
  LabeledInput labeled_info;
  SKEP_TRY(labeled_info.append(length_bytes));
  SKEP_TRY(labeled_info.append(kVersionLabel));
  SKEP_TRY(labeled_info.append(suite.view()));
  SKEP_TRY(labeled_info.append(label));
  SKEP_TRY(labeled_info.append(first));
  SKEP_TRY(labeled_info.append(second));
  return Derivation(PSA_ALG_HKDF_EXPAND(PSA_ALG_SHA_256))
      .input(PSA_KEY_DERIVATION_INPUT_SECRET, prk.view())
      .input(PSA_KEY_DERIVATION_INPUT_INFO, labeled_info.view())
      .output(out);
}

}  // namespace skep::seal::hpke

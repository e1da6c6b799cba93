#include "skep/seal/hpke.h"

#include <psa/crypto.h>

#include <algorithm>
#include <limits>

#include "hpke_internal.h"
#include "psa_status.h"

namespace skep::seal::hpke {
namespace {

constexpr std::uint8_t kModeBase = 0x00;
constexpr std::size_t kPieceBytes = 64;
constexpr std::size_t kBlockBytes = 16;

Result<PsaKey> import_aead_key(Bytes raw, bool encrypts) {
  psa_key_attributes_t attributes = PSA_KEY_ATTRIBUTES_INIT;
  psa_set_key_type(&attributes, PSA_KEY_TYPE_AES);
  psa_set_key_usage_flags(&attributes, encrypts ? PSA_KEY_USAGE_ENCRYPT : PSA_KEY_USAGE_DECRYPT);
  psa_set_key_algorithm(&attributes, PSA_ALG_GCM);
  psa_key_id_t id = PSA_KEY_ID_NULL;
  SKEP_TRY(from_psa(psa_import_key(&attributes, raw.data(), raw.size(), &id)));
  return PsaKey(id);
}

/// A PSA encryption that is aborted, and so wiped, on every path.
class Encryption {
 public:
  Encryption() : operation_(psa_aead_operation_init()) {}
  Encryption(const Encryption&) = delete;
  Encryption& operator=(const Encryption&) = delete;
  ~Encryption() { static_cast<void>(psa_aead_abort(&operation_)); }

  Status start(const PsaKey& key, Bytes nonce, Bytes aad) {
    SKEP_TRY(from_psa(psa_aead_encrypt_setup(&operation_, key.id(), PSA_ALG_GCM)));
    SKEP_TRY(from_psa(psa_aead_set_nonce(&operation_, nonce.data(), nonce.size())));
    if (aad.empty()) return Status::kOk;
    return from_psa(psa_aead_update_ad(&operation_, aad.data(), aad.size()));
  }

  /// Encrypts a piece of at most kPieceBytes, and appends what comes out to `out` at `written`.
  Status update(Bytes piece, MutableBytes out, std::size_t& written) {
    std::size_t length = 0;
    SKEP_TRY(from_psa(psa_aead_update(&operation_, piece.data(), piece.size(), scratch_.data(),
                                      scratch_.size(), &length)));
    return append(Bytes(scratch_).first(length), out, written);
  }

  /// Appends what is left, and the tag.
  Status finish(MutableBytes out, std::size_t& written) {
    std::array<std::uint8_t, kTagBytes> tag{};
    std::size_t length = 0;
    std::size_t tag_length = 0;
    SKEP_TRY(from_psa(psa_aead_finish(&operation_, scratch_.data(), scratch_.size(), &length,
                                      tag.data(), tag.size(), &tag_length)));
    SKEP_TRY(append(Bytes(scratch_).first(length), out, written));
    return append(Bytes(tag).first(tag_length), out, written);
  }

 private:
  static Status append(Bytes bytes, MutableBytes out, std::size_t& written) {
    if (bytes.size() > out.size() - written) return Status::kInternal;
    std::copy(bytes.begin(), bytes.end(), out.subspan(written).begin());
    written += bytes.size();
    return Status::kOk;
  }

  psa_aead_operation_t operation_;
  // Ciphertext only. PSA may keep back a block, and may write to all of what it is given.
  std::array<std::uint8_t, kPieceBytes + kBlockBytes> scratch_{};
};

/// `plaintext` may begin where `out` does. PSA need not support overlap, so pieces pass through
/// memory of ours; as no more comes out than went in, what is not yet read is not overwritten.
Result<std::size_t> encrypt(const PsaKey& key, Bytes nonce, Bytes aad, Bytes plaintext,
                            MutableBytes out) {
  Encryption encryption;
  SKEP_TRY(encryption.start(key, nonce, aad));
  SecretBytes<kPieceBytes> piece;
  std::size_t written = 0;
  for (std::size_t read = 0; read < plaintext.size();) {
    const Bytes next = plaintext.subspan(read, std::min(kPieceBytes, plaintext.size() - read));
    std::copy(next.begin(), next.end(), piece.mutable_view().begin());
    read += next.size();
    SKEP_TRY(encryption.update(piece.view().first(next.size()), out, written));
  }
  SKEP_TRY(encryption.finish(out, written));
  if (written != out.size()) return Status::kInternal;
  return written;
}

/// A counter may not wrap: the same nonce twice gives the key away.
bool is_exhausted(std::uint64_t sequence_number) {
  return sequence_number == std::numeric_limits<std::uint64_t>::max();
}

}  // namespace

Result<KeySchedule> key_schedule(Kem kem, const HashSecret& shared_secret, Bytes info) {
  const SuiteId suite = SuiteId::of_hpke(kem);
  SKEP_ASSIGN_OR_RETURN(const HashSecret psk_id_hash,
                        labeled_extract(suite, Bytes(), "psk_id_hash", Bytes()));
  SKEP_ASSIGN_OR_RETURN(const HashSecret info_hash,
                        labeled_extract(suite, Bytes(), "info_hash", info));
  KeySchedule schedule{};
  schedule.context[0] = kModeBase;
  const Bytes hashes[] = {psk_id_hash.view(), info_hash.view()};
  auto end = schedule.context.begin() + 1;
  for (const Bytes hash : hashes) end = std::copy(hash.begin(), hash.end(), end);

  SKEP_ASSIGN_OR_RETURN(schedule.secret,
                        labeled_extract(suite, shared_secret.view(), "secret", Bytes()));
  const Bytes context(schedule.context);
  SKEP_TRY(
      labeled_expand(suite, schedule.secret, "key", context, Bytes(), schedule.key.mutable_view()));
  SKEP_TRY(labeled_expand(suite, schedule.secret, "base_nonce", context, Bytes(),
                          schedule.base_nonce.mutable_view()));
  SKEP_TRY(labeled_expand(suite, schedule.secret, "exp", context, Bytes(),
                          schedule.exporter_secret.mutable_view()));
  return schedule;
}

Context::Context(Kem kem, PsaKey key, SecretBytes<kNonceBytes> base_nonce,
                 SecretBytes<kExporterSecretBytes> exporter_secret)
    : kem_(kem),
      key_(std::move(key)),
      base_nonce_(std::move(base_nonce)),
      exporter_secret_(std::move(exporter_secret)) {}

std::array<std::uint8_t, kNonceBytes> Context::next_nonce() const {
  std::array<std::uint8_t, kNonceBytes> nonce{};
  std::copy(base_nonce_.view().begin(), base_nonce_.view().end(), nonce.begin());
  for (std::size_t i = 0; i < sizeof(sequence_number_); ++i) {
    const auto byte = static_cast<std::uint8_t>((sequence_number_ >> (8U * i)) & 0xFFU);
    std::uint8_t& place = nonce[kNonceBytes - 1 - i];
    place = static_cast<std::uint8_t>(place ^ byte);
  }
  return nonce;
}

Status Context::export_secret(Bytes exporter_context, MutableBytes out) const {
  wipe(out);
  if (exporter_context.size() > kMaxExporterContextBytes) return Status::kTooLarge;
  const Status status = labeled_expand(SuiteId::of_hpke(kem_), exporter_secret_, "sec",
                                       exporter_context, Bytes(), out);
  if (status != Status::kOk) wipe(out);
  return status;
}

Result<Sender> ContextAccess::sender(const PrivateKey& ephemeral, Bytes recipient_public_key,
                                     Bytes info) {
  SKEP_ASSIGN_OR_RETURN(const Encapsulation encapsulation, encap(ephemeral, recipient_public_key));
  SKEP_ASSIGN_OR_RETURN(KeySchedule schedule,
                        key_schedule(ephemeral.kem(), encapsulation.shared_secret, info));
  SKEP_ASSIGN_OR_RETURN(PsaKey aead_key, import_aead_key(schedule.key.view(), true));
  return Sender(Context(ephemeral.kem(), std::move(aead_key), std::move(schedule.base_nonce),
                        std::move(schedule.exporter_secret)),
                encapsulation.enc);
}

Result<Recipient> ContextAccess::recipient(const PrivateKey& key, Bytes enc, Bytes info) {
  const Result<HashSecret> shared_secret = decap(key, enc);
  if (shared_secret.status() == Status::kInvalidArgument) return Status::kUndecryptable;
  SKEP_TRY(shared_secret.status());
  SKEP_ASSIGN_OR_RETURN(KeySchedule schedule, key_schedule(key.kem(), *shared_secret, info));
  SKEP_ASSIGN_OR_RETURN(PsaKey aead_key, import_aead_key(schedule.key.view(), false));
  return Recipient(Context(key.kem(), std::move(aead_key), std::move(schedule.base_nonce),
                           std::move(schedule.exporter_secret)));
}

Result<Sender> Sender::setup(Kem kem, Bytes recipient_public_key, Bytes info) {
  if (info.size() > kMaxInfoBytes) return Status::kTooLarge;
  SKEP_ASSIGN_OR_RETURN(const PrivateKey ephemeral, PrivateKey::generate(kem));
  return ContextAccess::sender(ephemeral, recipient_public_key, info);
}

Result<std::size_t> Sender::seal(Bytes aad, Bytes plaintext, MutableBytes out) {
  if (out.size() < kTagBytes || out.size() - kTagBytes < plaintext.size()) {
    return Status::kNoMemory;
  }
  if (is_exhausted(sequence_number_)) return Status::kTooLarge;
  SKEP_ASSIGN_OR_RETURN(const std::size_t length, encrypt(key_, next_nonce(), aad, plaintext,
                                                          out.first(plaintext.size() + kTagBytes)));
  ++sequence_number_;
  return length;
}

Result<Recipient> Recipient::setup(const PrivateKey& key, Bytes enc, Bytes info) {
  if (info.size() > kMaxInfoBytes) return Status::kTooLarge;
  return ContextAccess::recipient(key, enc, info);
}

Result<std::size_t> Recipient::open(Bytes aad, Bytes ciphertext, MutableBytes out) {
  if (ciphertext.size() < kTagBytes) return Status::kUndecryptable;
  const std::size_t plaintext_bytes = ciphertext.size() - kTagBytes;
  if (out.size() < plaintext_bytes) return Status::kNoMemory;
  if (is_exhausted(sequence_number_)) return Status::kTooLarge;
  const std::array<std::uint8_t, kNonceBytes> nonce = next_nonce();
  std::size_t length = 0;
  const psa_status_t status =
      psa_aead_decrypt(key_.id(), PSA_ALG_GCM, nonce.data(), nonce.size(), aad.data(), aad.size(),
                       ciphertext.data(), ciphertext.size(), out.data(), plaintext_bytes, &length);
  if (status != PSA_SUCCESS) {
    wipe(out.first(plaintext_bytes));
    return status == PSA_ERROR_INVALID_SIGNATURE ? Status::kUndecryptable : from_psa(status);
  }
  ++sequence_number_;
  return length;
}

Result<std::size_t> seal(Kem kem, Bytes recipient_public_key, Bytes info, Bytes aad,
                         Bytes plaintext, PublicKey& enc, MutableBytes out) {
  SKEP_ASSIGN_OR_RETURN(Sender sender, Sender::setup(kem, recipient_public_key, info));
  SKEP_ASSIGN_OR_RETURN(const std::size_t length, sender.seal(aad, plaintext, out));
  enc = sender.encapsulated_key();
  return length;
}

Result<std::size_t> open(const PrivateKey& key, Bytes enc, Bytes info, Bytes aad, Bytes ciphertext,
                         MutableBytes out) {
  SKEP_ASSIGN_OR_RETURN(Recipient recipient, Recipient::setup(key, enc, info));
  return recipient.open(aad, ciphertext, out);
}

}  // namespace skep::seal::hpke

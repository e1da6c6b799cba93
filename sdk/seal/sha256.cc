#include "skep/seal/sha256.h"

#include <psa/crypto.h>

#include <algorithm>
#include <new>

#include "psa_status.h"

namespace skep::seal {
namespace {

psa_hash_operation_t* operation_in(std::uint8_t* storage) {
  return std::launder(reinterpret_cast<psa_hash_operation_t*>(storage));
}

}  // namespace

Sha256::Sha256() : operation_{}, status_(Status::kOk) {
  static_assert(sizeof(psa_hash_operation_t) <= kOperationBytes);
  static_assert(alignof(psa_hash_operation_t) <= 8);
  auto* operation = new (operation_.data()) psa_hash_operation_t(psa_hash_operation_init());
  status_ = from_psa(psa_hash_setup(operation, PSA_ALG_SHA_256));
}

Sha256::~Sha256() {
  // Wipes what was hashed, as it may have been secret.
  static_cast<void>(psa_hash_abort(operation_in(operation_.data())));
}

Status Sha256::update(Bytes bytes) {
  if (status_ != Status::kOk || bytes.empty()) return status_;
  status_ = from_psa(psa_hash_update(operation_in(operation_.data()), bytes.data(), bytes.size()));
  return status_;
}

Result<Sha256Digest> Sha256::finish() {
  SKEP_TRY(status_);
  Sha256Digest digest{};
  std::size_t length = 0;
  status_ = from_psa(
      psa_hash_finish(operation_in(operation_.data()), digest.data(), digest.size(), &length));
  SKEP_TRY(status_);
  status_ = Status::kInvalidArgument;
  return digest;
}

Result<Sha256Digest> sha256(Bytes bytes) {
  Sha256 hash;
  SKEP_TRY(hash.update(bytes));
  return hash.finish();
}

Result<Sha256Digest> sha256(const ByteSource& source) {
  constexpr std::uint32_t kPieceBytes = 256;
  Sha256 hash;
  std::array<std::uint8_t, kPieceBytes> piece;
  for (std::uint32_t offset = 0; offset < source.size_bytes();) {
    const std::uint32_t length = std::min(kPieceBytes, source.size_bytes() - offset);
    const MutableBytes part = MutableBytes(piece).first(length);
    SKEP_TRY(source.read(offset, part));
    SKEP_TRY(hash.update(part));
    offset += length;
  }
  return hash.finish();
}

}  // namespace skep::seal

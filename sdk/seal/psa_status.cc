#include "psa_status.h"

namespace skep::seal {

Status from_psa(psa_status_t status) {
  switch (status) {
    case PSA_SUCCESS:
      return Status::kOk;
    case PSA_ERROR_INSUFFICIENT_ENTROPY:
      return Status::kNoEntropy;
    case PSA_ERROR_INSUFFICIENT_MEMORY:
      return Status::kNoMemory;
    case PSA_ERROR_NOT_SUPPORTED:
      return Status::kUnsupported;
    default:
      return Status::kCryptoFailed;
  }
}

Status from_psa_key_input(psa_status_t status) {
  if (status == PSA_ERROR_INVALID_ARGUMENT || status == PSA_ERROR_DATA_INVALID) {
    return Status::kInvalidArgument;
  }
  return from_psa(status);
}

}  // namespace skep::seal

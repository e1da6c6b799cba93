// PSA's answers as Status.
#pragma once

#include <psa/crypto.h>

#include "skep/status.h"

namespace skep::seal {

/// What can come of any call: kNoEntropy, kNoMemory, kUnsupported, else kCryptoFailed.
[[nodiscard]] Status from_psa(psa_status_t status);

/// As from_psa(), and kInvalidArgument where PSA judges a key that was given to us.
[[nodiscard]] Status from_psa_key_input(psa_status_t status);

}  // namespace skep::seal

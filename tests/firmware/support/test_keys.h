// Keys of a federation that exists in test images only.
#pragma once

#include "skep/seal/signature.h"

namespace skep::firmware_test {

/// Starts the cryptography and makes the keys below; fails the run if it cannot.
void make_keys();

/// Signs models and plans of the federation that the board belongs to.
const seal::SigningKey& signing_key();

/// Signs those of another one.
const seal::SigningKey& foreign_key();

}  // namespace skep::firmware_test

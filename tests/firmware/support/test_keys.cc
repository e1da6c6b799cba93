#include "test_keys.h"

#include <array>
#include <cstdint>
#include <optional>

#include "skep/port_baremetal/crypto_arena.h"
#include "skep/seal/crypto.h"
#include "test_board.h"

namespace skep::firmware_test {
namespace {

std::optional<seal::SigningKey> signing;
std::optional<seal::SigningKey> foreign;

// Any scalar below the group's order is a key; fixed ones make each run the same.
seal::SigningKey key_of(std::uint8_t number) {
  std::array<std::uint8_t, seal::kSigningScalarBytes> scalar{};
  scalar.fill(number);
  return take(seal::SigningKey::from_bytes(scalar), "test key");
}

}  // namespace

void make_keys() {
  port_baremetal::start_crypto_arena();
  require(seal::initialize_crypto(), "cryptography");
  signing.emplace(key_of(0x11));
  foreign.emplace(key_of(0x22));
}

const seal::SigningKey& signing_key() { return *signing; }
const seal::SigningKey& foreign_key() { return *foreign; }

}  // namespace skep::firmware_test

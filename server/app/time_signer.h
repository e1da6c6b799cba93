// The gateway's clock, for devices that have none.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "skep/bytes.h"
#include "skep/seal/signature.h"
#include "skep/store/store.h"

namespace skep::app {

/// Signs the time with the key that signs round plans, which every device knows already.
class TimeSigner {
 public:
  /// `key` outlives this.
  TimeSigner(const seal::SigningKey& key, const store::FederationId& federation,
             std::function<std::int64_t()> now_unix_s);

  /// An encoded SignedTime. `nonce` has wire::kNonceBytes.
  /// Errors: std::runtime_error if it cannot be signed.
  [[nodiscard]] std::vector<std::uint8_t> answer(Bytes nonce) const;

 private:
  const seal::SigningKey* key_;
  store::FederationId federation_;
  std::function<std::int64_t()> now_unix_s_;
};

}  // namespace skep::app

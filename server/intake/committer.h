// Makes validated updates durable, several in one transaction.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <variant>
#include <vector>

#include "skep/intake/intake.h"
#include "skep/intake/validate.h"
#include "skep/server_flow/flow.h"
#include "skep/store/store.h"

namespace skep::intake {

/// An update that was validated, or refused, and whom to tell.
struct Pending {
  std::variant<server::Valid, Refusal> outcome;
  std::string device;          ///< Of the session.
  server::PublicKey key{};     ///< Likewise.
  std::size_t size_bytes = 0;  ///< Sealed.
  std::uint64_t token = 0;
};

/// What commit() did.
struct CommitReport {
  std::vector<Answer> answers;                      ///< One for each, in their order.
  std::map<std::uint32_t, std::uint32_t> accepted;  ///< New updates by round.
};

/// Stores what is new, counts what is refused, and returns after the commit. Of two updates of one
/// device and round the first is accepted and the second is a duplicate, or kAlreadyAnswered if its
/// bytes differ; the round may have been closed and the device revoked since validation:
/// kWrongRound, kRevoked.
///
/// If the store fails, nothing of the batch is stored or counted, and its valid updates are
/// answered kStorageFailed.
CommitReport commit(store::Store& store, const std::vector<Pending>& batch,
                    std::int64_t now_unix_s);

/// The answer to a stored update.
Answer make_receipt(std::uint64_t token, skep_ReceiptStatus status, std::uint32_t round,
                    const server::Digest& digest);

/// The answer to an update that was not taken.
Answer make_refusal(std::uint64_t token, const Refusal& refusal);

}  // namespace skep::intake

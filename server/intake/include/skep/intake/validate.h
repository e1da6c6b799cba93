// Whether an update is taken: Received → Opened → Valid, one check after the other.
//
// Pure functions of their arguments: nothing is stored, counted or logged here. Thread-safe if
// the Records are.
#pragma once

#include <array>
#include <cstdint>
#include <variant>

#include "skep/intake/rules.h"
#include "skep/seal/envelope.h"
#include "skep/server_flow/flow.h"
#include "skep/wire/codec.h"

namespace skep::intake {

/// This gateway, as far as updates are concerned.
struct Gateway {
  std::array<std::uint8_t, wire::kFederationBytes> federation{};
  const seal::AggregationKey& key;
};

using OpenOutcome = std::variant<server::Opened, Duplicate, Refusal>;
using CheckOutcome = std::variant<server::Valid, Refusal>;
using Outcome = std::variant<server::Valid, Duplicate, Refusal>;

/// Authenticates and decrypts. `rules` is null while no round is open.
///
/// In this order, which lets the cheap and the telling checks go first:
///   kTooLarge, kMalformed, kUnsupportedVersion, kUnsupported   it is no SealedUpdate
///   kWrongFederation   the header names another federation
///   kWrongDevice       the header's device is not the session's, or the session's key is not the
///                      enrolled one
///   kRevoked           the device is not, or no longer, enrolled
///   kBadSignature      not signed by the device
///   Duplicate          the same bytes are stored already, whichever round they are for
///   kWrongRound        it is for a round that is not open
///   kAlreadyAnswered   other bytes of this device are stored for this round
///   kWrongNonce        it does not answer this plan
///   kWrongBase         its base version is not the plan's
///   kUndecryptable     it is sealed to another key, or was altered
///   kMalformed …       the content is no Update
OpenOutcome open(server::Received update, const Gateway& gateway, const RoundRules* rules,
                 Records& records);

/// Checks the content against the plan.
///
/// Errors, in this order: kWrongBase if the base digest is not the plan's; kMalformed (or
/// kUnsupportedVersion) if the delta does not decode for the model's dimension, or is not
/// compressed as the plan says; kNormExceeded if its exact L2 norm is above the plan's clip norm.
CheckOutcome check(server::Opened update, const RoundRules& rules);

/// open(), then check().
Outcome validate(server::Received update, const Gateway& gateway, const RoundRules* rules,
                 Records& records);

/// An update that was validated before it was stored, for aggregation. The signature was checked
/// then; that these are the bytes is checked by their digest.
///
/// Errors: kBadDigest if they are not; otherwise those of open() from kWrongRound on, and check().
CheckOutcome reopen(const std::string& device, const server::Digest& digest,
                    std::vector<std::uint8_t> sealed, const Gateway& gateway,
                    const RoundRules& rules);

}  // namespace skep::intake

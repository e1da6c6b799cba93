// One record of the audit log, and the hash that ties it to all records before it.
//
// docs/reference/audit.md has the encoding to the byte. Pure functions, thread-safe;
// seal::initialize_crypto() must have succeeded before a hash is computed.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "skep/audit/error.h"
#include "skep/seal/sha256.h"
#include "skep/wire/codec.h"

namespace skep::audit {

using Digest = seal::Sha256Digest;
using FederationId = std::array<std::uint8_t, wire::kFederationBytes>;

/// What happened. Stored and hashed as this number, which is never given to another event. As wide
/// as a column of the database: whatever is read from there keeps all its bits.
enum class Event : std::int64_t {
  kDeviceAdded = 1,
  kDeviceRevoked = 2,
  kSessionRefused = 3,
  kUpdateRefused = 4,
  kRoundOpened = 5,
  kRoundClosed = 6,
  kModelReleased = 7,
  kModelRejected = 8,  ///< By the gate: it evaluated worse.
  kModelRolledBack = 9,
  kModelExported = 10,  ///< Written before the export, which may then have failed.
  kGatewayStarted = 11,
  kGatewayStopped = 12,
  kHandshakeRefused = 13,  ///< Nothing proves that the peer had the key of the name that it showed.
  kTokenMade = 14,
  kTokenRevoked = 15,    ///< Also by the revocation of the device that it was for.
  kDeviceEnrolled = 16,  ///< By a token.
  kCertificateRenewed = 17,
  kKeyReplaced = 18,  ///< A renewed certificate with another key was used: the one before is void.
  kEnrolmentRefused = 19,  ///< A token, or a request for a certificate.
  kDatabaseBackedUp = 20,  ///< Written before the copy, which may then have failed.
  kDatabaseRestored = 21,
  kDeviceForgotten = 22,
  kKeysEncrypted = 23,
};

/// "device_added" …; "unknown" for a number that is no Event.
[[nodiscard]] const char* to_string(Event event);

enum class ActorKind : std::int64_t {
  kGateway = 1,   ///< skepd of its own accord.
  kOperator = 2,  ///< A user of the gateway's machine.
  kDevice = 3,
};

/// "gateway", "operator", "device"; "unknown".
[[nodiscard]] const char* to_string(ActorKind kind);

/// Who, and from where.
struct Actor {
  ActorKind kind = ActorKind::kGateway;
  std::string name = "skepd";  ///< "skepd", "uid 1000 (ann)", or the device's name.
  std::string origin = {};     ///< "skepctl", "admin socket", or the device's address and port.
};

/// What a record says. No text has a bound of its own; the caller keeps what others chose short.
struct Entry {
  std::int64_t unix_s = 0;
  Event event = Event::kGatewayStarted;
  Actor actor = {};
  std::string subject = {};  ///< "device bee-1", "round 7", "version 8", "gateway".
  std::string before = {};   ///< What the subject was; empty if it was not there.
  std::string after = {};    ///< What it is now.
};

/// An entry in its place.
struct Record {
  std::int64_t number = 0;  ///< From 1, without gaps.
  Entry entry = {};
  Digest hash{};  ///< record_hash() of the above and of the record before.
};

/// What stands for the hash of the record before the first: a federation's chain is not another's.
/// Errors: AuditError of kCryptoFailed.
[[nodiscard]] Digest chain_origin(const FederationId& federation);

/// The only encoding of these fields.
/// Errors: AuditError of kTooLarge if a text has 2^32 bytes or more.
[[nodiscard]] std::vector<std::uint8_t> encode(std::int64_t number, const Digest& previous,
                                               const Entry& entry);

/// SHA-256 of encode(). Errors: those of encode(); AuditError of kCryptoFailed.
[[nodiscard]] Digest record_hash(std::int64_t number, const Digest& previous, const Entry& entry);

}  // namespace skep::audit

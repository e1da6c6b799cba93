#include "skep/audit/record.h"

#include <limits>
#include <string_view>

#include "big_endian.h"

namespace skep::audit {
namespace {

// With the zero byte at its end, no prefix is the beginning of another.
constexpr std::uint8_t kChainPrefix[] = "skep audit log v1";
constexpr std::uint8_t kRecordPrefix[] = "skep audit record v1";

Digest require_sha256(Bytes bytes) {
  const Result<Digest> digest = seal::sha256(bytes);
  if (!digest.ok()) throw AuditError(digest.status(), "hashing an audit record failed");
  return *digest;
}

void append_text(std::vector<std::uint8_t>& out, std::string_view text) {
  if (text.size() > std::numeric_limits<std::uint32_t>::max()) {
    throw AuditError(Status::kTooLarge, "a text of an audit record has " +
                                            std::to_string(text.size()) +
                                            " bytes: expected less than 2^32");
  }
  append_integer(out, static_cast<std::uint32_t>(text.size()));
  out.insert(out.end(), text.begin(), text.end());
}

}  // namespace

const char* to_string(Event event) {
  switch (event) {
    case Event::kDeviceAdded:
      return "device_added";
    case Event::kDeviceRevoked:
      return "device_revoked";
    case Event::kSessionRefused:
      return "session_refused";
    case Event::kUpdateRefused:
      return "update_refused";
    case Event::kRoundOpened:
      return "round_opened";
    case Event::kRoundClosed:
      return "round_closed";
    case Event::kModelReleased:
      return "model_released";
    case Event::kModelRejected:
      return "model_rejected";
    case Event::kModelRolledBack:
      return "model_rolled_back";
    case Event::kModelExported:
      return "model_exported";
    case Event::kGatewayStarted:
      return "gateway_started";
    case Event::kGatewayStopped:
      return "gateway_stopped";
    case Event::kHandshakeRefused:
      return "handshake_refused";
    case Event::kTokenMade:
      return "token_made";
    case Event::kTokenRevoked:
      return "token_revoked";
    case Event::kDeviceEnrolled:
      return "device_enrolled";
    case Event::kCertificateRenewed:
      return "certificate_renewed";
    case Event::kKeyReplaced:
      return "key_replaced";
    case Event::kEnrolmentRefused:
      return "enrolment_refused";
    case Event::kDatabaseBackedUp:
      return "database_backed_up";
    case Event::kDatabaseRestored:
      return "database_restored";
    case Event::kDeviceForgotten:
      return "device_forgotten";
    case Event::kKeysEncrypted:
      return "keys_encrypted";
  }
  return "unknown";
}

const char* to_string(ActorKind kind) {
  switch (kind) {
    case ActorKind::kGateway:
      return "gateway";
    case ActorKind::kOperator:
      return "operator";
    case ActorKind::kDevice:
      return "device";
  }
  return "unknown";
}

Digest chain_origin(const FederationId& federation) {
  std::vector<std::uint8_t> bytes(std::begin(kChainPrefix), std::end(kChainPrefix));
  bytes.insert(bytes.end(), federation.begin(), federation.end());
  return require_sha256(bytes);
}

std::vector<std::uint8_t> encode(std::int64_t number, const Digest& previous, const Entry& entry) {
  std::vector<std::uint8_t> bytes(std::begin(kRecordPrefix), std::end(kRecordPrefix));
  append_integer(bytes, number);
  bytes.insert(bytes.end(), previous.begin(), previous.end());
  append_integer(bytes, entry.unix_s);
  append_integer(bytes, static_cast<std::int64_t>(entry.event));
  append_integer(bytes, static_cast<std::int64_t>(entry.actor.kind));
  append_text(bytes, entry.actor.name);
  append_text(bytes, entry.actor.origin);
  append_text(bytes, entry.subject);
  append_text(bytes, entry.before);
  append_text(bytes, entry.after);
  return bytes;
}

Digest record_hash(std::int64_t number, const Digest& previous, const Entry& entry) {
  return require_sha256(encode(number, previous, entry));
}

}  // namespace skep::audit

#include "skep/status.h"

namespace skep {

const char* to_string(Status status) {
  switch (status) {
    case Status::kOk:
      return "Ok";
    case Status::kInvalidArgument:
      return "InvalidArgument";
    case Status::kTooLarge:
      return "TooLarge";
    case Status::kMalformed:
      return "Malformed";
    case Status::kUnsupportedVersion:
      return "UnsupportedVersion";
    case Status::kUnsupported:
      return "Unsupported";
    case Status::kNoMemory:
      return "NoMemory";
    case Status::kNoEntropy:
      return "NoEntropy";
    case Status::kStorageFailed:
      return "StorageFailed";
    case Status::kNotFound:
      return "NotFound";
    case Status::kBadSignature:
      return "BadSignature";
    case Status::kBadDigest:
      return "BadDigest";
    case Status::kStaleVersion:
      return "StaleVersion";
    case Status::kWrongFederation:
      return "WrongFederation";
    case Status::kWrongDevice:
      return "WrongDevice";
    case Status::kWrongRound:
      return "WrongRound";
    case Status::kWrongNonce:
      return "WrongNonce";
    case Status::kWrongBase:
      return "WrongBase";
    case Status::kAlreadyAnswered:
      return "AlreadyAnswered";
    case Status::kUndecryptable:
      return "Undecryptable";
    case Status::kNormExceeded:
      return "NormExceeded";
    case Status::kRevoked:
      return "Revoked";
    case Status::kBusy:
      return "Busy";
    case Status::kTimeout:
      return "Timeout";
    case Status::kUnreachable:
      return "Unreachable";
    case Status::kRejected:
      return "Rejected";
    case Status::kCryptoFailed:
      return "CryptoFailed";
    case Status::kInternal:
      return "Internal";
  }
  return "Unknown";  // A number from the wire that this build has no name for.
}

}  // namespace skep

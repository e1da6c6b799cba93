#include "skep/wire/response_code.h"

namespace skep::wire {

// No default: a new Status without a code here is a compiler warning, which is an error.
std::uint8_t response_code(Status status) {
  switch (status) {
    case Status::kOk:
      return kCodeChanged;
    case Status::kInvalidArgument:
    case Status::kMalformed:
    case Status::kUnsupportedVersion:
    case Status::kUnsupported:
    case Status::kUndecryptable:
    case Status::kBadDigest:
    case Status::kRejected:
      return coap_code(4, 0);
    case Status::kWrongNonce:
      return coap_code(4, 1);
    case Status::kBadSignature:
    case Status::kWrongFederation:
    case Status::kWrongDevice:
    case Status::kRevoked:
      return coap_code(4, 3);
    case Status::kNotFound:
      return coap_code(4, 4);
    case Status::kWrongRound:
    case Status::kWrongBase:
    case Status::kAlreadyAnswered:
    case Status::kStaleVersion:
      return coap_code(4, 9);
    case Status::kTooLarge:
      return coap_code(4, 13);
    case Status::kNormExceeded:
      return coap_code(4, 22);
    case Status::kNoMemory:
    case Status::kNoEntropy:
    case Status::kStorageFailed:
    case Status::kCryptoFailed:
    case Status::kInternal:
      return coap_code(5, 0);
    case Status::kUnreachable:
      return coap_code(5, 2);
    case Status::kBusy:
      return coap_code(5, 3);
    case Status::kTimeout:
      return coap_code(5, 4);
  }
  return coap_code(5, 0);
}

}  // namespace skep::wire

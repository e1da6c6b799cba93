#include "skep/round/events.h"

namespace skep::round {

const char* to_string(EventKind kind) {
  switch (kind) {
    case EventKind::kConnected:
      return "Connected";
    case EventKind::kSessionLost:
      return "SessionLost";
    case EventKind::kPlanRefused:
      return "PlanRefused";
    case EventKind::kModelInstalled:
      return "ModelInstalled";
    case EventKind::kModelRefused:
      return "ModelRefused";
    case EventKind::kRoundPostponed:
      return "RoundPostponed";
    case EventKind::kPatchRefused:
      return "PatchRefused";
    case EventKind::kRoundStarted:
      return "RoundStarted";
    case EventKind::kUpdateStored:
      return "UpdateStored";
    case EventKind::kUpdateAccepted:
      return "UpdateAccepted";
    case EventKind::kUpdateRefused:
      return "UpdateRefused";
  }
  return "Unknown";
}

}  // namespace skep::round

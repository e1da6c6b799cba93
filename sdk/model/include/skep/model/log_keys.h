// Who owns which key of the device's RecordLog.
#pragma once

#include <cstdint>

namespace skep::model {

/// Numbers are on flash: never renumber or reuse one. At most 15.
enum class LogKey : std::uint8_t {
  kModelSlots = 0,     ///< ModelSlots: which slot is current, what each holds.
  kPendingUpdate = 1,  ///< PendingUpdate: what lies in its region.
  kRound = 2,          ///< skep::round: the last round that was answered, and the like.
  kObserver = 3,       ///< skep::round: what skep::observe learned (Observer::save).
  kTimeFloor = 4,      ///< skep::round: what TrustedTime knows to be past.
};

}  // namespace skep::model

// What a device tells its application about its rounds, for logs, displays and tests.
#pragma once

#include <cstdint>

#include "skep/status.h"

namespace skep::round {

enum class EventKind : std::uint8_t {
  kConnected,       ///< A DTLS session with the gateway is up.
  kSessionLost,     ///< status: why. The device backs off and reconnects.
  kPlanRefused,     ///< status: why a plan was not followed.
  kModelInstalled,  ///< model_version is now in use.
  kModelRefused,    ///< status: why a model was not installed; the old one serves on.
  kRoundPostponed,  ///< The observer sees no reason to train yet, or no energy; asked again later.
  kPatchRefused,    ///< status: why a patch did not make the model; it is fetched as a whole.
  kRoundStarted,    ///< Training on model_version began.
  kUpdateStored,    ///< The sealed update is in storage: update_bytes, loss_before/after_q16.
  kUpdateAccepted,  ///< The gateway has it durably.
  kUpdateRefused,   ///< status: the gateway's reason. The round is over for this device.
};

struct Event {
  EventKind kind{};
  Status status = Status::kOk;
  std::uint32_t round = 0;            ///< 0 if none.
  std::uint32_t model_version = 0;    ///< Installed version, 0 if none.
  std::uint32_t update_bytes = 0;     ///< Size of the SealedUpdate.
  std::uint32_t sample_count = 0;     ///< Samples trained on.
  std::uint32_t loss_before_q16 = 0;  ///< Mean loss of the base model on them, nats, Q16.16.
  std::uint32_t loss_after_q16 = 0;   ///< Mean loss in the last local epoch, nats, Q16.16.
};

/// The constant's name without the `k`; never null.
[[nodiscard]] const char* to_string(EventKind kind);

/// Called from within Device::start() and Device::poll(); must not call the Device.
class EventSink {
 public:
  virtual void on_event(const Event& event) = 0;

 protected:
  ~EventSink() = default;
};

}  // namespace skep::round

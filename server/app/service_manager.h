// Tells systemd what the daemon is doing (Type=notify, sd_notify(3)).
#pragma once

#include <string_view>

namespace skep::app {

/// Sends `state`, e.g. "READY=1", to $NOTIFY_SOCKET. Does nothing if that is not set; an error is
/// logged, as there is nobody else to tell.
void notify_service_manager(std::string_view state);

}  // namespace skep::app

// Are the certificates on both sides still valid, by the gateway's signed time?
#pragma once

#include <cstdint>
#include <functional>

#include "skep/device.h"
#include "skep/transport_coap/coap_client.h"

namespace skep::host_app {

/// Opens a session, takes the time (round::TrustedTime), checks the gateway's, the CA's and the
/// device's certificates, and closes the session. Asks again, with back-off, until there is an
/// answer that can be trusted. For a skep::Device of the same `config` and `platform`, before it is
/// made: the floor of the time is in its log. Returns the time, 0 if `stop` said so before.
///
/// Errors: std::runtime_error if a certificate is not valid at that time, or the platform fails.
std::uint64_t check_dates(const DeviceConfig& config, const Platform& platform,
                          transport::CoapClient& client, const std::function<bool()>& stop);

}  // namespace skep::host_app

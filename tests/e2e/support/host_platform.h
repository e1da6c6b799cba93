// What a skep::Device of a test stands on: this machine.
#pragma once

#include <cstdint>
#include <vector>

#include "skep/platform.h"
#include "skep/transport_coap/coap_client.h"
#include "skep/wire/codec.h"

namespace skep::e2e {

Clock& system_clock();
Entropy& system_entropy();

/// IPv4, network order. Throws std::runtime_error if the credentials have another kind of host.
std::vector<std::uint8_t> gateway_ip_of(const wire::DeviceCredentials& credentials);

/// Both outlive the client that it is for.
transport::CoapEndpoint endpoint_of(const wire::DeviceCredentials& credentials, Bytes gateway_ip);

}  // namespace skep::e2e

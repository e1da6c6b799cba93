#include "host_platform.h"

#include <arpa/inet.h>

#include <stdexcept>
#include <string>

#include "skep/port_host/system_clock.h"
#include "skep/port_host/system_entropy.h"

namespace skep::e2e {

Clock& system_clock() {
  static port_host::SystemClock clock;
  return clock;
}

Entropy& system_entropy() {
  static port_host::SystemEntropy entropy;
  return entropy;
}

std::vector<std::uint8_t> gateway_ip_of(const wire::DeviceCredentials& credentials) {
  std::vector<std::uint8_t> address(4);
  if (inet_pton(AF_INET, credentials.gateway_host, address.data()) != 1) {
    throw std::runtime_error(std::string(credentials.gateway_host) + " is no IPv4 address");
  }
  return address;
}

transport::CoapEndpoint endpoint_of(const wire::DeviceCredentials& credentials, Bytes gateway_ip) {
  return {.gateway_ip = gateway_ip,
          .gateway_port = static_cast<std::uint16_t>(credentials.gateway_port),
          .ca_certificate = wire::bytes_of(credentials.ca_certificate),
          .device_certificate = wire::bytes_of(credentials.device_certificate),
          .device_private_key = Bytes(credentials.device_private_key)};
}

}  // namespace skep::e2e

// Only where libcoap runs on lwIP without threads: how CoapClient::poll() receives.
#pragma once

#include <cstdint>

/// Implemented by the port: gives lwIP the frames that have arrived, and returns at once. So the
/// client's handler is called from within CoapClient::poll(), as on every platform.
extern "C" int skep_lwip_receive(void* context, std::uint32_t timeout_ms);

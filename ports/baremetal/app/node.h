// What the applications of a board have in common: its flash, its network, its skep::Device.
//
// All objects are static: what the linker places is all the memory there will ever be.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "skep/device.h"
#include "skep/platform.h"
#include "skep/port_baremetal/line.h"
#include "skep/port_baremetal/provisioning.h"
#include "skep/port_baremetal/raw_flash.h"

namespace skep::port_baremetal::node {

/// Prints "fatal what=… status=…" and ends.
[[noreturn]] void give_up(int exit_code, const char* what, Status status);

/// Opens what skep-provision made: who the device is, its settings, its storage. Gives up if there
/// is nothing of the kind. `workspace` becomes the Device's.
void open(std::span<std::byte> workspace);

// After open().
[[nodiscard]] RawFlash& flash();
[[nodiscard]] const Provisioning& provisioning();

/// Starts network and Device; gives up if that fails. After open(). The arguments outlive the
/// program; `observer` may be null.
void start(SampleSource& samples, observe::Observer* observer);

/// After start().
[[nodiscard]] Device& device();

/// Begins the line "boot board=… device=… model_version=…". After start().
void say_booted(Line& line);

/// Device::poll(), counted as work on the console's events.
[[nodiscard]] std::uint32_t poll();

}  // namespace skep::port_baremetal::node

// Memory protection: code cannot be written, data cannot be executed, the stack cannot grow into
// anything. mpu_v7.cc or mpu_v8.cc, as the core has it.
#pragma once

namespace skep::board {

/// Switches the MPU on. Everything that no region covers (peripherals) keeps the default map.
void protect_memory();

}  // namespace skep::board

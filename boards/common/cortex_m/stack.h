// How deep the stack has ever been.
#pragma once

namespace skep::board {

/// Fills the unused stack with a pattern; stack_peak_bytes() (skep/port_baremetal/board.h) finds
/// how much of it is gone. Called once, first thing after reset.
void paint_stack();

}  // namespace skep::board

// The parts of an MPS2 board that its start brings up.
#pragma once

namespace skep::board {

void start_uart();
void start_timer();

}  // namespace skep::board

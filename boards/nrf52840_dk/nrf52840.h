// The parts of the board that its start brings up.
#pragma once

namespace skep::board {

void start_console();
void start_time();

}  // namespace skep::board

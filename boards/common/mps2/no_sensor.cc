// What an image without a sensor has in its vector table for it; sensor_uart.cc replaces it.
#include "board_map.h"

namespace skep::board {

extern "C" void unexpected_interrupt();

extern "C" [[gnu::weak]] void sensor_uart_handler() { unexpected_interrupt(); }

}  // namespace skep::board

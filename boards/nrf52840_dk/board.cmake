# Nordic nRF52840 DK (PCA10056): Cortex-M4F, 64 MHz, 1 MB flash, 256 KB RAM.
#
# Its link to the world is SLIP over the UART of the debugger's USB port, its console a pin (see
# board_map.h). No FPU: as on the other boards.
set(SKEP_BOARD_CPU_FLAGS "-mcpu=cortex-m4 -mthumb -mfloat-abi=soft")
set(SKEP_BOARD_PARTS cortex_m)
set(SKEP_BOARD_MPU v7)
set(SKEP_BOARD_LINK serial)

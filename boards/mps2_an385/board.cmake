# Arm MPS2 with the AN385 image: Cortex-M3, 25 MHz. QEMU: -M mps2-an385.
#
# No FPU anywhere: the SDK is integer only, and without FPU registers an exception saves less.
set(SKEP_BOARD_CPU_FLAGS "-mcpu=cortex-m3 -mthumb -mfloat-abi=soft")
set(SKEP_BOARD_PARTS cortex_m mps2)
set(SKEP_BOARD_MPU v7)
set(SKEP_BOARD_LINK ethernet)
set(SKEP_BOARD_SENSOR ON)
set(SKEP_BOARD_QEMU_MACHINE mps2-an385)

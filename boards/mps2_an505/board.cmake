# Arm MPS2 with the AN505 image: Cortex-M33, 20 MHz, in the secure state. QEMU: -M mps2-an505.
#
# No FPU anywhere: the SDK is integer only, and without FPU registers an exception saves less.
set(SKEP_BOARD_CPU_FLAGS "-mcpu=cortex-m33 -mthumb -mfloat-abi=soft")
# For tests that compare with floating point.
set(SKEP_BOARD_FPU_FLAGS -mfloat-abi=softfp -mfpu=fpv5-sp-d16)
set(SKEP_BOARD_PARTS cortex_m mps2)
set(SKEP_BOARD_MPU v8)
set(SKEP_BOARD_LINK ethernet)
set(SKEP_BOARD_SENSOR ON)
set(SKEP_BOARD_QEMU_MACHINE mps2-an505)

# Arm MPS2 with the AN386 image: Cortex-M4F, 25 MHz. QEMU: -M mps2-an386.
#
# No FPU anywhere: the SDK is integer only, and without FPU registers an exception saves less.
set(SKEP_BOARD_CPU_FLAGS "-mcpu=cortex-m4 -mthumb -mfloat-abi=soft")
# For tests that compare with floating point.
set(SKEP_BOARD_FPU_FLAGS -mfloat-abi=softfp -mfpu=fpv4-sp-d16)
set(SKEP_BOARD_PARTS cortex_m mps2)
set(SKEP_BOARD_MPU v7)
set(SKEP_BOARD_LINK ethernet)
set(SKEP_BOARD_SENSOR ON)
set(SKEP_BOARD_QEMU_MACHINE mps2-an386)

# Cross compilation for a board with an Arm Cortex-M: GNU toolchain and picolibc, as packaged by
# Debian. The board (SKEP_BOARD, a folder in boards/) says which CPU.
set(CMAKE_SYSTEM_NAME Generic)
set(CMAKE_SYSTEM_PROCESSOR arm)
list(APPEND CMAKE_TRY_COMPILE_PLATFORM_VARIABLES SKEP_BOARD)
if(NOT SKEP_BOARD)
  message(FATAL_ERROR "Which board? -DSKEP_BOARD=<a folder in boards/>")
endif()
include("${CMAKE_CURRENT_LIST_DIR}/../../boards/${SKEP_BOARD}/board.cmake")

set(CMAKE_C_COMPILER arm-none-eabi-gcc)
set(CMAKE_CXX_COMPILER arm-none-eabi-g++)
set(CMAKE_ASM_COMPILER arm-none-eabi-gcc)
set(CMAKE_TRY_COMPILE_TARGET_TYPE STATIC_LIBRARY)

# For all code, third-party as well: one function a section, so that the linker drops what nobody
# calls; no tables for exceptions that do not exist; and the stack use of each function (*.su).
set(_flags "${SKEP_BOARD_CPU_FLAGS} --specs=picolibcpp.specs -DPICOLIBC_INTEGER_PRINTF_SCANF")
string(APPEND _flags " -ffunction-sections -fdata-sections -fno-unwind-tables"
  " -fno-asynchronous-unwind-tables -fno-common -fstack-usage -g")
set(CMAKE_C_FLAGS_INIT "${_flags}")
# Static objects are made before main, once, by the only thread there is.
set(CMAKE_CXX_FLAGS_INIT "${_flags} -fno-exceptions -fno-rtti -fno-threadsafe-statics")
set(CMAKE_EXE_LINKER_FLAGS_INIT "-nostartfiles -Wl,--gc-sections -Wl,--fatal-warnings")

set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_PACKAGE ONLY)

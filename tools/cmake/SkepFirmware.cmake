# Images for the board that SKEP_BOARD names.

include_guard(GLOBAL)
include("${PROJECT_SOURCE_DIR}/boards/${SKEP_BOARD}/board.cmake")

# skep_firmware(<name> SOURCES … [DEPS …] [STACK_BYTES n] [BUDGETED])
#   →  build/<board>/bin/<name>.elf
#
# Links SOURCES, which define main(), with the board's start-up code, drivers and runtime. The
# linker map lies beside the image. Whoever reaches malloc does not link (sections.ld). BUDGETED:
# an image larger than the board's budgets.json is an error.
function(skep_firmware name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "BUDGETED" "STACK_BYTES" "SOURCES;DEPS")
  _skep_reject_unparsed(skep_firmware ${name} "${arg_UNPARSED_ARGUMENTS}")
  if(NOT arg_STACK_BYTES)
    set(arg_STACK_BYTES 16384)
  endif()
  set(board "${PROJECT_SOURCE_DIR}/boards/${SKEP_BOARD}")
  set(common "${PROJECT_SOURCE_DIR}/boards/common/cortex_m")
  add_executable(${name} ${arg_SOURCES})
  _skep_our_code(${name})
  target_link_libraries(${name} PRIVATE skep::board skep::baremetal_runtime ${arg_DEPS})
  target_link_options(${name} PRIVATE
    "-T${board}/memory.ld" "-L${common}"
    "-Wl,--defsym=__stack_size=${arg_STACK_BYTES}"
    "-Wl,-Map=${PROJECT_BINARY_DIR}/bin/${name}.map")
  set_target_properties(${name} PROPERTIES
    SUFFIX .elf
    RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/bin"
    LINK_DEPENDS "${board}/memory.ld;${common}/sections.ld;${board}/budgets.json")
  if(arg_BUDGETED)
    add_custom_command(TARGET ${name} POST_BUILD
      COMMAND "${SKEP_SYSTEM_PYTHON}" "${PROJECT_SOURCE_DIR}/tools/firmware/size_report.py"
              --map "${PROJECT_BINARY_DIR}/bin/${name}.map" --format none
              --budgets "${board}/budgets.json"
      VERBATIM)
  endif()
endfunction()

# The build functions of tools/cmake/SkepTargets.cmake, as Zephyr libraries: so the CMakeLists.txt
# of the SDK's folders say what belongs to a stage for every platform, and nothing is listed twice.
include_guard(GLOBAL)

# Targets of the SDK that a Zephyr image has no use for: it brings its own CoAP.
set(SKEP_ZEPHYR_OMITTED transport_coap)

# skep_library(<name> [DEVICE | TESTING] [SOURCES …] [PUBLIC_DEPS …] [PRIVATE_DEPS …]
#              [INCLUDES …])
#
# As on the other platforms: target skep_<name>, alias skep::<name>, and only who links it sees its
# headers. What helps tests is a target too, but never built: nobody links it.
function(skep_library name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "DEVICE;TESTING" ""
    "SOURCES;PUBLIC_DEPS;PRIVATE_DEPS;INCLUDES")
  set(target skep_${name})
  if(arg_TESTING OR name IN_LIST SKEP_ZEPHYR_OMITTED)
    if(arg_SOURCES)
      add_library(${target} STATIC EXCLUDE_FROM_ALL ${arg_SOURCES})
    else()
      add_library(${target} INTERFACE)
    endif()
    add_library(skep::${name} ALIAS ${target})
    return()
  endif()
  if(arg_SOURCES)
    zephyr_library_named(${target})
    target_sources(${target} PRIVATE ${arg_SOURCES})
    set(scope PUBLIC)
    # Less than on the host (SKEP_WARNINGS): Zephyr's headers would not pass.
    target_compile_options(${target} PRIVATE $<$<COMPILE_LANGUAGE:CXX>:-Wall -Wextra -Werror>)
    target_compile_definitions(${target} PUBLIC ${SKEP_ZEPHYR_BOUNDS})
    target_link_libraries(${target} PRIVATE ${arg_PRIVATE_DEPS})
  else()
    add_library(${target} INTERFACE)
    set(scope INTERFACE)
  endif()
  add_library(skep::${name} ALIAS ${target})
  target_link_libraries(${target} ${scope} ${arg_PUBLIC_DEPS})
  foreach(folder include ${arg_INCLUDES})
    cmake_path(ABSOLUTE_PATH folder NORMALIZE)
    if(IS_DIRECTORY "${folder}")
      target_include_directories(${target} ${scope} "${folder}")
    endif()
  endforeach()
endfunction()

# Adds what nanopb's generator makes of PROTO, whose .options file lies beside it.
function(skep_nanopb_generate target)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "PROTO;OPTIONS" "")
  zephyr_nanopb_sources(${target} ${arg_PROTO})
  get_target_property(sources ${target} SOURCES)
  list(FILTER sources INCLUDE REGEX "\\.pb\\.c$")
  # Generated code is held to nanopb's warning level, not to ours.
  set_source_files_properties(${sources} PROPERTIES COMPILE_OPTIONS -w)
  # Who includes the header must wait for it.
  add_dependencies(${target} nanopb_generated_headers)
endfunction()

# Tests, fuzzers and benchmarks of the SDK run on the host.
function(skep_test)
endfunction()
function(skep_fuzzer)
endfunction()
function(skep_benchmark)
endfunction()
function(skep_executable)
endfunction()

# How a folder of Skep becomes a target. Each CMakeLists.txt of ours is a list of these calls.

include_guard(GLOBAL)
include(GNUInstallDirs)

# Our own code only: third-party headers are SYSTEM includes.
set(SKEP_WARNINGS -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Werror)
set(SKEP_ROOMS_WITHOUT_THREADS
    "^(proto|ports|sdk/(core|observe|learn|privacy|compress|model|round)|server/(audit|enrolment|exchange|pki|release)|tools/(demo|skepctl)|tests/vectors)(/|$)")
set(SKEP_THREAD_SANITIZED OFF)
if(CMAKE_CXX_FLAGS MATCHES "-fsanitize=thread")
  set(SKEP_THREAD_SANITIZED ON)
endif()
set(SKEP_SANITIZED OFF)
if(CMAKE_CXX_FLAGS MATCHES "-fsanitize")
  set(SKEP_SANITIZED ON)
endif()
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND SKEP_SANITIZED)
  # What a sanitizer inserts confuses gcc's data flow; the plain build keeps the warning.
  list(APPEND SKEP_WARNINGS -Wno-maybe-uninitialized)
endif()

# What is flashed has no exceptions and no RTTI; building it that way on the host too means
# that a `throw` is found here and not on the board.
set(SKEP_DEVICE_OPTIONS -fno-exceptions -fno-rtti -ffunction-sections -fdata-sections)

# skep_library(<name> [DEVICE | TESTING] [SOURCES …] [PUBLIC_DEPS …] [PRIVATE_DEPS …]
#              [INCLUDES …])
#
# Target skep_<name>, alias skep::<name>, header-only without SOURCES. Headers live in
# include/skep/<name>/ of the calling folder, so only those who link the target see them:
# that is how the dependency directions of the architecture are enforced. INCLUDES adds
# further folders of public headers (core owns ../include, the SDK's front door).
#
# DEVICE: compiled as it is for a board. TESTING: helps tests only. What is installed is the
# SDK: neither TESTING libraries nor the rooms of gateway and tools.
function(skep_library name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "DEVICE;TESTING" ""
    "SOURCES;PUBLIC_DEPS;PRIVATE_DEPS;INCLUDES")
  _skep_reject_unparsed(skep_library ${name} "${arg_UNPARSED_ARGUMENTS}")
  set(target skep_${name})
  if(arg_SOURCES)
    add_library(${target} STATIC ${arg_SOURCES})
    set(scope PUBLIC)
    _skep_our_code(${target})
    if(SKEP_BOARD AND arg_TESTING)
      # Tests on a board link what they need; the rest wants a host.
      set_target_properties(${target} PROPERTIES EXCLUDE_FROM_ALL ON)
    endif()
    if(arg_DEVICE)
      target_compile_options(${target} PRIVATE $<$<COMPILE_LANGUAGE:CXX>:${SKEP_DEVICE_OPTIONS}>)
    endif()
    target_link_libraries(${target} PRIVATE ${arg_PRIVATE_DEPS})
  else()
    add_library(${target} INTERFACE)
    set(scope INTERFACE)
  endif()
  add_library(skep::${name} ALIAS ${target})
  set_property(GLOBAL APPEND PROPERTY SKEP_LIBRARIES ${name})
  set_target_properties(${target} PROPERTIES EXPORT_NAME ${name})
  target_compile_features(${target} ${scope} cxx_std_20)
  target_link_libraries(${target} ${scope} ${arg_PUBLIC_DEPS})
  target_include_directories(${target} ${scope}
    $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)

  cmake_path(RELATIVE_PATH CMAKE_CURRENT_SOURCE_DIR BASE_DIRECTORY "${PROJECT_SOURCE_DIR}"
             OUTPUT_VARIABLE room)
  set(installed ON)
  if(SKEP_BOARD OR arg_TESTING OR room MATCHES "^(server|tools|tests)(/|$)")
    set(installed OFF)
  endif()
  if(installed)
    install(TARGETS ${target} EXPORT skep ARCHIVE DESTINATION "${CMAKE_INSTALL_LIBDIR}")
  endif()
  foreach(folder include ${arg_INCLUDES})
    cmake_path(ABSOLUTE_PATH folder NORMALIZE)
    if(IS_DIRECTORY "${folder}")
      target_include_directories(${target} ${scope} $<BUILD_INTERFACE:${folder}>)
      if(installed)
        install(DIRECTORY "${folder}/" DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}"
                FILES_MATCHING PATTERN "*.h")
      endif()
    endif()
  endforeach()
endfunction()

# skep_executable(<name> SOURCES … [DEPS …] [INSTALL])  →  build/<preset>/bin/<name>
function(skep_executable name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "INSTALL" "" "SOURCES;DEPS")
  _skep_reject_unparsed(skep_executable ${name} "${arg_UNPARSED_ARGUMENTS}")
  _skep_program(${name} "${arg_SOURCES}" "${arg_DEPS}")
  if(arg_INSTALL)
    install(TARGETS ${name} RUNTIME DESTINATION "${CMAKE_INSTALL_BINDIR}")
  endif()
endfunction()

# skep_test(<name> SOURCES … [DEPS …] [TIMEOUT s] [LABELS …] [ENV K=V …])
#
# One GoogleTest program and one ctest test. RapidCheck is linked as well. A test may read its
# own folder through the macro SKEP_TEST_SOURCE_DIR.
#
# In the thread sanitizer's build only what has threads or runs beside some: most stages that are
# flashed and most tools know none, and are most of the time to compile.
function(skep_test name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "TIMEOUT" "SOURCES;DEPS;LABELS;ENV")
  _skep_reject_unparsed(skep_test ${name} "${arg_UNPARSED_ARGUMENTS}")
  cmake_path(RELATIVE_PATH CMAKE_CURRENT_SOURCE_DIR BASE_DIRECTORY "${PROJECT_SOURCE_DIR}"
             OUTPUT_VARIABLE room)
  if(NOT SKEP_BUILD_TESTS OR (SKEP_THREAD_SANITIZED AND room MATCHES "${SKEP_ROOMS_WITHOUT_THREADS}"))
    return()
  endif()
  if(NOT arg_TIMEOUT)
    set(arg_TIMEOUT 60)
  endif()
  _skep_program(${name} "${arg_SOURCES}" "${arg_DEPS}")
  target_link_libraries(${name} PRIVATE GTest::gmock GTest::gtest_main rapidcheck)
  # To optimise a test takes longer than it saves when the test runs, once. What is tested is
  # compiled as its preset says.
  target_compile_options(${name} PRIVATE -Og)
  if(SKEP_SANITIZED)
    # It looks into what is tested. Checking the arithmetic of GoogleTest's and RapidCheck's
    # templates as well takes a third of the time to compile a test.
    target_compile_options(${name} PRIVATE -fno-sanitize=undefined)
  endif()
  target_compile_definitions(${name} PRIVATE SKEP_TEST_SOURCE_DIR="${CMAKE_CURRENT_SOURCE_DIR}")
  add_test(NAME ${name} COMMAND ${name})
  # Those that may take longest start first: none of them runs alone at the end.
  set_tests_properties(${name} PROPERTIES
    TIMEOUT ${arg_TIMEOUT} COST ${arg_TIMEOUT} LABELS "${arg_LABELS}" ENVIRONMENT "${arg_ENV}")
endfunction()

# skep_fuzzer(<name> SOURCES … [DEPS …])  →  build/fuzz/bin/<name>
#
# A libFuzzer program; its seed corpus is the folder corpus/<name> beside the CMakeLists.txt.
# Does nothing outside the fuzz preset.
function(skep_fuzzer name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "SOURCES;DEPS")
  _skep_reject_unparsed(skep_fuzzer ${name} "${arg_UNPARSED_ARGUMENTS}")
  if(NOT SKEP_FUZZ)
    return()
  endif()
  _skep_program(${name} "${arg_SOURCES}" "${arg_DEPS}")
  target_link_options(${name} PRIVATE -fsanitize=fuzzer)
  add_dependencies(skep_fuzzers ${name})
  # ./run fuzz reads what there is to run from this file: "<program> <seed corpus>".
  file(APPEND "${SKEP_FUZZER_LIST}" "${name} ${CMAKE_CURRENT_SOURCE_DIR}/corpus/${name}\n")
endfunction()

# skep_benchmark(<name> SOURCES … [DEPS …])  →  build/<preset>/bin/<name>, run by ./run bench
#
# Not in a sanitizer's build, which measures nothing.
function(skep_benchmark name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "SOURCES;DEPS")
  _skep_reject_unparsed(skep_benchmark ${name} "${arg_UNPARSED_ARGUMENTS}")
  if(NOT SKEP_BUILD_TESTS OR SKEP_SANITIZED)
    return()
  endif()
  _skep_program(${name} "${arg_SOURCES}" "${arg_DEPS}")
  target_link_libraries(${name} PRIVATE benchmark::benchmark benchmark::benchmark_main)
  add_dependencies(skep_benchmarks ${name})
  file(APPEND "${SKEP_BENCHMARK_LIST}" "${name}\n")
endfunction()

# ---- shared by the functions above

function(_skep_reject_unparsed function name unparsed)
  if(unparsed)
    message(FATAL_ERROR "${function}(${name}): unknown argument ${unparsed}")
  endif()
endfunction()

function(_skep_our_code target)
  target_compile_features(${target} PRIVATE cxx_std_20)
  set_target_properties(${target} PROPERTIES CXX_EXTENSIONS OFF)
  target_compile_options(${target} PRIVATE ${SKEP_WARNINGS})
endfunction()

function(_skep_program name sources deps)
  add_executable(${name} ${sources})
  _skep_our_code(${name})
  target_link_libraries(${name} PRIVATE ${deps} Threads::Threads)
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/bin")
endfunction()

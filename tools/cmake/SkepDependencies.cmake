# Everything that Skep builds on.
#
# Mbed TLS, libcoap and nanopb are built from source, because the same source also goes into
# the firmware; tools/deps/fetch puts it into the cache folder. The rest comes from the system.

include_guard(GLOBAL)
include(GNUInstallDirs)

set(_skep_cache "$ENV{SKEP_CACHE_DIR}")
if(NOT _skep_cache)
  if(DEFINED ENV{XDG_CACHE_HOME})
    set(_skep_cache "$ENV{XDG_CACHE_HOME}/skep")
  else()
    set(_skep_cache "$ENV{HOME}/.cache/skep")
  endif()
endif()
set(SKEP_CACHE_DIR "${_skep_cache}" CACHE PATH "Where tools/deps/fetch keeps sources and data")
set(SKEP_DATA_DIR "${SKEP_CACHE_DIR}/data")
set(SKEP_DIGITS_CSV "${SKEP_DATA_DIR}/digits.csv")
set(SKEP_NAB_DIR "${SKEP_DATA_DIR}/nab")
set(SKEP_TEST_PYTHON "${SKEP_CACHE_DIR}/venv/bin/python")

# Sets SKEP_<NAME>_SOURCE_DIR to the version in sources.lock unless the user points elsewhere.
function(_skep_find_source name marker)
  string(TOUPPER ${name} upper)
  set(variable SKEP_${upper}_SOURCE_DIR)
  set(lock "${CMAKE_CURRENT_FUNCTION_LIST_DIR}/../deps/sources.lock")
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS "${lock}")
  file(STRINGS "${lock}" line REGEX "^${name} ")
  string(REGEX REPLACE "^${name} +([^ ]+) .*" "\\1" version "${line}")
  set(${variable} "" CACHE PATH "Source of ${name}; empty: what tools/deps/fetch got")
  set(directory "${${variable}}")
  if(NOT directory)
    set(directory "${SKEP_CACHE_DIR}/sources/${name}-${version}")
  endif()
  if(NOT EXISTS "${directory}/${marker}")
    message(FATAL_ERROR "No ${name} ${version} in ${directory}.\n"
      "Run tools/deps/fetch, or pass -D${variable}=<folder with ${marker}>.")
  endif()
  set(${variable} "${directory}" PARENT_SCOPE)
endfunction()

# The sub-projects take their options from plain variables inside a function, so that our
# choices do not land in the cache of a project that contains Skep. Their old
# cmake_minimum_required would ignore plain variables: these policies make them count.
macro(_skep_prepare_subproject)
  set(CMAKE_POLICY_DEFAULT_CMP0077 NEW)
  set(CMAKE_POLICY_DEFAULT_CMP0125 NEW)
  set(CMAKE_POLICY_DEFAULT_CMP0126 NEW)
  # Their hundred lines of status would bury ours.
  set(CMAKE_MESSAGE_LOG_LEVEL WARNING)
endmacro()

function(_skep_add_mbedtls)
  _skep_prepare_subproject()
  # Installed next to our own headers, hence a name that says whose configuration it is.
  set(generated "${PROJECT_BINARY_DIR}/generated/mbedtls")
  configure_file("${SKEP_MBEDTLS_CONFIG_FILE}" "${generated}/skep_mbedtls_config.h" COPYONLY)
  install(FILES "${generated}/skep_mbedtls_config.h" DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}")
  if(SKEP_BOARD)
    configure_file("${PROJECT_SOURCE_DIR}/ports/baremetal/psa_crypto_config.h"
                   "${generated}/skep_psa_crypto_config.h" COPYONLY)
  endif()

  set(MBEDTLS_CONFIG_FILE "skep_mbedtls_config.h")
  set(MBEDTLS_AS_SUBPROJECT ON)
  set(DISABLE_PACKAGE_CONFIG_AND_INSTALL OFF)
  set(ENABLE_PROGRAMS OFF)
  set(ENABLE_TESTING OFF)
  set(GEN_FILES OFF)
  set(MBEDTLS_FATAL_WARNINGS OFF)
  set(USE_STATIC_MBEDTLS_LIBRARY ON)
  set(USE_SHARED_MBEDTLS_LIBRARY OFF)
  add_subdirectory("${SKEP_MBEDTLS_SOURCE_DIR}" "${PROJECT_BINARY_DIR}/_deps/mbedtls" SYSTEM)
  if(SKEP_BOARD)
    # Where a handshake spends its time: a tenth less of it for 1.6 KB of flash.
    target_compile_options(p256m PRIVATE -O2)
  endif()
  foreach(target mbedtls mbedx509 mbedcrypto everest p256m)
    if(TARGET ${target})
      target_include_directories(${target} SYSTEM PUBLIC $<BUILD_INTERFACE:${generated}>)
      if(SKEP_BOARD)
        # timing_alt.h
        target_include_directories(${target} SYSTEM PUBLIC
          $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/ports/baremetal/net/config>)
      endif()
      if(CMAKE_C_FLAGS MATCHES "-fsanitize=[^ ]*undefined")
        # ssl_tls.c copies nothing from a null pointer when a Connection ID is empty.
        target_compile_options(${target} PRIVATE -fno-sanitize=nonnull-attribute)
      endif()
    endif()
  endforeach()
endfunction()

function(_skep_add_libcoap)
  _skep_prepare_subproject()
  set(BUILD_SHARED_LIBS OFF)
  set(ENABLE_DTLS ON)
  set(DTLS_BACKEND mbedtls)
  # libcoap's FindMbedTLS takes target names where it would search for files. (Its spelling of
  # its own name draws a warning for CMake developers: FPHSA_NAME_MISMATCHED.)
  set(FPHSA_NAME_MISMATCHED ON)
  set(MBEDTLS_INCLUDE_DIRS $<BUILD_INTERFACE:${SKEP_MBEDTLS_SOURCE_DIR}/include>)
  set(MBEDTLS_LIBRARY mbedtls)
  set(MBEDX509_LIBRARY mbedx509)
  set(MBEDCRYPTO_LIBRARY mbedcrypto)
  # One thread owns the CoAP context; UDP with DTLS is the only transport of the wire contract.
  set(off
      ENABLE_TCP ENABLE_WS ENABLE_OSCORE ENABLE_Q_BLOCK ENABLE_PROXY_CODE ENABLE_AF_UNIX
      ENABLE_THREAD_SAFE WITH_OBSERVE_PERSIST ENABLE_DOCS ENABLE_TESTS ENABLE_EXAMPLES)
  foreach(option IN LISTS off)
    set(${option} OFF)
  endforeach()
  add_subdirectory("${SKEP_LIBCOAP_SOURCE_DIR}" "${PROJECT_BINARY_DIR}/_deps/libcoap" SYSTEM)
endfunction()

# lwIP with the configuration of the bare-metal port. Its pools hold libcoap's objects, so it
# sees libcoap's headers.
function(_skep_add_lwip)
  set(LWIP_DIR "${SKEP_LWIP_SOURCE_DIR}")
  include("${LWIP_DIR}/src/Filelists.cmake")
  add_library(skep_lwip STATIC EXCLUDE_FROM_ALL
    ${lwipcore_SRCS} ${lwipcore4_SRCS} "${LWIP_DIR}/src/netif/ethernet.c"
    "${LWIP_DIR}/src/netif/slipif.c")
  add_library(skep::lwip ALIAS skep_lwip)
  set(port "${PROJECT_SOURCE_DIR}/ports/baremetal/net")
  target_compile_options(skep_lwip PRIVATE -w)
  target_include_directories(skep_lwip SYSTEM PUBLIC
    "${LWIP_DIR}/src/include" "${port}/config" "${port}/coap_config"
    "${SKEP_LIBCOAP_SOURCE_DIR}/include")
endfunction()

# libcoap's own CMake build is for systems with sockets: for lwIP its sources are named here.
function(_skep_add_libcoap_on_lwip)
  set(sources
    coap_address coap_asn1 coap_async coap_block coap_dtls coap_encode
    coap_event coap_hashkey coap_io coap_io_lwip coap_layers coap_mbedtls coap_mem coap_net coap_netif
    coap_option coap_pdu coap_prng coap_resource coap_session coap_sha1 coap_str coap_subscribe
    coap_tcp coap_uri coap_ws)
  list(TRANSFORM sources PREPEND "${SKEP_LIBCOAP_SOURCE_DIR}/src/")
  list(TRANSFORM sources APPEND ".c")
  add_library(skep_libcoap STATIC EXCLUDE_FROM_ALL ${sources})
  add_library(libcoap::coap-3 ALIAS skep_libcoap)
  target_compile_options(skep_libcoap PRIVATE -std=gnu11 -w)
  # Its public headers depend on its configuration, and do not include it.
  target_compile_options(skep_libcoap PUBLIC
    -include "${PROJECT_SOURCE_DIR}/ports/baremetal/net/coap_config/coap_config.h")
  # fd_set, which C++ of the standard and no more does not see.
  target_compile_definitions(skep_libcoap PUBLIC _DEFAULT_SOURCE)
  target_link_libraries(skep_libcoap PUBLIC skep_lwip mbedtls mbedx509 mbedcrypto)
endfunction()

function(_skep_add_nanopb)
  add_library(skep_nanopb STATIC
    "${SKEP_NANOPB_SOURCE_DIR}/pb_common.c"
    "${SKEP_NANOPB_SOURCE_DIR}/pb_decode.c"
    "${SKEP_NANOPB_SOURCE_DIR}/pb_encode.c")
  add_library(skep::nanopb ALIAS skep_nanopb)
  set_target_properties(skep_nanopb PROPERTIES EXPORT_NAME nanopb)
  target_include_directories(skep_nanopb SYSTEM PUBLIC
    $<BUILD_INTERFACE:${SKEP_NANOPB_SOURCE_DIR}>
    $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}/skep_nanopb>)
  install(TARGETS skep_nanopb EXPORT skep ARCHIVE DESTINATION "${CMAKE_INSTALL_LIBDIR}")
  install(FILES
    "${SKEP_NANOPB_SOURCE_DIR}/pb.h"
    "${SKEP_NANOPB_SOURCE_DIR}/pb_common.h"
    "${SKEP_NANOPB_SOURCE_DIR}/pb_decode.h"
    "${SKEP_NANOPB_SOURCE_DIR}/pb_encode.h"
    DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}/skep_nanopb")
endfunction()

# All generated code: what clang-tidy needs to have before it reads ours.
add_custom_target(skep_generated)

# skep_nanopb_generate(<target> PROTO <x.proto> OPTIONS <x.options>)
#
# Adds the x.pb.c and x.pb.h that nanopb's own generator makes of x.proto to <target>, which
# then includes "x.pb.h". The files live in the build tree.
function(skep_nanopb_generate target)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "PROTO;OPTIONS" "")
  cmake_path(ABSOLUTE_PATH arg_PROTO)
  cmake_path(ABSOLUTE_PATH arg_OPTIONS)
  cmake_path(GET arg_PROTO STEM stem)
  cmake_path(GET arg_PROTO PARENT_PATH folder)

  set(out "${CMAKE_CURRENT_BINARY_DIR}/nanopb/${target}")
  set(scratch "${CMAKE_CURRENT_BINARY_DIR}/nanopb/scratch-${target}")
  file(MAKE_DIRECTORY "${out}" "${scratch}")
  add_custom_command(
    OUTPUT "${out}/${stem}.pb.c" "${out}/${stem}.pb.h"
    # The generator compiles a proto of its own first; in ${scratch} rather than in its source
    # folder, which may be read-only (hence no byte code there either).
    COMMAND ${CMAKE_COMMAND} -E env NANOPB_PB2_TEMP_DIR=${scratch} PYTHONDONTWRITEBYTECODE=1
            "${SKEP_SYSTEM_PYTHON}" "${SKEP_NANOPB_SOURCE_DIR}/generator/nanopb_generator.py"
            --quiet --strip-path --output-dir=${out} --proto-path=${folder}
            --options-file=${arg_OPTIONS} ${arg_PROTO}
    DEPENDS "${arg_PROTO}" "${arg_OPTIONS}"
            "${SKEP_NANOPB_SOURCE_DIR}/generator/nanopb_generator.py"
    COMMENT "nanopb: ${stem}.proto"
    VERBATIM)
  add_custom_target(${target}_generated DEPENDS "${out}/${stem}.pb.c" "${out}/${stem}.pb.h")
  add_dependencies(skep_generated ${target}_generated)
  add_dependencies(${target} ${target}_generated)
  target_sources(${target} PRIVATE "${out}/${stem}.pb.c")
  # Generated code is held to nanopb's warning level, not to ours.
  set_source_files_properties("${out}/${stem}.pb.c" PROPERTIES COMPILE_OPTIONS -w)
  target_include_directories(${target} SYSTEM PUBLIC
    $<BUILD_INTERFACE:${out}>
    $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}/skep_nanopb>)
  install(FILES "${out}/${stem}.pb.h" DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}/skep_nanopb")
  target_link_libraries(${target} PUBLIC skep::nanopb)
endfunction()

set(SKEP_MBEDTLS_CONFIG_FILE "${PROJECT_SOURCE_DIR}/ports/host/mbedtls_config.h" CACHE FILEPATH
    "Mbed TLS configuration that Mbed TLS itself and all of Skep are built with")

# nanopb's generator calls protoc.
find_program(SKEP_PROTOC protoc REQUIRED)
# Debian's protobuf module belongs to Debian's python; another one on PATH may lack it.
find_program(SKEP_SYSTEM_PYTHON python3 PATHS /usr/bin NO_DEFAULT_PATH)
if(NOT SKEP_SYSTEM_PYTHON)
  find_program(SKEP_SYSTEM_PYTHON python3 REQUIRED)
endif()

if(NOT SKEP_BOARD)
  set(THREADS_PREFER_PTHREAD_FLAG ON)
  find_package(Threads REQUIRED)
endif()
_skep_find_source(mbedtls include/mbedtls/build_info.h)
_skep_find_source(libcoap include/coap3/coap.h)
_skep_find_source(nanopb pb.h)
_skep_add_mbedtls()
if(SKEP_BOARD)
  _skep_find_source(lwip src/include/lwip/init.h)
  _skep_add_lwip()
  _skep_add_libcoap_on_lwip()
else()
  _skep_add_libcoap()
endif()
_skep_add_nanopb()

if(SKEP_BUILD_SERVER OR SKEP_BUILD_TOOLS)
  find_package(SQLite3 REQUIRED)
  # Revocation lists, which Mbed TLS cannot write.
  find_package(OpenSSL REQUIRED COMPONENTS Crypto)
  find_package(CLI11 REQUIRED)
  find_package(spdlog REQUIRED)
  find_package(nlohmann_json REQUIRED)
  find_package(tomlplusplus REQUIRED)
  # Models are exported with the classes that protobuf generated from ONNX's own definition.
  find_package(Protobuf REQUIRED)
  find_package(ONNX REQUIRED)
  # Debian's cpp-httplib is split into header and library; only pkg-config knows.
  find_package(PkgConfig REQUIRED)
  pkg_check_modules(httplib REQUIRED IMPORTED_TARGET cpp-httplib)
  add_library(httplib::httplib ALIAS PkgConfig::httplib)
endif()

if(SKEP_BUILD_TESTS)
  find_package(GTest REQUIRED)
  find_package(benchmark REQUIRED)
  find_package(rapidcheck REQUIRED)
endif()

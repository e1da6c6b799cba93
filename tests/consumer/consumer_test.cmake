# Run by ctest, see CMakeLists.txt beside this file.

function(run)
  execute_process(COMMAND ${ARGN} COMMAND_ECHO STDOUT COMMAND_ERROR_IS_FATAL ANY)
endfunction()

file(REMOVE_RECURSE "${WORK_DIR}")
execute_process(COMMAND ${CMAKE_COMMAND} --install ${BUILD_DIR} --prefix ${WORK_DIR}/installed
  OUTPUT_QUIET COMMAND_ERROR_IS_FATAL ANY)
# An installed package must not remember where it was installed…
file(RENAME "${WORK_DIR}/installed" "${WORK_DIR}/moved")
# …or built.
execute_process(COMMAND grep -rlF ${BUILD_DIR} ${WORK_DIR}/moved --include=*.cmake --include=*.h
  OUTPUT_VARIABLE traces)
if(traces)
  message(FATAL_ERROR "These installed files mention the build folder:\n${traces}")
endif()

run(${CMAKE_COMMAND} -S ${PROJECT_DIR} -B ${WORK_DIR}/build -G ${GENERATOR}
  -DCMAKE_PREFIX_PATH=${WORK_DIR}/moved
  -DCMAKE_C_COMPILER=${C_COMPILER} -DCMAKE_CXX_COMPILER=${CXX_COMPILER})
run(${CMAKE_COMMAND} --build ${WORK_DIR}/build)
run(${WORK_DIR}/build/consumer)

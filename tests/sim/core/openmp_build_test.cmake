# cmake -DBUILD=build/ci -DSOURCE=. -DCXX=g++ -P openmp_build_test.cmake: the configuration SALA_OPENMP is built as far as threads
# go, without a warning, and its pools pass the tests of ours. Sessions on OpenMP's threads are model_openmp_test's in every build.
set(build ${BUILD}/openmp_build_test)
function(run)
  execute_process(COMMAND ${ARGN} RESULT_VARIABLE code OUTPUT_VARIABLE output ERROR_VARIABLE output)
  if(code)
    message(FATAL_ERROR "exit ${code}: ${ARGN}\n${output}")
  endif()
  set(output "${output}" PARENT_SCOPE)
endfunction()

run(${CMAKE_COMMAND} -S ${SOURCE} -B ${build} -G Ninja -DCMAKE_CXX_COMPILER=${CXX} -DCMAKE_BUILD_TYPE=None -DSALA_OPENMP=ON
  -DSALA_WERROR=ON)
run(${CMAKE_COMMAND} --build ${build} --target core_test)
run(ldd ${build}/tests/sim/core/core_test)
if(NOT output MATCHES "lib(g|i|)omp")
  message(FATAL_ERROR "-DSALA_OPENMP=ON builds a program without OpenMP:\n${output}")
endif()
run(${build}/tests/sim/core/core_test)

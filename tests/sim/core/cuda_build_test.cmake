# cmake -DBUILD=build/ci -DSOURCE=. -DCXX=g++ -DNVCC=nvcc -P cuda_build_test.cmake: the kernels for NVIDIA GPUs are compiled, for
# the oldest GPU that they are made for. Nothing runs: that takes a GPU.
set(build ${BUILD}/cuda_build_test)
function(run)
  execute_process(COMMAND ${ARGN} RESULT_VARIABLE code OUTPUT_VARIABLE output ERROR_VARIABLE output)
  if(code)
    message(FATAL_ERROR "exit ${code}: ${ARGN}\n${output}")
  endif()
endfunction()

run(${CMAKE_COMMAND} -S ${SOURCE} -B ${build} -G Ninja -DCMAKE_CXX_COMPILER=${CXX} -DCMAKE_CUDA_COMPILER=${NVCC}
  -DCMAKE_CUDA_ARCHITECTURES=80-real -DCMAKE_BUILD_TYPE=None -DSALA_CUDA=ON -DSALA_BUILD_TESTS=OFF)
run(${CMAKE_COMMAND} --build ${build} --target sala_core_cuda sala_ops_cuda)

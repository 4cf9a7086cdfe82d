# cmake -DBUILD=build/ci -DSOURCE=. -DVERSION=0.1.0 -DCXX=g++ -P install_test.cmake
set(prefix ${BUILD}/install_test/prefix)
set(consumer ${BUILD}/install_test/consumer)
file(REMOVE_RECURSE ${BUILD}/install_test)

function(run)
  execute_process(COMMAND ${ARGN} RESULT_VARIABLE code OUTPUT_VARIABLE output ERROR_VARIABLE output)
  if(code)
    message(FATAL_ERROR "exit ${code}: ${ARGN}\n${output}")
  endif()
  set(output "${output}" PARENT_SCOPE)
endfunction()

run(${CMAKE_COMMAND} --install ${BUILD} --prefix ${prefix})
foreach(forbidden sim/model sim/ops hdf5 nlohmann)
  file(GLOB_RECURSE headers ${prefix}/include/*.h)
  foreach(header IN LISTS headers)
    file(STRINGS ${header} found REGEX "^#include.*${forbidden}")
    if(found)
      message(FATAL_ERROR "${header} cannot be compiled where it is installed: ${found}")
    endif()
  endforeach()
endforeach()

run(${CMAKE_COMMAND} -S ${SOURCE}/tests/install/consumer -B ${consumer} -G Ninja -DCMAKE_PREFIX_PATH=${prefix}
  -DCMAKE_CXX_COMPILER=${CXX} -DEXPECTED_VERSION=${VERSION})
run(${CMAKE_COMMAND} --build ${consumer})
run(${consumer}/consumer ${prefix}/share/sala/models ${SOURCE}/tests/data/fixtures/hype)
message(STATUS "consumer: ${output}")

# The program takes the models that lie beside it, not those of the sources.
file(COPY ${SOURCE}/models/sala-tiny/config.json DESTINATION ${prefix}/share/sala/models/only-installed)
run(${CMAKE_COMMAND} -E env --unset=SALA_MODELS ${prefix}/bin/sala_eval list models)
if(NOT output MATCHES "only-installed")
  message(FATAL_ERROR "the installed sala_eval lists other models than the installed ones:\n${output}")
endif()

# sala_add_test(name SOURCES a.cc ... LIBS lib ... [LABELS fast|slow] [NO_ASAN])
# fast: under 60 s for all of them together; slow: everything else. Fast tests also run under the sanitizers, except with
# NO_ASAN, for tests that measure or that take minutes there.
find_package(GTest REQUIRED)
function(sala_add_test name)
  cmake_parse_arguments(ARG "NO_ASAN" "" "SOURCES;LIBS;LABELS" ${ARGN})
  if(NOT ARG_LABELS)
    set(ARG_LABELS fast)
  endif()
  if("fast" IN_LIST ARG_LABELS AND NOT ARG_NO_ASAN)
    list(APPEND ARG_LABELS asan)
  endif()
  add_executable(${name} ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE sala_flags ${ARG_LIBS} GTest::gtest GTest::gtest_main)
  target_compile_definitions(${name} PRIVATE SALA_SOURCE_DIR="${PROJECT_SOURCE_DIR}")
  add_test(NAME ${name} COMMAND ${name})
  sala_test_properties(${name} "${ARG_LABELS}")
endfunction()

# sala_add_script_test(name LABELS fast COMMAND program arg ...): a test that is no C++ program of ours.
function(sala_add_script_test name)
  cmake_parse_arguments(ARG "" "" "LABELS;COMMAND" ${ARGN})
  add_test(NAME ${name} COMMAND ${ARG_COMMAND} WORKING_DIRECTORY ${PROJECT_SOURCE_DIR})
  sala_test_properties(${name} "${ARG_LABELS}")
endfunction()

# SALA_CACHE: what this build measures of the machine is not the user's. Under the sanitizers: an allocation that a damaged file asks libhdf5 for fails, as it does without them, instead of ending the test.
function(sala_test_properties name labels)
  set_tests_properties(${name} PROPERTIES LABELS "${labels}" TIMEOUT 1800 ENVIRONMENT
    "ASAN_OPTIONS=allocator_may_return_null=1;LSAN_OPTIONS=suppressions=${PROJECT_SOURCE_DIR}/tests/lsan.supp:print_suppressions=0;SALA_CACHE=${PROJECT_BINARY_DIR}/cache")
endfunction()

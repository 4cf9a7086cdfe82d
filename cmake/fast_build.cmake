# A first build that is short. Parsing the standard library and fmt, and making the same templates again in every file, takes a
# compiler longer than our own code does, so SALA_FAST_BUILD
#   - precompiles the common headers once for all targets, and once with GoogleTest for the tests;
#   - compiles the sources of one folder together (CMake's unity builds), and all kernels of an instruction set; tests excepted.
# Nothing relies on it: a source includes what it uses, and names in unnamed namespaces are unique within a folder.
function(sala_add_precompiled name)  # headers..., then LIBS lib...
  cmake_parse_arguments(ARG "" "" "LIBS" ${ARGN})
  file(GENERATE OUTPUT ${CMAKE_CURRENT_BINARY_DIR}/${name}.cc CONTENT "")
  add_library(${name} OBJECT ${CMAKE_CURRENT_BINARY_DIR}/${name}.cc)
  target_link_libraries(${name} PRIVATE sala_flags ${ARG_LIBS})
  target_precompile_headers(${name} PRIVATE ${ARG_UNPARSED_ARGUMENTS})
endfunction()

# Sets `out` to the targets that compile something, of a folder and of those below it.
function(sala_compiled_targets folder out)
  set(found)
  get_property(targets DIRECTORY ${folder} PROPERTY BUILDSYSTEM_TARGETS)
  foreach(target IN LISTS targets)
    get_target_property(type ${target} TYPE)
    if(type MATCHES "^(STATIC_LIBRARY|OBJECT_LIBRARY|EXECUTABLE)$")
      list(APPEND found ${target})
    endif()
  endforeach()
  get_property(below DIRECTORY ${folder} PROPERTY SUBDIRECTORIES)
  foreach(each IN LISTS below)
    sala_compiled_targets(${each} more)
    list(APPEND found ${more})
  endforeach()
  set(${out} ${found} PARENT_SCOPE)
endfunction()

function(sala_use_precompiled precompiled folder)
  sala_compiled_targets(${folder} targets)
  list(REMOVE_ITEM targets ${precompiled})
  foreach(target IN LISTS targets)
    get_target_property(off ${target} DISABLE_PRECOMPILE_HEADERS)
    if(NOT off)
      target_precompile_headers(${target} REUSE_FROM ${precompiled})
    endif()
  endforeach()
endfunction()

# A target says UNITY_BUILD OFF to be left out.
function(sala_join_folders folder)
  sala_compiled_targets(${folder} targets)
  foreach(target IN LISTS targets)
    get_target_property(wanted ${target} UNITY_BUILD)
    if(DEFINED wanted AND NOT wanted STREQUAL "wanted-NOTFOUND")
      continue()
    endif()
    set_target_properties(${target} PROPERTIES UNITY_BUILD ON UNITY_BUILD_MODE GROUP)
    get_target_property(sources ${target} SOURCES)
    get_target_property(base ${target} SOURCE_DIR)
    foreach(source IN LISTS sources)
      if(source MATCHES "\\.cc$")
        cmake_path(ABSOLUTE_PATH source BASE_DIRECTORY ${base})
        cmake_path(GET source PARENT_PATH parent)
        cmake_path(GET parent FILENAME group)
        set_source_files_properties(${source} TARGET_DIRECTORY ${target} PROPERTIES UNITY_GROUP ${group})
      endif()
    endforeach()
  endforeach()
endfunction()

set(sala_common_headers <fmt/format.h> <algorithm> <array> <charconv> <cmath> <cstdint> <cstring> <functional> <map> <memory>
  <optional> <set> <span> <string> <string_view> <utility> <vector>)

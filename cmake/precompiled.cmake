# Precompiled headers. Parsing the standard library and fmt takes a compiler longer than most of our own files, so all targets
# share one precompiled copy, and tests one with GoogleTest in it. No source relies on them: SALA_PCH=OFF builds the same.
function(sala_add_precompiled name)  # headers..., then LIBS lib...
  cmake_parse_arguments(ARG "" "" "LIBS" ${ARGN})
  file(GENERATE OUTPUT ${CMAKE_CURRENT_BINARY_DIR}/${name}.cc CONTENT "")
  add_library(${name} OBJECT ${CMAKE_CURRENT_BINARY_DIR}/${name}.cc)
  target_link_libraries(${name} PRIVATE sala_flags ${ARG_LIBS})
  target_precompile_headers(${name} PRIVATE ${ARG_UNPARSED_ARGUMENTS})
endfunction()

# All targets of a folder and of those below it. Leaves out what has flags of its own, and C.
function(sala_use_precompiled precompiled folder)
  get_property(targets DIRECTORY ${folder} PROPERTY BUILDSYSTEM_TARGETS)
  foreach(target IN LISTS targets)
    get_target_property(type ${target} TYPE)
    get_target_property(off ${target} DISABLE_PRECOMPILE_HEADERS)
    if(type MATCHES "^(STATIC_LIBRARY|OBJECT_LIBRARY|EXECUTABLE)$" AND NOT off AND NOT target STREQUAL precompiled)
      target_precompile_headers(${target} REUSE_FROM ${precompiled})
    endif()
  endforeach()
  get_property(below DIRECTORY ${folder} PROPERTY SUBDIRECTORIES)
  foreach(each IN LISTS below)
    sala_use_precompiled(${precompiled} ${each})
  endforeach()
endfunction()

set(sala_common_headers <fmt/format.h> <algorithm> <array> <charconv> <cmath> <cstdint> <cstring> <functional> <map> <memory>
  <optional> <set> <span> <string> <string_view> <utility> <vector>)

# A first build that is short. Parsing the standard library and fmt, and making the same templates again in every file, takes a
# compiler longer than our own code does, so SALA_FAST_BUILD
#   - precompiles the common headers once for all targets, and once with GoogleTest for the tests;
#   - compiles the sources of one folder together (CMake's unity builds), those of eval's rooms in parts of up to 128 KB, and all
#     kernels of an instruction set; tests excepted;
#   - optimises less where no time is spent: at -O1 what neither computes nor makes samples. Results are the same at any level.
# Nothing relies on it: a source includes what it uses, and names in unnamed namespaces are unique within a folder, in eval within
# a library.
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

# Joins the sources of each target below `folder`: BY folder, or BY size, up to 128 KB. A target says UNITY_BUILD OFF to be left out.
function(sala_join_sources folder BY how)
  sala_compiled_targets(${folder} targets)
  foreach(target IN LISTS targets)
    get_target_property(wanted ${target} UNITY_BUILD)
    if(DEFINED wanted AND NOT wanted STREQUAL "wanted-NOTFOUND")
      continue()
    endif()
    set_target_properties(${target} PROPERTIES UNITY_BUILD ON UNITY_BUILD_MODE GROUP)
    get_target_property(sources ${target} SOURCES)
    list(FILTER sources INCLUDE REGEX "\\.cc$")
    get_target_property(base ${target} SOURCE_DIR)
    set(part 1)
    set(joined_bytes 0)
    foreach(source IN LISTS sources)
      cmake_path(ABSOLUTE_PATH source BASE_DIRECTORY ${base})
      if(how STREQUAL "folder")
        cmake_path(GET source PARENT_PATH parent)
        cmake_path(GET parent FILENAME part)
      else()
        file(SIZE ${source} bytes)
        math(EXPR joined_bytes "${joined_bytes} + ${bytes}")
        if(joined_bytes GREATER 131072)  # a compiler needs 0.7 GB for it
          math(EXPR part "${part} + 1")
          set(joined_bytes ${bytes})
        endif()
      endif()
      set_source_files_properties(${source} TARGET_DIRECTORY ${target} PROPERTIES UNITY_GROUP ${part})
    endforeach()
  endforeach()
endfunction()

function(sala_optimise_less)  # targets...
  foreach(target IN LISTS ARGN)
    target_compile_options(${target} PRIVATE $<$<CONFIG:Release>:-O1>)
  endforeach()
endfunction()

set(sala_common_headers <fmt/format.h> <algorithm> <array> <charconv> <cmath> <cstdint> <cstring> <functional> <map> <memory>
  <optional> <set> <span> <string> <string_view> <utility> <vector>)

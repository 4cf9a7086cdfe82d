# cmake -DOUT=build_info.h -DDIR=source -D... -P build_info.cmake: what was built, asked again at every build, written when it changed.
set(hash unknown)
set(dirty false)
execute_process(COMMAND git -C ${DIR} rev-parse HEAD OUTPUT_VARIABLE found RESULT_VARIABLE failed
  OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
if(NOT failed)
  set(hash ${found})
  execute_process(COMMAND git -C ${DIR} diff-index --quiet HEAD -- RESULT_VARIABLE changed OUTPUT_QUIET ERROR_QUIET)
  if(changed)
    set(dirty true)
  endif()
endif()
set(content "#pragma once
namespace sala::eval::build_info {
inline constexpr const char* kVersion = \"${VERSION}\";
inline constexpr const char* kGitHash = \"${hash}\";
inline constexpr bool kGitDirty = ${dirty};
inline constexpr const char* kCompiler = \"${COMPILER}\";
inline constexpr const char* kBuildType = \"${BUILD_TYPE}\";
inline constexpr const char* kFlags = \"${FLAGS}\";
}  // namespace sala::eval::build_info
")
set(old "")
if(EXISTS ${OUT})
  file(READ ${OUT} old)
endif()
if(NOT old STREQUAL content)
  file(WRITE ${OUT} "${content}")
endif()

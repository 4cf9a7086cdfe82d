# cmake -DOUT=build_info.h -DDIR=source -D... -P build_info.cmake: what was built, asked again at every build, written when it changed.
# The commit is that of git, else the one that a source archive was made of (.git_archival.txt), else unknown.
set(hash unknown)
set(modified unknown)
set(git git -c safe.directory=${DIR} -C ${DIR})  # also where the files belong to somebody else, as in containers
execute_process(COMMAND ${git} rev-parse HEAD --show-prefix OUTPUT_VARIABLE found RESULT_VARIABLE failed ERROR_QUIET)
if(NOT failed AND found MATCHES "^([0-9a-f]+)\n*$")  # a prefix: the repository of somebody else, in which the sources lie
  set(hash ${CMAKE_MATCH_1})
  execute_process(COMMAND ${git} diff-index --quiet HEAD -- RESULT_VARIABLE changed OUTPUT_QUIET ERROR_QUIET)
  if(changed)
    set(modified yes)
  else()
    set(modified no)
  endif()
elseif(EXISTS ${DIR}/.git_archival.txt)
  file(READ ${DIR}/.git_archival.txt archival)
  if(archival MATCHES "node: ([0-9a-f]+)")
    set(hash ${CMAKE_MATCH_1})
  endif()
endif()
set(content "#pragma once
namespace sala::eval::build_info {
inline constexpr const char* kVersion = \"${VERSION}\";
inline constexpr const char* kGitHash = \"${hash}\";
inline constexpr const char* kGitModified = \"${modified}\";  // yes, no, unknown
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

# Sourced by the scripts that build. sala_build PRESET [TARGET...]: configures when needed and builds, one line of progress on
# stderr, the full output in build/PRESET.log, its tail on failure. Two callers wait for each other.
sala_root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)

sala_progress() {  # name; reads build output, shows "[done/total]" steps
  local name=$1 line last=-1 percent
  while IFS= read -r line; do
    printf '%s\n' "$line" >&3
    [[ $line =~ ^\[([0-9]+)/([0-9]+)\]\  ]] || continue
    ((BASH_REMATCH[2] > 4)) || continue  # ninja's own checks, and steps that always run
    percent=$((100 * BASH_REMATCH[1] / BASH_REMATCH[2]))
    if [[ -t 2 ]]; then
      printf '\r%s: building %d of %d ' "$name" "${BASH_REMATCH[1]}" "${BASH_REMATCH[2]}" >&2
    elif ((percent / 25 != last / 25 || last < 0)); then
      printf '%s: building %d of %d\n' "$name" "${BASH_REMATCH[1]}" "${BASH_REMATCH[2]}" >&2
      last=$percent
    fi
  done
  if [[ -t 2 ]]; then printf '\r\e[K' >&2; fi
}

sala_build() (
  preset=$1
  shift
  dir=$sala_root/build/$preset log=$sala_root/build/$preset.log
  mkdir -p "$sala_root/build"
  exec 9>"$sala_root/build/$preset.lock"
  flock 9
  cd "$sala_root"
  configure=()
  if [[ ! -e $dir/build.ninja ]]; then
    configure=(cmake --preset "$preset")
  elif ! grep -qsxF "CMAKE_HOME_DIRECTORY:INTERNAL=$sala_root" "$dir/CMakeCache.txt"; then
    configure=(cmake --fresh --preset "$preset")  # the tree was moved or copied
  elif [[ CMakePresets.json -nt $dir/build.ninja ]]; then
    configure=(cmake --preset "$preset")
  fi
  if ((${#configure[@]})); then
    echo "$preset: configuring" >&2
    if ! "${configure[@]}" >"$log" 2>&1; then
      sala_build_failed "$log"
      return 1
    fi
  fi
  if ! NINJA_STATUS='[%f/%t] ' cmake --build "$dir" ${1:+--target "$@"} 2>&1 | sala_progress "$preset" 3>"$log"; then
    sala_build_failed "$log"
    return 1
  fi
)

sala_build_failed() {  # log
  echo "build failed; the end of $1:" >&2
  tail -n 40 "$1" >&2
}

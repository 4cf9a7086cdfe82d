# Sourced by the scripts that build. sala_build PRESET [TARGET...]: configures when needed and builds, one line of progress on
# stderr, the full output in build/PRESET.log, its tail on failure. Two callers wait for each other.
sala_root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)

sala_time() {  # seconds; sets REPLY: 45 s, 3 min
  if (($1 < 100)); then REPLY="$1 s"; else REPLY="$((($1 + 30) / 60)) min"; fi
}

sala_step() {  # ninja's description of a step; sets REPLY: compiling sim/core/rng.cc, linking sala_eval
  local file=${1##* } verb=${1%% *}
  [[ $file =~ ^(.*/)?CMakeFiles/[^/]+\.dir/(.*)\.(o|gch)$ ]] && file=${BASH_REMATCH[1]}${BASH_REMATCH[2]}
  while [[ $file =~ ^(.*/)?[^/]+/__/(.*)$ ]]; do file=${BASH_REMATCH[1]}${BASH_REMATCH[2]}; done
  case $verb in
    Building) REPLY="compiling $file" ;;
    Linking) REPLY="linking $file" ;;
    *) REPLY=$1 ;;
  esac
}

sala_progress() {  # name; reads ninja's output, says how far it is, how long is left and what it does
  local name=$1 begin=$SECONDS line done total percent last=-1 text
  while IFS= read -r line; do
    printf '%s\n' "$line" >&3
    [[ $line =~ ^\[([0-9]+)/([0-9]+)\]\ (.*)$ ]] || continue
    done=${BASH_REMATCH[1]} total=${BASH_REMATCH[2]} line=${BASH_REMATCH[3]}
    ((total > 4)) || continue  # ninja's own checks, and steps that always run
    percent=$((100 * done / total))
    [[ -t 2 ]] || ((percent / 10 > last / 10 || last < 0)) || continue
    last=$percent
    text="$name: $done of $total steps ($percent %)"
    if ((SECONDS > begin && done < total)); then  # steps differ, so it is a rough guess
      sala_time $(((SECONDS - begin) * (total - done) / done))
      text+=", about $REPLY left"
    fi
    sala_step "$line"
    text+=", $REPLY"
    if [[ -t 2 ]]; then printf '\r\e[K%.79s' "$text" >&2; else printf '%s\n' "$text" >&2; fi
  done
  if [[ -t 2 ]]; then printf '\r\e[K' >&2; fi
  if ((last >= 0)); then
    sala_time $((SECONDS - begin))
    printf '%s: built in %s\n' "$name" "$REPLY" >&2
  fi
}

sala_build() (
  preset=$1
  shift
  dir=$sala_root/build/$preset log=$sala_root/build/$preset.log
  if ! mkdir -p "$sala_root/build" 2>/dev/null || [[ ! -w $sala_root/build ]]; then
    echo "$preset: $sala_root/build cannot be written; build in a copy of your own" >&2
    return 1
  fi
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

# Sourced first by the scripts of bash, before they change anything: -h or --help among the words prints the comment at the head of the
# script and ends it.

sala_help() {  # the lines of the head, less `#`
  local line
  while IFS= read -r line; do
    [[ $line == '#!'* ]] && continue
    [[ $line == '#'* ]] || break
    line=${line#\#}
    printf '%s\n' "${line# }"
  done <"$0"
}

for word in "$@"; do
  case $word in
    --) break ;;
    -h | --help)
      sala_help
      exit 0
      ;;
  esac
done

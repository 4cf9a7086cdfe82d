# Evaluations that are run once, a folder each: what scripts/family_results and scripts/reproduce_all share.
# Before run_once: binary (the program), models (the folder of the members), list (not empty: print the commands).
# After it: missing (members without weights), unfit (runs whose length is too short for a sample of theirs).
missing="" unfit=""
declare -A fingerprints=()

# fingerprint MEMBER: sets `weights` to a hash of its weights
fingerprint() {
  if [[ -z ${fingerprints[$1]:-} ]]; then
    fingerprints[$1]=$(find -L "$models/$1" -maxdepth 1 -name '*.safetensors' -print0 | sort -z | xargs -0 -r cat | sha256sum | cut -c1-16)
  fi
  weights=${fingerprints[$1]}
}

# run_once FOLDER MODEL TASKS LENGTH SAMPLES [FLAGS...]
# Leaves a folder alone whose file `complete` says as many samples or more, of the same weights. More samples are added to those that are there;
# other weights are refused by the program, since the folder is another model's.
run_once() {
  local folder=$1 model=$2 tasks=$3 length=$4 samples=$5 have="" of="" said code=0
  shift 5
  if [[ ! -d $models/$model ]]; then
    missing+=" $model"
    return 0
  fi
  fingerprint "$model"
  [[ ! -s $folder/complete ]] || read -r have of < "$folder/complete"
  [[ $have =~ ^[0-9]+$ && $of == "$weights" && $have -ge $samples ]] && return 0
  local command=("$binary" run --model "$model" --task "$tasks" --len "$length" --samples "$samples" --out "$folder" --resume --quiet "$@")
  if [[ -n $list ]]; then
    printf '%q ' "${command[@]}"
    printf '> /dev/null && echo %q > %q\n' "$samples $weights" "$folder/complete"
    return 0
  fi
  said=$("${command[@]}" 2>&1 > /dev/null) || code=$?
  if [[ $code == 2 && $said == *"is too small"* ]]; then
    unfit+=" $(basename "$folder")"
    return 0
  fi
  [[ -z $said ]] || echo "$said" >&2
  [[ $code == 0 ]] || exit "$code"
  echo "$samples $weights" > "$folder/complete"
  echo "$(date +%T) $folder" >&2
}

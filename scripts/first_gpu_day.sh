#!/usr/bin/env bash
# Train what is worth most on one GPU (sized for an H100) in 25 minutes: rocks
# at 64 pixels, the reference autoencoder at 256, CIFAR-10, faces at 256.
#
#   CIFAR10=MY_CIFAR10_IMAGES FACES=MY_FACES scripts/first_gpu_day.sh runs/day
#
# CIFAR10 and FACES are folders of images, or SET@TFDS_FOLDER; without them these
# two are left out. For each config the speed is measured first, so that the
# number of images fits its time. Ctrl-C and SIGTERM save a checkpoint; the same
# command resumes. Results go into the table of docs/benchmarks.md (or PAGE).
# SMOKE=1 tries everything at toy sizes on a CPU, with the table in the folder.
set -euo pipefail

if (($# != 1)); then
  echo "usage: $0 FOLDER" >&2
  exit 2
fi
folder=$1
smoke=${SMOKE:-}
mkdir -p "$folder"
here="$(cd "$(dirname "$0")/.." && pwd)"
PATH="$here/.venv/bin:$PATH"
page=${PAGE:-$here/docs/benchmarks.md}
repeats=3 variant="" num=512
if [[ $smoke ]]; then page=$folder/benchmarks.md repeats=1 variant=:smoke num=16; fi

child="" stopped="" failures=0
stop() {
  stopped=$1
  [[ -z $child ]] || kill -TERM "$child" 2>/dev/null || true
}
trap "stop 130" INT
trap "stop 143" TERM

run() { # runs a command that only `stop` ends; returns its status
  local code=0
  setsid "$@" & # so that Ctrl-C reaches it once, through `stop`
  child=$!
  wait "$child" || code=$?
  while kill -0 "$child" 2>/dev/null; do # a trap ended the wait
    code=0
    wait "$child" || code=$?
  done
  child=""
  if [[ $stopped ]]; then
    echo "stopped; the same command resumes."
    exit "$stopped"
  fi
  return "$code"
}

failed() { # a failed run does not stop the others
  echo "$1: $2 failed; the next run follows." >&2
  failures=$((failures + 1))
  return 1
}

train() { # NAME SECONDS SIZE_FLAGS CONFIG [FLAGS]
  local name=$1 seconds=$2 size=$3 file=$4$variant flags=("${@:5}")
  local workdir=$folder/$name speed=$folder/$name.speed.json
  local sized=$folder/$name.flags start=$SECONDS
  if [[ -f $folder/$name.done ]]; then
    echo "$name: done."
    return
  fi
  local config=(--config="$here/configs/$file" "${flags[@]}")
  [[ -f $speed ]] ||
    run timeout "$seconds" \
      jaxgen benchmark "${config[@]}" --repeats="$repeats" --json="$speed" ||
    failed "$name" "benchmark" || return 0
  local left=$((seconds - (SECONDS - start)))
  if [[ ! -f $sized ]]; then
    # half a minute each for the start and for the evaluation
    sizes=(--speed="$speed" --seconds=$((left > 120 ? left - 60 : 60)) $size)
    if [[ $smoke ]]; then sizes=(); fi
    ((${#sizes[@]} == 0)) ||
      python3 "$here/scripts/first_gpu_day.py" size "${sizes[@]}" >"$sized.part"
    touch "$sized.part"
    mv "$sized.part" "$sized"
  fi
  mapfile -t more <"$sized"
  local limit=$((left > 90 ? left - 30 : 60))
  if [[ $smoke ]]; then limit=3600; fi
  local code=0
  run timeout --preserve-status "$limit" \
    jaxgen train "${config[@]}" "${more[@]}" --workdir="$workdir" || code=$?
  # at the limit a checkpoint is saved, which is enough (143: by SIGTERM)
  ((code == 0 || code == 143)) || failed "$name" "training" || return 0
  if [[ $name == *edm ]]; then
    run timeout "$limit" jaxgen evaluate --workdir="$workdir" --num="$num" ||
      echo "$name: not evaluated." >&2
  else
    run timeout "$limit" jaxgen evaluate --workdir="$workdir" ||
      echo "$name: not evaluated." >&2
  fi
  run python3 "$here/scripts/first_gpu_day.py" record --workdir="$workdir" \
    --speed="$speed" --config="$file" --page="$page"
  touch "$folder/$name.done"
}

data() { # the flags of a data set: a folder, or SET@TFDS_FOLDER
  local source=folder
  [[ $1 == *@* ]] && source=tfds
  given=(--config.data.source="$source" --config.data.path="$1")
}

tiles() { # the flags of a number of procedural tiles
  given=()
  [[ $smoke ]] || given=(--config.data.num_tiles="$1")
}

tiles 16384
train rocks_edm 540 --tiles=16384 rocks_edm.py "${given[@]}"
tiles 4096
train rocks_patch_ae_256 360 --tiles=4096 rocks_patch_ae_256.py "${given[@]}"
if [[ ${CIFAR10:-} ]]; then
  data "$CIFAR10"
  train cifar10_edm 300 "" cifar10_edm.py "${given[@]}" --config.data.workers=8
else
  echo "CIFAR10 is not set: cifar10_edm is left out."
fi
if [[ ${FACES:-} ]]; then
  data "$FACES"
  train faces_vae 300 --kl faces_vae.py "${given[@]}" --config.data.workers=8
else
  echo "FACES is not set: faces_vae is left out."
fi
exit $((failures > 0))

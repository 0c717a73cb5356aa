#!/usr/bin/env bash
# Train with N processes on this machine: a rehearsal for a cluster, for which
# CPU cores are enough.
#
#   scripts/launch_local.sh 2 --config=configs/textures_patch_ae.py:smoke \
#     --workdir=runs/two
#
# What follows the number goes to `jaxgen train`. Lines of output begin with the
# number of their process. Ctrl-C and SIGTERM reach all processes: they save the
# same step and end with status 0; the same command then goes on from it. If one
# process fails the others are ended, and its status is the script's.
#
# To use all GPUs of one machine no launcher is needed, `jaxgen train` does; here
# process i is given GPU i.
set -euo pipefail

if [[ ! ${1:-} =~ ^[1-9][0-9]*$ ]]; then
  echo "usage: $0 NUMBER_OF_PROCESSES --config=... --workdir=..." >&2
  exit 2
fi
number=$1
shift

PATH="$(cd "$(dirname "$0")/.." && pwd)/.venv/bin:$PATH"
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')

start() { # the process's number, then flags
  CUDA_VISIBLE_DEVICES=$1 PYTHONUNBUFFERED=1 exec jaxgen train "${@:2}" \
    --coordinator="127.0.0.1:$port" --num_processes="$number" --process_id="$1"
}

prefix() { # what it reads, line by line, behind a label
  trap '' INT TERM
  while IFS= read -r line; do echo "$1 $line"; done
}

pids=()
stop() { kill -TERM "${pids[@]}" 2>/dev/null || true; }
trap stop INT TERM

for ((i = 0; i < number; i++)); do
  start "$i" "$@" > >(prefix "[$i]") 2>&1 &
  pids+=($!)
done

status=0
while ((${#pids[@]})); do
  sleep 0.2 || true # a signal may end it
  for i in "${!pids[@]}"; do
    kill -0 "${pids[i]}" 2>/dev/null && continue
    code=0
    wait "${pids[i]}" || code=$?
    unset "pids[i]"
    if ((code && !status)); then
      status=$code
      echo "process $i failed with status $code; ending the others." >&2
      deadline=$((SECONDS + 10)) # time for those that fail by themselves
    fi
  done
  if ((status && SECONDS >= deadline && ${#pids[@]})); then
    kill -KILL "${pids[@]}" 2>/dev/null || true
  fi
done
exit "$status"

#!/usr/bin/env bash
# Train with N processes on this machine, to test multi-process training; CPU
# cores are enough. (To use all GPUs of one machine no launcher is needed:
# `jaxgen train` uses them. Here process i gets GPU i.)
#
#   scripts/launch_local.sh 2 --config=configs/textures_patch_ae.py:smoke \
#     --workdir=runs/two
#
# All flags after the number are passed to `jaxgen train`. Each line of output
# begins with the number of its process. Ctrl-C and SIGTERM reach all processes:
# they save the same step, and the script exits with status 143 (128 + SIGTERM);
# the same command resumes from it. If a process fails, the others are ended,
# and the script exits with its status.
set -euo pipefail

if [[ ! ${1:-} =~ ^[1-9][0-9]*$ ]]; then
  echo "usage: $0 NUMBER_OF_PROCESSES --config=FILE.py --workdir=FOLDER" >&2
  exit 2
fi
number=$1
shift

PATH="$(cd "$(dirname "$0")/.." && pwd)/.venv/bin:$PATH"
port=$(python3 -c '
import socket
with socket.socket() as s:
  s.bind(("127.0.0.1", 0))  # any free port
  print(s.getsockname()[1])
')

label() { # writes its input lines after [$1]
  trap "" INT TERM
  while IFS= read -r line; do echo "[$1] $line"; done
}

pids=()
for ((i = 0; i < number; i++)); do
  CUDA_VISIBLE_DEVICES=$i PYTHONUNBUFFERED=1 jaxgen train "$@" \
    --coordinator="127.0.0.1:$port" --num_processes="$number" \
    --process_id="$i" > >(label "$i") 2>&1 &
  pids+=($!)
done

signal() { kill "-$1" "${pids[@]}" 2>/dev/null || true; }
stopping="" stopped=0
trap "stopping=yes; signal TERM" INT TERM

status=0
while ((${#pids[@]})); do
  sleep 0.2 &
  wait $! || true # unlike sleep itself, it is interrupted by a trap
  for i in "${!pids[@]}"; do
    kill -0 "${pids[i]}" 2>/dev/null && continue # still running
    code=0
    wait "${pids[i]}" || code=$?
    unset "pids[i]"
    if [[ $stopping ]] && ((code == 143)); then
      stopped=143
      continue
    fi
    if ((code && !status)); then
      echo "process $i failed with status $code; ending the others." >&2
      status=$code
      patience=$((SECONDS + 5)) # most notice it and exit by themselves
    fi
  done
  if ((status && SECONDS > patience && ${#pids[@]})); then signal KILL; fi
done
if ((!status)); then status=$stopped; fi
exit "$status"

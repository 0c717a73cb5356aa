#!/usr/bin/env bash
# Train on several hosts of an LSF cluster, one process per host, which uses all
# GPUs of the job there.
#
#   scripts/launch_lsf.sh 2 --config=configs/NAME.py \
#     --workdir=/a/folder/that/all/hosts/see
#
# The number is that of the hosts; all flags after it are passed to `jaxgen
# train`. Start it at the root of the repository: it submits itself, with the
# resources below.
#
# Three minutes before the time limit the run saves a checkpoint, and the job is
# queued again (by exit status 99). It then resumes from that checkpoint, or
# after the loss of a host from the last regular one. `bkill` ends it for good.
set -euo pipefail

if [[ -z ${LSB_JOBID:-} ]]; then # not in a job yet
  if [[ ! ${1:-} =~ ^[1-9][0-9]*$ ]]; then
    echo "usage: $0 NUMBER_OF_HOSTS --config=FILE.py --workdir=FOLDER" >&2
    exit 2
  fi
  exec bsub -J jaxgen -n "$1" -R "span[ptile=1]" -gpu "num=4" -W 24:00 \
    -wa TERM -wt 3 -Q 99 -r -o jaxgen-%J.log "$0" "${@:2}"
fi

jaxgen=$(PATH="$PWD/.venv/bin:$PATH" command -v jaxgen)
mapfile -t hosts < <(uniq "$LSB_DJOB_HOSTFILE")
port=$((20000 + LSB_JOBID % 10000))

pids=()
for i in "${!hosts[@]}"; do
  blaunch -no-shell "${hosts[i]}" "$jaxgen" train "$@" \
    --coordinator="${hosts[0]}:$port" --num_processes="${#hosts[@]}" \
    --process_id="$i" &
  pids+=($!)
done

# LSF warns with TERM; bkill sends INT before it.
killed="" requeue=""
trap 'killed=yes' INT
trap 'requeue=yes; kill -TERM "${pids[@]}" 2>/dev/null || true' TERM

status=0
for pid in "${pids[@]}"; do
  code=0
  wait "$pid" || code=$?
  while kill -0 "$pid" 2>/dev/null; do # a trap ended the wait
    code=0
    wait "$pid" || code=$?
  done
  if ((code)); then status=$code; fi
done

if [[ $requeue && ! $killed && $status == @(0|143) ]]; then exit 99; fi
exit "$status"

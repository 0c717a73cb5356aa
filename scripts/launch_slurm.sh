#!/usr/bin/env bash
# Train on several nodes of a SLURM cluster, one process per GPU.
#
#   sbatch --nodes=2 scripts/launch_slurm.sh --config=configs/NAME.py \
#     --workdir=/a/folder/that/all/nodes/see
#
# Flags of sbatch before the script override the lines below; flags after it are
# passed to `jaxgen train`. Submit it from the root of the repository.
#
# Two minutes before the time limit the run saves a checkpoint, and the job is
# queued again; it then resumes. The same holds if the cluster preempts or loses
# a node (if there is no time to save, from the last regular checkpoint).
# `scancel` ends it for good.

#SBATCH --job-name=jaxgen
#SBATCH --nodes=1
#SBATCH --gpus-per-node=4
#SBATCH --ntasks-per-node=4
#SBATCH --cpus-per-task=8
#SBATCH --time=24:00:00
#SBATCH --signal=B:USR1@120
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --output=%x-%j.log
set -euo pipefail

PATH="$PWD/.venv/bin:$PATH"

# USR1 reaches only this script; SIGTERM is sent to all processes.
requeue=""
time_is_up() {
  requeue=yes
  scancel --signal=TERM "$SLURM_JOB_ID"
}
trap time_is_up USR1

# Each task sees all GPUs of its node; JAX uses the one with its local index.
srun --label --kill-on-bad-exit=1 jaxgen train --distributed "$@" &
step=$!

status=0
wait "$step" || status=$?
while kill -0 "$step" 2>/dev/null; do # the trap ended the wait
  status=0
  wait "$step" || status=$?
done

if [[ $requeue && $status == @(0|143) ]]; then
  scontrol requeue "$SLURM_JOB_ID"
  status=0
fi
exit "$status"

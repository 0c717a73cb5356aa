#!/usr/bin/env bash
# Train on several nodes of a SLURM cluster, one process for each GPU.
#
#   sbatch --nodes=2 scripts/launch_slurm.sh --config=configs/NAME.py \
#     --workdir=/a/folder/that/all/nodes/see
#
# Flags of sbatch before the script override the lines below; those after it go
# to `jaxgen train`. Submit from the root of the repository.
#
# Two minutes before the time limit the run saves a checkpoint, and the job goes
# back into the queue; it goes on from there when it starts again. The same
# holds where the cluster preempts or loses a node (then from the last regular
# checkpoint, if there is no time to save). `scancel` ends it for good.

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

# B:USR1 comes to this script alone; SIGTERM goes to the processes on all nodes.
requeue=""
time_is_up() {
  requeue=yes
  scancel --signal=TERM "$SLURM_JOB_ID"
}
trap time_is_up USR1

# Each task sees all GPUs of its node, and JAX takes the one with its number.
srun --label --kill-on-bad-exit=1 jaxgen train --distributed "$@" &
step=$!

status=0
wait "$step" || status=$?
while kill -0 "$step" 2>/dev/null; do # it was the trap that ended the wait
  status=0
  wait "$step" || status=$?
done

if [[ $requeue && $status == 0 ]]; then scontrol requeue "$SLURM_JOB_ID"; fi
exit "$status"

#!/usr/bin/env bash
# Train on all hosts of a Cloud TPU slice, over gcloud's ssh.
#
#   scripts/launch_tpu.sh NAME ZONE --config=configs/NAME.py \
#     --workdir=/a/folder/that/all/hosts/see
#
# NAME and ZONE are those of the TPU VM; what follows goes to `jaxgen train`. The
# workdir must be on a file system that is mounted on all hosts, such as
# Filestore. The repository is expected in ~/jaxgen on each; once, before:
#
#   gcloud compute tpus tpu-vm ssh NAME --zone=ZONE --worker=all --command='
#     git clone REPOSITORY jaxgen && cd jaxgen && make env &&
#     .venv/bin/uv pip install --python .venv/bin/python "jax[tpu]"'
#
# Ctrl-C and SIGTERM stop the training after a checkpoint. The same command goes
# on from the newest one, also on a slice made anew after a preemption. Where the
# connection may break, start it in tmux on a machine that does not sleep.
set -euo pipefail

if (($# < 3)); then
  echo "usage: $0 NAME ZONE --config=FILE.py --workdir=FOLDER" >&2
  exit 2
fi
name=$1 zone=$2
shift 2

on_all_hosts() {
  gcloud compute tpus tpu-vm ssh "$name" --zone="$zone" --worker=all \
    --command="$1"
}

# shellcheck disable=SC2016 # these are for the remote shells to expand
stop='kill -TERM "$(cat ~/.jaxgen.pid)"'
trap 'on_all_hosts "$stop" || true' INT TERM

flags=$(printf "%q " "$@") # quoted once more, for the remote shells
on_all_hosts "cd ~/jaxgen && echo \$\$ > ~/.jaxgen.pid &&
  exec .venv/bin/jaxgen train --distributed $flags" &
training=$!

status=0
wait "$training" || status=$?
while kill -0 "$training" 2>/dev/null; do # it was a trap that ended the wait
  status=0
  wait "$training" || status=$?
done
exit "$status"

#!/usr/bin/env bash
# Train on all hosts of a Cloud TPU slice, over gcloud's ssh.
#
#   scripts/launch_tpu.sh NAME ZONE --config=configs/NAME.py \
#     --workdir=/a/folder/that/all/hosts/see
#
# NAME and ZONE are those of the TPU VM; all flags after them are passed to
# `jaxgen train`. The workdir must be on a file system that is mounted on all
# hosts, such as Filestore. The repository must be in ~/jaxgen on each; once:
#
#   gcloud compute tpus tpu-vm ssh NAME --zone=ZONE --worker=all --command='
#     git clone REPOSITORY jaxgen && cd jaxgen && make env &&
#     .venv/bin/uv pip install --python .venv/bin/python "jax[tpu]"'
#
# Ctrl-C and SIGTERM stop the run after a checkpoint, with status 143 (128 +
# SIGTERM). The same command resumes from the newest one, also on a new slice after a preemption. If the connection
# may break, start it in tmux on a machine that does not sleep.
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

# shellcheck disable=SC2016 # the remote shells expand these
stop='kill -TERM "$(cat ~/.jaxgen.pid)"'
trap 'on_all_hosts "$stop" || true' INT TERM

flags=$(printf "%q " "$@") # quoted again, for the remote shells
on_all_hosts "cd ~/jaxgen && echo \$\$ > ~/.jaxgen.pid &&
  exec .venv/bin/jaxgen train --distributed $flags" &
training=$!

status=0
wait "$training" || status=$?
while kill -0 "$training" 2>/dev/null; do # a trap ended the wait
  status=0
  wait "$training" || status=$?
done
exit "$status"

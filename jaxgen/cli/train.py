"""Train a config in a workdir, or resume from its newest checkpoint.

  jaxgen train --config=configs/textures_patch_ae.py:demo --workdir=runs/demo
  jaxgen train --config=F --workdir=D --config.optimizer.learning_rate=0.003

Every field of the config can be set with --config.FIELD=VALUE. On SIGTERM and
Ctrl-C a checkpoint is saved first; the same command then resumes. The exit
status is then 128 + the signal's number, 143 or 130: the run is not finished.
"""

from __future__ import annotations

import argparse
import atexit
import pathlib

from jaxgen.cli import flags
from jaxgen.errors import RunError, UserError, exit_status
from jaxgen.parallel.signals import exit_now

LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
HEARTBEAT = 30  # seconds of silence after which a process is considered dead


def add_flags(parser: argparse.ArgumentParser) -> None:
  """Add the flags of this verb."""
  flags.add_config_flag(parser, required=True)
  parser.add_argument(
    "--workdir",
    required=True,
    type=flags.run_folder,
    help="folder of the run, or an address such as gs://BUCKET/NAME",
  )
  parser.add_argument(
    "--allow_config_change",
    action="store_true",
    help="resume even if the config or the data have changed",
  )
  parser.add_argument(
    "--memory",
    type=flags.byte_size,
    metavar="16GiB",
    help="split batches so that each stage fits in this memory on each device "
    "(sets batch.fit=auto)",
  )
  flags.add_deterministic_flag(parser)
  flags.add_profile_flag(parser, unit="steps")
  group = parser.add_argument_group("several processes (see scripts/)")
  group.add_argument(
    "--distributed",
    action="store_true",
    help="connect the processes through SLURM, Open MPI or the TPU runtime",
  )
  group.add_argument(
    "--coordinator", metavar="HOST:PORT", help="address of the first process"
  )
  group.add_argument(
    "--num_processes", type=flags.integer(1), help="number of processes"
  )
  group.add_argument(
    "--process_id",
    type=flags.integer(0),
    help="index of this process, from 0",
  )


def run(args: argparse.Namespace, rest: list[str]) -> int:
  """Train; returns 0 if the run is finished, and 128 + the signal's number if
  a signal stopped it."""
  from jaxgen.config.files import load_config

  config = load_config(args.config, rest)
  if args.memory:
    config.batch.update(fit="auto", memory_gib=args.memory / 2**30)
  _initialize_distributed(args)
  from jaxgen.api import train_until
  from jaxgen.parallel import profiling
  from jaxgen.parallel.allocator import keep_freed_memory
  from jaxgen.parallel.multihost import is_loss_of_peer
  from jaxgen.parallel.preemption import watching

  keep_freed_memory()  # before anything starts the backend
  folder = _folder(args.workdir) / profiling.FOLDER
  try:
    with (
      watching(exit_status) as stop,
      profiling.profiling(args.profile, folder, unit="step"),
    ):
      finished = train_until(
        stop,
        config,
        args.workdir,
        allow_config_change=args.allow_config_change,
      )
      return 0 if finished else stop.interrupted().status
  except BaseException as error:
    _exit_without_peers(error)
    if not is_loss_of_peer(error):
      raise
    raise RunError(
      "another process of this run has ended, see its output; the same command "
      "resumes from the newest checkpoint."
    ) from error


def _folder(workdir: str | pathlib.Path) -> pathlib.Path:
  """The run's folder on this machine."""
  if isinstance(workdir, pathlib.Path):
    return workdir
  from jaxgen.stores import mirror

  return mirror.folder_of(workdir)


def _initialize_distributed(args: argparse.Namespace) -> None:
  """Connect to the other processes of the run, if any."""
  address = (args.coordinator, args.num_processes, args.process_id)
  if not args.distributed and address == (None, None, None):
    return
  if not args.distributed and None in address:
    raise UserError(
      "--coordinator, --num_processes and --process_id: expected all three or "
      "none."
    )
  _check_address(args.coordinator)
  import jax

  host = (args.coordinator or "").rpartition(":")[0]
  try:
    jax.distributed.initialize(
      coordinator_address=args.coordinator,
      num_processes=args.num_processes,
      process_id=args.process_id,
      cluster_detection_method="deactivate" if host else None,
      # the default is to listen on all network interfaces
      coordinator_bind_address=args.coordinator if host in LOOPBACK else None,
      heartbeat_timeout_seconds=HEARTBEAT,
    )
  except (ValueError, RuntimeError) as e:
    reason = str(e).splitlines()[0]
    raise UserError(
      f"cannot connect to the other processes: {reason}. Use "
      "--distributed in a SLURM, Open MPI or TPU job; elsewhere "
      "--coordinator=HOST:PORT, --num_processes and --process_id."
    ) from e


def _check_address(address: str | None) -> None:
  if address is None:
    return
  host, _, port = address.rpartition(":")
  if not host or not port.isdecimal() or not 0 < int(port) < 2**16:
    raise UserError(f"--coordinator={address}: expected HOST:PORT.")


def _exit_without_peers(error: BaseException) -> None:
  """Make a failing process exit without waiting for its peers.

  Otherwise it would wait for them at a barrier, while they wait for it within a
  step. Its exit is detected and ends them as well.
  """
  import jax

  if jax.distributed.is_initialized():
    status = 2 if isinstance(error, (UserError, SystemExit)) else 1
    atexit.register(exit_now, status)

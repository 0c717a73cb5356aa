"""Search through configs in phases; the winner of each feeds the next.

  jaxgen sweep --config=configs/sweeps/patch_latent.py:smoke --workdir=sweeps/a
  jaxgen sweep --workdir=sweeps/a --choose phase_1=latent_dim_32
  jaxgen sweep --config=F --workdir=D --launcher=slurm --queue=gpu --submit

Each run is a run of `jaxgen train` in WORKDIR/PHASE/RUN. What is finished is
never run again: after a stop or a kill the same command goes on. A run that
fails is marked, and the others go on. Each phase leaves choice.json,
metrics.csv and report.html; runs that a new choice makes obsolete are moved to
WORKDIR/set_aside. SIGTERM and Ctrl-C save the runs first.
"""

from __future__ import annotations

import argparse
import pathlib

from jaxgen.cli import common
from jaxgen.errors import UserError


def add_flags(parser: argparse.ArgumentParser) -> None:
  """Flags of this verb."""
  parser.add_argument(
    "--config",
    metavar="FILE.py[:variant]",
    help="the sweep; not needed where the workdir holds it",
  )
  parser.add_argument(
    "--workdir", required=True, type=pathlib.Path, help="the sweep's folder"
  )
  parser.add_argument(
    "--parallel",
    type=common.whole(1, 1024),
    default=1,
    help="processes at a time, here or in a job array (default: 1)",
  )
  parser.add_argument(
    "--choose",
    action="append",
    default=[],
    metavar="PHASE=RUN",
    help="take this run, whatever the rule says; PHASE=rule takes it back",
  )
  parser.add_argument(
    "--retry_failed", action="store_true", help="try again what has failed"
  )
  parser.add_argument(
    "--allow_config_change",
    action="store_true",
    help="go on although the sweep is not as before: runs what has changed",
  )
  _add_parts(parser.add_argument_group("parts of a sweep, as jobs take them"))
  _add_launcher(parser.add_argument_group("a cluster's scheduler"))


def _add_parts(group) -> None:
  group.add_argument(
    "--only", metavar="PHASE/RUN", help="do this run here, and nothing else"
  )
  group.add_argument(
    "--collect", metavar="PHASE", help="decide a phase from what is there"
  )
  group.add_argument("--attend", type=int, help=argparse.SUPPRESS)


def _add_launcher(group) -> None:
  group.add_argument(
    "--launcher",
    choices=("slurm", "lsf"),
    help="write job arrays to WORKDIR/jobs instead of running here",
  )
  group.add_argument("--queue", help="partition or queue")
  group.add_argument(
    "--memory", type=common.whole(1), default=32, help="GB a job (default: 32)"
  )
  group.add_argument(
    "--hours", type=common.whole(1), default=24, help="a job (default: 24)"
  )
  group.add_argument(
    "--gpu", metavar="TYPE", help="a GPU of this type, or `any`, for each job"
  )
  group.add_argument(
    "--job_option",
    action="append",
    default=[],
    metavar="OPTION",
    help="one more line for the scheduler, such as --account=mine",
  )
  group.add_argument(
    "--submit", action="store_true", help="and submit them, all phases"
  )


def run(args: argparse.Namespace, rest: list[str]) -> int:
  """Do what is missing of a sweep, or the part that is asked for."""
  from jaxgen.sweeps import jobs
  from jaxgen.sweeps.folder import hold

  if rest:
    raise UserError(f"{rest[0]}: there is no such flag here; see --help.")
  if args.only:
    return _one(args)
  if not args.workdir.is_dir() or args.config:
    _check(args)
  with hold(args.workdir, "sweep"):
    opened = _open(args)
    if args.collect:
      opened.decide(opened.sweep.phase(args.collect))
      return 0
    if not args.launcher:
      opened.go(parallel=args.parallel, retry=args.retry_failed)
      return 0
    script = _write_jobs(args, opened)
  print(f"jobs are in {script.parent}; {script} submits them.", flush=True)
  return jobs.submit(script) if args.submit else 0


def _check(args: argparse.Namespace) -> None:
  """Find mistakes before a folder is made."""
  from jaxgen.sweeps import files, sweep

  if not args.config:
    raise UserError(f"--workdir={args.workdir} holds no sweep: name --config.")
  found, base = files.load_sweep(args.config)
  files.check(found, base)
  sweep.parse_choices(found, args.choose)


def _open(args: argparse.Namespace):
  from jaxgen.sweeps import files, folder, sweep

  if args.config:
    found, base = files.load_sweep(args.config)
    allow = args.allow_config_change
    folder.record(found, base, args.workdir, allow_change=allow)
  found, base = folder.read(args.workdir)
  return sweep.Opened(
    sweep=found,
    base=base,
    workdir=args.workdir,
    persons=sweep.parse_choices(found, args.choose),
    say=lambda text: print(text, flush=True),
  )


def _one(args: argparse.Namespace) -> int:
  """One run, in this process."""
  from jaxgen.sweeps import folder, worker
  from jaxgen.sweeps.sweep import Opened

  if args.attend:
    worker.attend(args.attend)
  found, base = folder.read(args.workdir)
  opened = Opened(sweep=found, base=base, workdir=args.workdir)
  phase, name = found.run(args.only)
  run_ = opened.runs(phase)[name]
  opened.prepare(phase, {name: run_}, retry=args.retry_failed)
  return worker.work(run_)


def _write_jobs(args: argparse.Namespace, opened) -> pathlib.Path:
  if args.choose or args.retry_failed:
    raise UserError(
      "--launcher writes jobs only: choose with --collect=PHASE "
      "--choose=PHASE=RUN, try again with --only=PHASE/RUN --retry_failed."
    )
  from jaxgen.sweeps import jobs

  options = jobs.JobOptions(
    queue=args.queue or "",
    memory=args.memory,
    hours=args.hours,
    gpu=args.gpu or "",
    at_a_time=args.parallel if args.parallel > 1 else 0,
    extra=tuple(args.job_option),
  )
  return jobs.write(opened.sweep, args.workdir, args.launcher, options)

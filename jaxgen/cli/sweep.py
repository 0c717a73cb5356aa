"""Search over configs in phases; each starts from the previous winner.

  jaxgen sweep --config=configs/sweeps/patch_latent.py:smoke --workdir=sweeps/a
  jaxgen sweep --workdir=sweeps/a --choose phase_1=latent_dim_32
  jaxgen sweep --config=F --workdir=D --launcher=slurm --queue=gpu --submit

Each run is a run of `jaxgen train` in WORKDIR/PHASE/RUN. Finished runs are
never repeated: after a stop or a kill the same command resumes. A run that
fails is marked, and the others continue. Each phase writes choice.json,
metrics.csv and report.html; runs made obsolete by a new choice are moved to
WORKDIR/archive. On SIGTERM and Ctrl-C the runs save a checkpoint first.
"""

from __future__ import annotations

import argparse
import pathlib
from typing import TYPE_CHECKING

from jaxgen.cli import flags
from jaxgen.errors import UserError

if TYPE_CHECKING:
  from jaxgen.sweeps import Sweep
  from jaxgen.sweeps.sweep import SweepRun


def add_flags(parser: argparse.ArgumentParser) -> None:
  """Add the flags of this verb."""
  parser.add_argument(
    "--config",
    metavar="FILE.py[:variant]",
    help="sweep file; not needed if the workdir has the sweep",
  )
  parser.add_argument(
    "--workdir",
    required=True,
    type=pathlib.Path,
    help="folder of the sweep",
  )
  parser.add_argument(
    "--parallel",
    type=flags.integer(1, 1024),
    default=1,
    help="concurrent processes, here or in a job array (default: 1)",
  )
  parser.add_argument(
    "--choose",
    action="append",
    default=[],
    metavar="PHASE=RUN",
    help="select this run instead of the rule's; PHASE=rule: use the rule",
  )
  parser.add_argument(
    "--retry_failed", action="store_true", help="run failed runs again"
  )
  parser.add_argument(
    "--allow_config_change",
    action="store_true",
    help="resume even if the sweep has changed; runs what has changed",
  )
  flags.add_deterministic_flag(parser)
  _add_part_flags(parser.add_argument_group("parts of a sweep, for jobs"))
  _add_launcher_flags(parser.add_argument_group("cluster scheduler"))


def _add_part_flags(group: argparse._ArgumentGroup) -> None:
  group.add_argument(
    "--only", metavar="PHASE/RUN", help="run only this run, in this process"
  )
  group.add_argument(
    "--collect",
    metavar="PHASE",
    help="only decide a phase from its finished runs",
  )
  group.add_argument("--parent_pid", type=int, help=argparse.SUPPRESS)


def _add_launcher_flags(group: argparse._ArgumentGroup) -> None:
  group.add_argument(
    "--launcher",
    choices=("slurm", "lsf"),
    help="write job arrays to WORKDIR/jobs instead of running here",
  )
  group.add_argument("--queue", help="partition or queue")
  group.add_argument(
    "--memory",
    type=flags.integer(1),
    default=32,
    help="memory of a job in GB (default: 32)",
  )
  group.add_argument(
    "--hours",
    type=flags.integer(1),
    default=24,
    help="time limit of a job in hours (default: 24)",
  )
  group.add_argument(
    "--gpu", metavar="TYPE", help="type of the GPU of each job, or `any`"
  )
  group.add_argument(
    "--job_option",
    action="append",
    default=[],
    metavar="OPTION",
    help="scheduler option, such as --account=mine; repeatable",
  )
  group.add_argument(
    "--submit", action="store_true", help="also submit the jobs of all phases"
  )


def run(args: argparse.Namespace, rest: list[str]) -> int:
  """Run the missing parts of a sweep, or the part given by the flags."""
  from jaxgen.sweeps import jobs
  from jaxgen.sweeps import sweep as sweeps
  from jaxgen.sweeps.folder import hold

  del rest  # always empty
  if args.only:
    return _run_one(args)
  if not args.workdir.is_dir() or args.config:
    _check(args)
  with hold(args.workdir, holder="sweep"):
    sweep_run = _open(args)
    if args.collect:
      sweeps.decide(sweep_run, sweep_run.sweep.phase(args.collect))
      return 0
    if not args.launcher:
      sweeps.run_phases(
        sweep_run, parallel=args.parallel, retry_failed=args.retry_failed
      )
      return 0
    script = _write_jobs(args, sweep_run.sweep)
  print(f"Wrote {script.parent}; {script} submits the jobs.", flush=True)
  return jobs.submit(script) if args.submit else 0


def _check(args: argparse.Namespace) -> None:
  """Report errors before a folder is created."""
  from jaxgen.sweeps import configs, files

  if not args.config:
    raise UserError(f"--workdir={args.workdir} has no sweep: add --config.")
  sweep, bases = files.load_sweep(args.config)
  configs.check_sweep(sweep, bases)
  _manual_choices(sweep, args.choose)


def _manual_choices(sweep: Sweep, flags: list[str]) -> dict[str, str]:
  """The runs of `--choose=PHASE=RUN`, by phase.

  Raises:
    UserError: the sweep has no such phase or run.
  """
  from jaxgen.sweeps.spec import RULE

  choices = {}
  for flag in flags:
    name, equals, run_name = flag.partition("=")
    if not equals:
      raise UserError(f"--choose={flag}: expected PHASE=RUN.")
    known = (*sweep.phase(name).runs, RULE)
    if run_name not in known:
      raise UserError(
        f"--choose={flag}: expected {name}= and one of {', '.join(known)}."
      )
    choices[name] = run_name
  return choices


def _open(args: argparse.Namespace) -> SweepRun:
  from jaxgen.sweeps import files, folder
  from jaxgen.sweeps.sweep import SweepRun

  if args.config:
    sweep, bases = files.load_sweep(args.config)
    folder.record_sweep(
      args.workdir, sweep, bases=bases, allow_change=args.allow_config_change
    )
  sweep, bases = folder.read_sweep(args.workdir)
  return SweepRun(
    sweep=sweep,
    bases=bases,
    workdir=args.workdir,
    manual_choices=_manual_choices(sweep, args.choose),
    log=lambda text: print(text, flush=True),
  )


def _run_one(args: argparse.Namespace) -> int:
  """Execute a single run in this process."""
  from jaxgen.sweeps import folder, worker
  from jaxgen.sweeps import sweep as sweeps

  if args.parent_pid:
    worker.exit_with_parent(args.parent_pid)
  sweep, bases = folder.read_sweep(args.workdir)
  sweep_run = sweeps.SweepRun(sweep=sweep, bases=bases, workdir=args.workdir)
  phase, name = sweep.split_path(args.only)
  run_folder = sweeps.run_folders(sweep_run, phase)[name]
  sweeps.prepare(
    sweep_run, phase, runs={name: run_folder}, retry_failed=args.retry_failed
  )
  return worker.run(run_folder)


def _write_jobs(args: argparse.Namespace, sweep: Sweep) -> pathlib.Path:
  from jaxgen.sweeps import jobs

  if args.deterministic:
    raise UserError(
      "--launcher only writes jobs: --deterministic does not reach them; set "
      "XLA_FLAGS=--xla_gpu_deterministic_ops=true when you submit them."
    )
  if args.choose or args.retry_failed:
    raise UserError(
      "--launcher only writes jobs: use --choose with --collect=PHASE, and "
      "--retry_failed with --only=PHASE/RUN."
    )
  options = jobs.JobOptions(
    queue=args.queue or "",
    memory=args.memory,
    hours=args.hours,
    gpu=args.gpu or "",
    at_a_time=args.parallel if args.parallel > 1 else 0,
    extra=tuple(args.job_option),
  )
  return jobs.write_jobs(
    sweep, args.workdir, scheduler=args.launcher, options=options
  )

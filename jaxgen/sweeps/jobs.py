"""A sweep as jobs of a cluster's scheduler: SLURM or LSF.

Each phase is an array with a job for each run, and a collecting job that waits
for all of them, whatever their end, and decides; the next phase's array waits
for its success. `submit.sh` hands them over in this order.
"""

from __future__ import annotations

import dataclasses
import os
import pathlib
import shlex
import subprocess
import sys
from typing import Literal

from jaxgen.errors import writing
from jaxgen.sweeps.spec import Phase, Sweep
from jaxgen.sweeps.worker import STOPPED

Scheduler = Literal["slurm", "lsf"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class JobOptions:
  """What each job is given.

  Attributes:
    queue: partition or queue; "": the site's default.
    memory: in GB.
    hours: at most; a run that is not finished then goes back into the queue.
    gpu: a type of GPU, `any`, or "" for none.
    at_a_time: jobs of an array that run at the same time; 0: all.
    extra: more lines for the scheduler.
  """

  queue: str = ""
  memory: int = 32
  hours: int = 24
  gpu: str = ""
  at_a_time: int = 0
  extra: tuple[str, ...] = ()


def write(
  sweep: Sweep, workdir: pathlib.Path, scheduler: Scheduler, options: JobOptions
) -> pathlib.Path:
  """Write the scripts of all phases to `WORKDIR/jobs`; returns `submit.sh`."""
  folder = workdir.resolve() / "jobs"
  kind = {"slurm": _slurm, "lsf": _lsf}[scheduler]
  for phase in sweep.phases:
    name, count = phase.name, len(phase.runs)
    head = kind(folder, name, options, count, options.gpu)
    _write(folder / f"{name}.sh", head + _array(phase, workdir, scheduler))
    head = kind(folder, f"{name}-collect", options, 0, "")
    _write(folder / f"{name}-collect.sh", head + _collect(phase, workdir))
  names = [phase.name for phase in sweep.phases]
  script = folder / "submit.sh"
  _write(script, _submission(folder, names, scheduler))
  script.chmod(0o755)
  return script


def submit(script: pathlib.Path) -> int:
  """Hand all jobs over to the scheduler; its exit status."""
  return subprocess.run(["bash", script], check=False).returncode


def _write(path: pathlib.Path, text: str) -> None:
  with writing(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def _job_name(name: str) -> str:
  """What schedulers take for a job's name."""
  return "".join(x if x.isalnum() or x in "_-." else "_" for x in name)


def _slurm(
  folder: pathlib.Path, name: str, options: JobOptions, count: int, gpu: str
) -> str:
  job = _job_name(name)
  lines = [f"--job-name={job}", "--nodes=1", "--ntasks=1", "--requeue"]
  lines += [f"--mem={options.memory}G", f"--time={options.hours}:00:00"]
  lines += [f"--partition={options.queue}"] if options.queue else []
  lines += [f"--gpus={'1' if gpu == 'any' else f'{gpu}:1'}"] if gpu else []
  if count:
    many = f"%{options.at_a_time}" if options.at_a_time else ""
    lines += [f"--array=0-{count - 1}{many}", "--signal=B:TERM@120"]
  lines.append("--open-mode=append")
  log = "%x-%A_%a.log" if count else "%x-%j.log"
  lines.append(f"--output={shlex.quote(f'{folder}/{log}')}")
  return _head("#SBATCH ", [*lines, *options.extra])


def _lsf(
  folder: pathlib.Path, name: str, options: JobOptions, count: int, gpu: str
) -> str:
  job = _job_name(name)
  if count:
    many = f"%{options.at_a_time}" if options.at_a_time else ""
    job = f"{job}[1-{count}]{many}"
  lines = [f'-J "{job}"', "-n 1", f"-M {options.memory}GB"]
  lines += [f'-R "rusage[mem={options.memory}GB]"', f"-W {options.hours}:00"]
  lines += [f"-q {options.queue}"] if options.queue else []
  kind = "" if gpu == "any" else f":gmodel={gpu}"
  lines += [f'-gpu "num=1{kind}"'] if gpu else []
  lines += ["-r", f"-Q {STOPPED}", "-wa TERM", "-wt 2"] if count else []
  log = "%J_%I.log" if count else "%J.log"
  lines.append(f'-o "{folder}/{_job_name(name)}-{log}"')
  return _head("#BSUB ", [*lines, *options.extra])


def _head(mark: str, lines: list[str]) -> str:
  asked = "".join(f"{mark}{line}\n" for line in lines)
  return f"#!/usr/bin/env bash\n{asked}set -euo pipefail\n\n"


def _command(workdir: pathlib.Path) -> str:
  place = shlex.quote(os.getcwd())
  python, folder = map(shlex.quote, (sys.executable, str(workdir.resolve())))
  return f"cd {place}\n{{prefix}}{python} -m jaxgen sweep --workdir={folder}"


def _array(phase: Phase, workdir: pathlib.Path, scheduler: Scheduler) -> str:
  """The job of one run. On SIGTERM, shortly before the time is up, the run
  saves; then it goes back into the queue."""
  runs = " ".join(shlex.quote(f"{phase.name}/{run}") for run in phase.runs)
  index = "SLURM_ARRAY_TASK_ID" if scheduler == "slurm" else "LSB_JOBINDEX - 1"
  command = _command(workdir).format(prefix="")
  again = (
    f"if ((status == {STOPPED})); then\n"
    '  scontrol requeue "${SLURM_ARRAY_JOB_ID}_$SLURM_ARRAY_TASK_ID"\nfi\n'
  )
  return (
    f"runs=({runs})\n"
    "trap 'kill -TERM $(jobs -p) 2>/dev/null || true' TERM\n"
    f'{command} \\\n  --only="${{runs[{index}]}}" &\npid=$!\n'
    'status=0\nwait "$pid" || status=$?\n'
    'while kill -0 "$pid" 2>/dev/null; do # a trap ended the wait\n'
    '  status=0\n  wait "$pid" || status=$?\ndone\n'
    f'{again if scheduler == "slurm" else ""}exit "$status"\n'
  )


def _collect(phase: Phase, workdir: pathlib.Path) -> str:
  command = _command(workdir).format(prefix="exec ")
  return f"{command} \\\n  --collect={shlex.quote(phase.name)}\n"


SUBMIT = {
  "slurm": {
    "first": "sbatch --parsable {script}",
    "after_all": 'sbatch --parsable --dependency="afterany:$job" {script}',
    "after": 'sbatch --parsable --dependency="afterok:$job" {script}',
    "number": 'job=${job%%;*} # of "number;cluster"',
  },
  "lsf": {
    "first": "bsub < {script}",
    "after_all": 'bsub -w "ended($job)" < {script}',
    "after": 'bsub -w "done($job)" < {script}',
    "number": "job=${job#*<} job=${job%%>*} # of Job <number> is submitted",
  },
}


def _submission(
  folder: pathlib.Path, names: list[str], scheduler: Scheduler
) -> str:
  """Each job with the one before as its condition."""
  calls, how = SUBMIT[scheduler], "first"
  lines = []
  for name in names:
    for stem, kind in ((name, how), (f"{name}-collect", "after_all")):
      script = shlex.quote(str(folder / f"{stem}.sh"))
      lines.append(f"job=$({calls[kind].format(script=script)})")
      lines += [calls["number"], f'echo "$job" {shlex.quote(stem)}']
    how = "after"
  return "#!/usr/bin/env bash\nset -euo pipefail\n\n" + "\n".join(lines) + "\n"

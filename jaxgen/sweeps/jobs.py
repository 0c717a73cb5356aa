"""Job scripts of a sweep for a cluster's scheduler: SLURM or LSF.

Each phase is an array with one job per run, and a job that waits until all of
them have ended, successfully or not, and decides the phase; the array of the
next phase waits for its success. `submit.sh` submits them in this order.
"""

from __future__ import annotations

import dataclasses
import os
import pathlib
import shlex
import signal
import subprocess
import sys
from typing import Literal

from jaxgen.errors import UserError, exit_status
from jaxgen.formats.atomic import replacing
from jaxgen.sweeps.spec import Phase, Sweep
from jaxgen.sweeps.worker import STOPPED

Scheduler = Literal["slurm", "lsf"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class JobOptions:
  """The resources of each job.

  Attributes:
    queue: partition or queue; empty: the site's default.
    memory: memory in GB.
    hours: time limit; a run that is not finished by then is requeued.
    gpu: a type of GPU, `any`, or empty for none.
    at_a_time: maximum number of concurrent jobs of an array; 0: all.
    extra: additional scheduler directives.
  """

  queue: str = ""
  memory: int = 32
  hours: int = 24
  gpu: str = ""
  at_a_time: int = 0
  extra: tuple[str, ...] = ()


def write_jobs(
  sweep: Sweep,
  workdir: pathlib.Path,
  *,
  scheduler: Scheduler,
  options: JobOptions,
) -> pathlib.Path:
  """Write the scripts of all phases to `WORKDIR/jobs`; returns `submit.sh`.

  Raises:
    UserError: an option or a path that is not printable.
  """
  folder = workdir.resolve() / "jobs"
  _check_printable(options, folder)
  header = {"slurm": _slurm_header, "lsf": _lsf_header}[scheduler]
  no_gpu = dataclasses.replace(options, gpu="")
  for phase in sweep.phases:
    name, count = phase.name, len(phase.runs)
    lines = header(options, folder=folder, name=name, count=count)
    array = _array_body(phase, workdir, scheduler=scheduler)
    _write(folder / f"{name}.sh", lines + array)
    lines = header(no_gpu, folder=folder, name=f"{name}-collect", count=0)
    _write(folder / f"{name}-collect.sh", lines + _collect_body(phase, workdir))
  names = [phase.name for phase in sweep.phases]
  script = folder / "submit.sh"
  _write(script, _submission(folder, names, scheduler=scheduler))
  script.chmod(0o755)
  return script


def submit(script: pathlib.Path) -> int:
  """Submit all jobs to the scheduler; returns the script's exit status."""
  return subprocess.run(["bash", script], check=False).returncode


def _write(path: pathlib.Path, text: str) -> None:
  with replacing(path) as file:
    file.write(text.encode(errors="surrogateescape"))


def _check_printable(options: JobOptions, folder: pathlib.Path) -> None:
  """Raise a UserError for a text that would not stay on its line. Bytes of
  paths that are not UTF-8 do."""
  texts = {
    "--queue": (options.queue,),
    "--gpu": (options.gpu,),
    "--job_option": options.extra,
    "--workdir": (str(folder),),
    "current folder": (os.getcwd(),),
  }
  for name, values in texts.items():
    for value in values:
      plain = os.fsencode(value).decode(errors="ignore")
      if not plain.isprintable():
        raise UserError(f"{name}={value!r}: expected printable characters.")


def _option(text: str) -> str:
  """A scheduler option, such as `-P "my project"`, with its words quoted."""
  try:
    return shlex.join(shlex.split(text))
  except ValueError as e:
    raise UserError(f"--job_option={text}: {e}.") from e


def _job_name(name: str) -> str:
  """A job name, restricted to characters that schedulers accept."""
  return "".join(x if x.isalnum() or x in "_-." else "_" for x in name)


def _slurm_header(
  options: JobOptions, *, folder: pathlib.Path, name: str, count: int
) -> str:
  """The head of the script of a job, or of an array of `count` jobs."""
  job, gpu = _job_name(name), options.gpu
  lines = [f"--job-name={job}", "--nodes=1", "--ntasks=1", "--requeue"]
  lines += [f"--mem={options.memory}G", f"--time={options.hours}:00:00"]
  queue, gpus = map(shlex.quote, (options.queue, f"{gpu}:1"))
  lines += [f"--partition={queue}"] if options.queue else []
  lines += [f"--gpus={'1' if gpu == 'any' else gpus}"] if gpu else []
  if count:
    limit = f"%{options.at_a_time}" if options.at_a_time else ""
    lines += [f"--array=0-{count - 1}{limit}", "--signal=B:TERM@120"]
  lines.append("--open-mode=append")
  log = "%x-%A_%a.log" if count else "%x-%j.log"
  lines.append(f"--output={shlex.quote(f'{folder}/{log}')}")
  return _header("#SBATCH ", [*lines, *map(_option, options.extra)])


def _lsf_header(
  options: JobOptions, *, folder: pathlib.Path, name: str, count: int
) -> str:
  """The head of the script of a job, or of an array of `count` jobs."""
  job, gpu = _job_name(name), options.gpu
  if count:
    limit = f"%{options.at_a_time}" if options.at_a_time else ""
    job = f"{job}[1-{count}]{limit}"
  lines = [f'-J "{job}"', "-n 1", f"-M {options.memory}GB"]
  lines += [f'-R "rusage[mem={options.memory}GB]"', f"-W {options.hours}:00"]
  lines += [f"-q {shlex.quote(options.queue)}"] if options.queue else []
  model = "" if gpu == "any" else f":gmodel={gpu}"
  lines += [f"-gpu {shlex.quote(f'num=1{model}')}"] if gpu else []
  lines += ["-r", f"-Q {STOPPED}", "-wa TERM", "-wt 2"] if count else []
  log = "%J_%I.log" if count else "%J.log"
  path = f"{folder}/{_job_name(name)}-{log}"
  lines.append(f"-o {shlex.quote(path)}")
  return _header("#BSUB ", [*lines, *map(_option, options.extra)])


def _header(prefix: str, lines: list[str]) -> str:
  directives = "".join(f"{prefix}{line}\n" for line in lines)
  return f"#!/usr/bin/env bash\n{directives}set -euo pipefail\n\n"


def _command(workdir: pathlib.Path, prefix: str = "") -> str:
  cwd = shlex.quote(os.getcwd())
  python, folder = map(shlex.quote, (sys.executable, str(workdir.resolve())))
  return f"cd {cwd}\n{prefix}{python} -m jaxgen sweep --workdir={folder}"


def _array_body(
  phase: Phase, workdir: pathlib.Path, *, scheduler: Scheduler
) -> str:
  """The body of a run's job. On SIGTERM, shortly before the time limit, the run
  saves a checkpoint and the job is requeued."""
  runs = " ".join(shlex.quote(f"{phase.name}/{run}") for run in phase.runs)
  index = "SLURM_ARRAY_TASK_ID" if scheduler == "slurm" else "LSB_JOBINDEX - 1"
  early = exit_status(signal.SIGTERM)  # before it handles signals
  requeue = (
    f"if ((status == {STOPPED})); then\n"
    '  scontrol requeue "${SLURM_ARRAY_JOB_ID}_$SLURM_ARRAY_TASK_ID"\nfi\n'
  )
  return (
    f"runs=({runs})\n"
    "trap 'kill -TERM $(jobs -p) 2>/dev/null || true' TERM\n"
    f'{_command(workdir)} \\\n  --only="${{runs[{index}]}}" &\npid=$!\n'
    'status=0\nwait "$pid" || status=$?\n'
    'while kill -0 "$pid" 2>/dev/null; do # a trap ended the wait\n'
    '  status=0\n  wait "$pid" || status=$?\ndone\n'
    f"if ((status == {early})); then status={STOPPED}; fi\n"
    f'{requeue if scheduler == "slurm" else ""}exit "$status"\n'
  )


def _collect_body(phase: Phase, workdir: pathlib.Path) -> str:
  command = _command(workdir, prefix="exec ")
  return f"{command} \\\n  --collect={shlex.quote(phase.name)}\n"


SUBMIT = {
  "slurm": {
    "first": "sbatch --parsable {script}",
    "after_any": 'sbatch --parsable --dependency="afterany:$job" {script}',
    "after_ok": 'sbatch --parsable --dependency="afterok:$job" {script}',
    "parse_id": 'job=${job%%;*} # of "number;cluster"',
  },
  "lsf": {
    "first": "bsub < {script}",
    "after_any": 'bsub -w "ended($job)" < {script}',
    "after_ok": 'bsub -w "done($job)" < {script}',
    "parse_id": "job=${job#*<} job=${job%%>*} # of Job <number> is submitted",
  },
}


def _submission(
  folder: pathlib.Path, names: list[str], *, scheduler: Scheduler
) -> str:
  """A script that submits each job with a dependency on the previous one."""
  commands, dependency = SUBMIT[scheduler], "first"
  lines = []
  for name in names:
    jobs = {name: dependency, f"{name}-collect": "after_any"}
    for job, key in jobs.items():
      script = shlex.quote(str(folder / f"{job}.sh"))
      lines.append(f"job=$({commands[key].format(script=script)})")
      lines += [commands["parse_id"], f'echo "$job" {shlex.quote(job)}']
    dependency = "after_ok"
  return "#!/usr/bin/env bash\nset -euo pipefail\n\n" + "\n".join(lines) + "\n"

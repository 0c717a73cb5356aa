"""Runs of a phase on this machine, each a process of its own."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import pathlib
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping

from jaxgen.sweeps.folder import RunFolder
from jaxgen.sweeps.worker import STOPPED, last_line, log_path

EVERY = 0.1  # seconds between two looks at the processes


@dataclasses.dataclass
class Asked:
  """Whether the sweep was asked to stop, and how often."""

  times: int = 0


@dataclasses.dataclass(kw_only=True)
class Job:
  """A run's process."""

  name: str
  folder: RunFolder
  slot: int
  process: subprocess.Popen
  start: float


def run_all(
  workdir: pathlib.Path,
  todo: Mapping[str, RunFolder],
  *,
  parallel: int,
  say: Callable[[str], None],
) -> bool:
  """Run what is to be done, at most `parallel` at a time.

  Args:
    workdir: of the sweep.
    todo: folders by `PHASE/RUN`, in their order.
    parallel: processes at a time.
    say: takes a line for each run that begins or ends.

  Returns:
    Whether all were tried; False where SIGTERM or Ctrl-C came, which the runs
    are told: they save a checkpoint first.
  """
  waiting, jobs = list(todo.items()), []
  with _watching() as asked, _ended(jobs):
    told = 0
    while jobs or (waiting and not asked.times):
      while waiting and len(jobs) < parallel and not asked.times:
        slot = min(set(range(parallel)) - {job.slot for job in jobs})
        jobs.append(_start(workdir, *waiting.pop(0), slot, parallel))
        say(f"{jobs[-1].name}: started")
      if asked.times > told:
        told = asked.times
        _tell(jobs, signal.SIGTERM if told == 1 else signal.SIGKILL)
      for job in [x for x in jobs if x.process.poll() is not None]:
        jobs.remove(job)
        say(f"{job.name}: {_end(job, stopping=told > 0)}")
      time.sleep(EVERY)
    return not asked.times


def _start(
  workdir: pathlib.Path, name: str, folder: RunFolder, slot: int, parallel: int
) -> Job:
  folder.path.mkdir(parents=True, exist_ok=True)
  command = [sys.executable, "-m", "jaxgen", "sweep", f"--workdir={workdir}"]
  command += [f"--only={name}", f"--attend={os.getpid()}"]
  with log_path(folder).open("a") as log:
    process = subprocess.Popen(
      command,
      stdin=subprocess.DEVNULL,
      stdout=log,
      stderr=subprocess.STDOUT,
      env=os.environ | devices(slot, parallel, os.environ),
      start_new_session=True,  # Ctrl-C comes here, and is passed on once
    )
  now = time.monotonic()
  return Job(name=name, folder=folder, slot=slot, process=process, start=now)


def devices(
  slot: int, parallel: int, environment: Mapping[str, str]
) -> dict[str, str]:
  """Variables that give each of several processes a GPU, where there are any;
  processes that share one take memory as they need it."""
  named = environment.get("CUDA_VISIBLE_DEVICES")
  found = sorted(p.name[6:] for p in pathlib.Path("/dev").glob("nvidia[0-9]*"))
  gpus = [x for x in named.split(",") if x] if named is not None else found
  if parallel == 1 or not gpus:
    return {}
  given = {"CUDA_VISIBLE_DEVICES": gpus[slot % len(gpus)]}
  shared = {"XLA_PYTHON_CLIENT_PREALLOCATE": "false"}
  return given | (shared if parallel > len(gpus) else {})


def _end(job: Job, *, stopping: bool) -> str:
  """How a run ended; marks it where it has not done so itself."""
  status, outcome = job.process.returncode, job.folder.outcome
  seconds = time.monotonic() - job.start
  if "measures" in outcome:
    return f"finished after {seconds:.0f} s"
  if "error" in outcome:
    return f"failed: {outcome['error']}"
  if status == STOPPED or stopping:
    return "stopped"
  error = last_line(log_path(job.folder).read_text(errors="replace"))
  if status < 0:
    error = f"it was killed by {signal.Signals(-status).name}"
  job.folder.fail(error or f"it ended with status {status}")
  return f"failed: {error}"


def _tell(jobs: list[Job], number: signal.Signals) -> None:
  for job in jobs:
    if job.process.poll() is None:
      job.process.send_signal(number)


@contextlib.contextmanager
def _watching() -> Iterator[Asked]:
  """Count SIGTERM and SIGINT while the block runs."""
  asked = Asked()

  def count(number: int, frame) -> None:
    asked.times += 1

  numbers = (signal.SIGTERM, signal.SIGINT)
  before = [signal.signal(n, count) for n in numbers]
  try:
    yield asked
  finally:
    for number, handler in zip(numbers, before, strict=True):
      signal.signal(number, handler)


@contextlib.contextmanager
def _ended(jobs: list[Job]) -> Iterator[None]:
  """Leave no process behind, whatever happens in the block."""
  try:
    yield
  finally:
    _tell(jobs, signal.SIGKILL)
    for job in jobs:
      job.process.wait()

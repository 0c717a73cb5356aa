"""Local execution of a phase's runs, each in its own process.

Stop signals are counted here rather than by `jaxgen.parallel.preemption`, which
needs JAX: the process of a sweep must not use a device.
"""

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

from jaxgen import progress
from jaxgen.parallel.signals import handling
from jaxgen.sweeps.job_progress import JobProgress
from jaxgen.sweeps.run_folder import RunFolder
from jaxgen.sweeps.worker import STOPPED, last_line

POLL_SECONDS = 0.1


@dataclasses.dataclass
class StopCount:
  """The number of stop signals received, and the last of them."""

  value: int = 0
  last: signal.Signals = signal.SIGTERM

  def handle(self, number: int, frame: object) -> None:
    """Count a signal."""
    self.value += 1
    self.last = signal.Signals(number)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Job:
  """The process of a run."""

  name: str
  folder: RunFolder
  slot: int
  process: subprocess.Popen
  start: float
  progress: JobProgress


def run_all(
  workdir: pathlib.Path,
  todo: Mapping[str, RunFolder],
  *,
  parallel: int,
  log: Callable[[str], None],
) -> signal.Signals | None:
  """Run the runs of a phase, at most `parallel` at a time.

  The first SIGTERM or Ctrl-C is forwarded, and the runs save a checkpoint. A
  second signal kills them.

  Args:
    workdir: the folder of the sweep.
    todo: folders by `PHASE/RUN`, in order.
    parallel: number of concurrent processes.
    log: function that prints a line when a run starts or ends.

  Returns:
    None if all runs have ended; else the signal that stopped them.
  """
  waiting, jobs, stops = list(todo.items()), [], StopCount()
  signals = (signal.SIGTERM, signal.SIGINT)
  reported = progress.loop("sweep", len(todo), unit="runs")
  leftovers = _killing_leftovers(jobs)
  with handling(stops.handle, signals), reported as advance, leftovers:
    passed_on = 0
    while jobs or (waiting and not stops.value):
      while waiting and len(jobs) < parallel and not stops.value:
        name, folder = waiting.pop(0)
        slot = min(set(range(parallel)) - {job.slot for job in jobs})
        jobs.append(
          _start(workdir, name, folder=folder, slot=slot, parallel=parallel)
        )
        log(f"{name}: started")
      if stops.value > passed_on:
        passed_on = stops.value
        _send(jobs, signal.SIGTERM if passed_on == 1 else signal.SIGKILL)
      for job in [x for x in jobs if x.process.poll() is not None]:
        jobs.remove(job)
        job.progress.close()
        advance()
        log(f"{job.name}: {_outcome(job, stopping=passed_on > 0)}")
      for job in jobs:
        job.progress.update()
      time.sleep(POLL_SECONDS)
    return stops.last if stops.value else None


def _start(
  workdir: pathlib.Path,
  name: str,
  *,
  folder: RunFolder,
  slot: int,
  parallel: int,
) -> Job:
  folder.path.mkdir(parents=True, exist_ok=True)
  command = [sys.executable, "-m", "jaxgen", "sweep", f"--workdir={workdir}"]
  command += [f"--only={name}", f"--parent_pid={os.getpid()}"]
  with folder.log_path.open("a") as output:
    process = subprocess.Popen(
      command,
      stdin=subprocess.DEVNULL,
      stdout=output,
      stderr=subprocess.STDOUT,
      env=os.environ | devices(slot, parallel, environment=os.environ),
      start_new_session=True,  # Ctrl-C reaches only this process
    )
  return Job(
    name=name,
    folder=folder,
    slot=slot,
    process=process,
    start=time.monotonic(),
    progress=JobProgress(name, folder),
  )


def devices(
  slot: int, parallel: int, *, environment: Mapping[str, str]
) -> dict[str, str]:
  """Environment variables that assign a GPU to each of several processes, if
  there are any; processes that share a GPU do not preallocate its memory."""
  visible = environment.get("CUDA_VISIBLE_DEVICES")
  present = sorted(
    x.name.removeprefix("nvidia")
    for x in pathlib.Path("/dev").glob("nvidia[0-9]*")
  )
  gpus = present if visible is None else [x for x in visible.split(",") if x]
  if parallel == 1 or not gpus:
    return {}
  variables = {"CUDA_VISIBLE_DEVICES": gpus[slot % len(gpus)]}
  if parallel > len(gpus):
    variables["XLA_PYTHON_CLIENT_PREALLOCATE"] = "false"
  return variables


def _outcome(job: Job, *, stopping: bool) -> str:
  """A description of how a run ended; marks it as failed if its process could
  not do so."""
  status, outcome = job.process.returncode, job.folder.outcome
  seconds = time.monotonic() - job.start
  if "measures" in outcome:
    return f"finished after {seconds:.0f} s"
  if "error" in outcome:
    return f"failed: {outcome['error']}"
  if status == STOPPED or stopping:
    return "stopped"
  error = last_line(job.folder.log_path.read_text(errors="replace"))
  if status < 0:
    error = f"killed by {signal.Signals(-status).name}"
  job.folder.mark_failed(error or f"exit status {status}")
  return f"failed: {error}"


def _send(jobs: list[Job], number: signal.Signals) -> None:
  for job in jobs:
    if job.process.poll() is None:
      job.process.send_signal(number)


@contextlib.contextmanager
def _killing_leftovers(jobs: list[Job]) -> Iterator[None]:
  """Kill the remaining processes at the end of the block."""
  try:
    yield
  finally:
    _send(jobs, signal.SIGKILL)
    for job in jobs:
      job.process.wait()

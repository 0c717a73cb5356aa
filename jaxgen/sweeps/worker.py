"""One run of a sweep, from its training to its measures, in one process."""

from __future__ import annotations

import os
import pathlib
import threading
import time

from jaxgen.errors import RunError, UserError
from jaxgen.sweeps.folder import RunFolder, hold

STOPPED = 99  # exit status of a run that was asked to stop, and saved


def work(run: RunFolder) -> int:
  """Train and measure, or go on with it; a finished run is left alone.

  Returns:
    0, or STOPPED where it was asked to stop.

  Raises:
    Whatever the training raises; the run is then marked as failed, but where
    another process works on it.
  """
  with hold(run.path, "process of a sweep"):
    state = run.state
    if state == "finished":
      print(f"{run.path} is finished.")
      return 0
    if state == "failed":
      raise UserError(f"{run.path} has failed before: --retry_failed tries it.")
    try:
      return _train_and_measure(run)
    except Exception as e:
      run.fail(_reason(e))
      raise


def _train_and_measure(run: RunFolder) -> int:
  from jaxgen.api import train
  from jaxgen.config.parse import parse
  from jaxgen.sweeps.measure import measure

  if not train(parse(run.config), run.path):
    return STOPPED
  run.finish(measure(run.path))
  return 0


def _reason(error: Exception) -> str:
  """One line: of our own errors all, remedy included, else the last one."""
  if isinstance(error, UserError | RunError):
    return " ".join(str(error).split())
  return last_line(str(error)) or type(error).__name__


def last_line(text: str) -> str:
  """The last line of a text that is not empty."""
  lines = [line.strip() for line in text.splitlines() if line.strip()]
  return lines[-1] if lines else ""


def attend(parent: int, every: float = 0.2) -> None:
  """End this process as soon as another one is its parent, which is when the
  sweep that started it has died."""

  def watch() -> None:
    while os.getppid() == parent:
      time.sleep(every)
    os._exit(1)

  threading.Thread(target=watch, daemon=True).start()


def log_path(run: RunFolder) -> pathlib.Path:
  """Where what a run says is kept."""
  return run.path / "log.txt"

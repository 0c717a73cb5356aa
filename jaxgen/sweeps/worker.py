"""Execution of a sweep's run in this process: training, then measurement."""

from __future__ import annotations

import os
import threading
import time

from jaxgen.errors import Interrupted, RunError, UserError
from jaxgen.sweeps.folder import hold
from jaxgen.sweeps.run_folder import RunFolder

STOPPED = 99  # exit status of a run that a signal stopped; it can be resumed


def run(folder: RunFolder) -> int:
  """Train and measure a run, or resume it; a finished run is not changed.

  Returns:
    0, or STOPPED after a signal.

  Raises:
    Exception: any error in training, which marks the run as failed.
    UserError: the run has failed before, or another process is working on it.
  """
  with hold(folder.path, holder="process of a sweep"):
    state = folder.state
    if state == "finished":
      print(f"{folder.path} is finished.")
      return 0
    if state == "failed":
      raise UserError(
        f"{folder.path} has failed before: use --retry_failed to run it again."
      )
    try:
      return _train_and_measure(folder)
    except Interrupted as e:
      print(e)
      return STOPPED
    except Exception as e:
      folder.mark_failed(_one_line(e))
      raise


def _train_and_measure(folder: RunFolder) -> int:
  from jaxgen.api import train_until
  from jaxgen.config.parse import parse
  from jaxgen.parallel.preemption import watching
  from jaxgen.sweeps.measure import measure_run

  with watching(lambda _: STOPPED) as stop:
    if not train_until(stop, parse(folder.config), folder.path):
      return STOPPED
  folder.mark_finished(measure_run(folder.path))
  return 0


def _one_line(error: Exception) -> str:
  """An error on one line: the whole message of a UserError or RunError, which
  includes the remedy, else the last line."""
  if isinstance(error, UserError | RunError):
    return " ".join(str(error).split())
  return last_line(str(error)) or type(error).__name__


def last_line(text: str) -> str:
  """The last nonempty line of a text."""
  lines = [line.strip() for line in text.splitlines() if line.strip()]
  return lines[-1] if lines else ""


def exit_with_parent(pid: int, *, poll_seconds: float = 0.2) -> None:
  """Exit as soon as the parent of this process, the sweep, has died."""

  def watch() -> None:
    while os.getppid() == pid:
      time.sleep(poll_seconds)
    os._exit(1)

  threading.Thread(target=watch, daemon=True).start()

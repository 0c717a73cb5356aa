"""Progress of the runs of a sweep, read from their metrics."""

from __future__ import annotations

import contextlib
import time

from jaxgen import progress
from jaxgen.config.parse import parse
from jaxgen.errors import UserError
from jaxgen.sweeps.run_folder import RunFolder
from jaxgen.workdir import metrics_csv

SECONDS = 2.0  # between readings


class JobProgress:
  """The progress of a run that another process trains, reported as a loop of
  its images; of unknown length if its config does not parse."""

  def __init__(self, name: str, folder: RunFolder):
    self._folder, self._seen, self._next = folder, 0, 0.0
    self._resources = contextlib.ExitStack()
    loop = progress.loop(name, _total(folder))
    self._advance = self._resources.enter_context(loop)

  def update(self) -> None:
    """Report the images seen, now and then."""
    now = time.monotonic()
    if now < self._next:
      return
    self._next = now + SECONDS
    newest = metrics_csv.latest(metrics_csv.read(self._folder.path))
    images = int(newest.get("images", 0))
    if images > self._seen:
      self._advance(images - self._seen)
      self._seen = images

  def close(self) -> None:
    """End the report."""
    self._resources.close()


def _total(folder: RunFolder) -> int:
  try:
    return parse(folder.config).ends[-1]
  except UserError:
    return 0

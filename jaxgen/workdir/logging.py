"""Writers of a run's metrics and pictures: `metrics.csv`, TensorBoard, and
further loggers."""

from __future__ import annotations

import contextlib
import csv
import io
import pathlib
import socket
import time
from collections.abc import Sequence

import numpy as np
from tensorboardX import summary
from tensorboardX.proto.event_pb2 import (
  Event,  # pyright: ignore[reportAttributeAccessIssue]
  SessionLog,  # pyright: ignore[reportAttributeAccessIssue]
)
from tensorboardX.record_writer import RecordWriter

from jaxgen.errors import writing
from jaxgen.formats.atomic import replacing
from jaxgen.workdir import metrics_csv
from jaxgen.workdir.loggers import Guarded


class EventLog:
  """A file of TensorBoard events, written synchronously.

  tensorboardX's own SummaryWriter writes in a thread behind a queue: on a full
  disk the thread dies, and the training run waits forever.
  """

  def __init__(self, folder: pathlib.Path, *, step: int):
    """Start a file; readers drop events of older files past `step`."""
    self._folder = folder
    with writing(folder):
      folder.mkdir(exist_ok=True)
      now = time.time_ns()  # two starts in a second must not share a file
      name = f"events.out.tfevents.{now // 10**9}.{socket.gethostname()}.{now}"
      self._file = RecordWriter(str(folder / name))
    self._write(Event(file_version="brain.Event:2"))
    self._write(
      Event(step=step + 1, session_log=SessionLog(status=SessionLog.START))
    )

  def _write(self, event: Event) -> None:
    event.wall_time = time.time()
    with writing(self._folder):
      self._file.write(event.SerializeToString())

  def scalars(self, step: int, values: dict[str, float]) -> None:
    """Write the scalars of one step; they are on disk when this returns."""
    for name, value in values.items():
      self._write(Event(step=step, summary=summary.scalar(name, value)))
    with writing(self._folder):
      self._file.flush()

  def image(self, step: int, name: str, picture: np.ndarray) -> None:
    """Write a uint8 `(h, w, c)` picture."""
    content = summary.image(name, picture, dataformats="HWC")
    self._write(Event(step=step, summary=content))

  def close(self) -> None:
    """Flush and close."""
    with writing(self._folder), contextlib.closing(self._file):
      self._file.flush()


class MetricLog:
  """The log of a run: `metrics.csv`, one row per step, TensorBoard, and what
  else it is given (`workdir.loggers`).

  On resume, rows past the restored step are dropped, so that every step has one
  row. A damaged file, of which more would be lost, is reported and kept as
  `metrics.csv.damaged`. Columns may be added at any time; the file is then
  rewritten.
  """

  def __init__(
    self,
    workdir: pathlib.Path,
    *,
    step: int,
    loggers: Sequence[Guarded] = (),
  ):
    self._loggers = loggers
    self._path = workdir / metrics_csv.NAME
    if reason := metrics_csv.damage(self._path, step=step):
      _keep_damaged(self._path, reason)
    rows = metrics_csv.read_text_rows(self._path)
    self._rows = [row for row in rows if int(row["step"]) <= step]
    self._columns = list(self._rows[0]) if self._rows else []
    self._rewrite()
    self._events = EventLog(workdir / "tensorboard", step=step)

  def _rewrite(self) -> None:
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, self._columns)
    writer.writeheader()
    writer.writerows(self._rows)
    with replacing(self._path) as file:
      file.write(text.getvalue().encode())

  def scalars(self, step: int, values: dict[str, float]) -> None:
    """Add to a step's row and to TensorBoard; both are on disk on return."""
    row = {"step": str(step)} | {k: f"{v:.7g}" for k, v in values.items()}
    new = [k for k in row if k not in self._columns]
    self._columns += new
    if self._rows and self._rows[-1]["step"] == row["step"]:
      self._rows[-1] |= row
      self._rewrite()
    else:
      self._rows.append(row)
      self._rewrite() if new else self._append(row)
    self._events.scalars(step, values)
    for logger in self._loggers:
      logger.scalars(step, values)

  def _append(self, row: dict[str, str]) -> None:
    with writing(self._path), self._path.open("a", newline="") as file:
      csv.DictWriter(file, self._columns).writerow(row)

  def image(self, step: int, name: str, picture: np.ndarray) -> None:
    """Write a uint8 `(h, w, c)` picture to all but `metrics.csv`."""
    self._events.image(step, name, picture)
    for logger in self._loggers:
      logger.image(step, name, picture)

  def close(self) -> None:
    """Flush and close."""
    self._events.close()
    for logger in self._loggers:
      logger.close()


def _keep_damaged(path: pathlib.Path, reason: str) -> None:
  """Report a damaged file, and copy it to a new name."""
  copy = path.with_name(f"{path.name}.damaged")
  while copy.exists():
    copy = copy.with_name(f"{copy.name}-again")
  with replacing(copy) as file:
    file.write(path.read_bytes())
  print(f"{path.name} is damaged ({reason}); a copy is kept as {copy.name}.")

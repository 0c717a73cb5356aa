"""Where a run's numbers and pictures go: CSV, TensorBoard and the terminal."""

from __future__ import annotations

import contextlib
import csv
import pathlib
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
from PIL import Image
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn
from tensorboardX import summary
from tensorboardX.event_file_writer import EventsWriter
from tensorboardX.proto.event_pb2 import (
  Event,  # pyright: ignore[reportAttributeAccessIssue]
  SessionLog,  # pyright: ignore[reportAttributeAccessIssue]
)

from jaxgen.errors import writing
from jaxgen.files import replacing
from jaxgen.train.rows import read_rows
from jaxgen.train.times import duration


class Board:
  """TensorBoard events, written when they are given.

  tensorboardX's own SummaryWriter writes in a thread behind a queue: on a full
  disk the thread dies, and the training waits for it for ever.
  """

  def __init__(self, folder: pathlib.Path, *, step: int):
    """Start a file; readers forget what others there say past `step`."""
    self._folder = folder
    with writing(folder):
      folder.mkdir(exist_ok=True)
      name = f".{time.time_ns()}"  # else two starts in a second share a file
      self._file = EventsWriter(str(folder / "events"), name)
    self._write(
      Event(step=step + 1, session_log=SessionLog(status=SessionLog.START))
    )

  def _write(self, event: Event) -> None:
    event.wall_time = time.time()
    with writing(self._folder):
      self._file.write_event(event)

  def scalars(self, step: int, values: dict[str, float]) -> None:
    """The points of one step, on disk when this returns."""
    for name, value in values.items():
      self._write(Event(step=step, summary=summary.scalar(name, value)))
    with writing(self._folder):
      self._file.flush()

  def image(self, step: int, name: str, picture: np.ndarray) -> None:
    """A uint8 `(h, w, c)` picture."""
    content = summary.image(name, picture, dataformats="HWC")
    self._write(Event(step=step, summary=content))

  def close(self) -> None:
    """Flush and close."""
    with writing(self._folder):
      self._file.close()


class MetricLog:
  """Scalars to `metrics.csv` (one row a step) and to TensorBoard.

  After a resume the rows past the restored step are dropped, so that every step
  stands once. Columns may appear at any time; the file is then rewritten.
  """

  def __init__(self, workdir: pathlib.Path, *, step: int):
    self._path = workdir / "metrics.csv"
    self._rows = [r for r in read_rows(self._path) if int(r["step"]) <= step]
    self._columns = list(self._rows[0]) if self._rows else []
    self._rewrite()
    self._board = Board(workdir / "tensorboard", step=step)

  def _rewrite(self) -> None:
    part = self._path.with_suffix(".part")
    with writing(self._path):
      with part.open("w", newline="") as file:
        writer = csv.DictWriter(file, self._columns)
        writer.writeheader()
        writer.writerows(self._rows)
      part.replace(self._path)

  def scalars(self, step: int, values: dict[str, float]) -> None:
    """Add to the row of a step, and to TensorBoard; both are then on disk."""
    row = {"step": str(step)} | {k: f"{v:.7g}" for k, v in values.items()}
    new = [k for k in row if k not in self._columns]
    self._columns += new
    if self._rows and self._rows[-1]["step"] == row["step"]:
      self._rows[-1] |= row
      self._rewrite()
    else:
      self._rows.append(row)
      self._rewrite() if new else self._append(row)
    self._board.scalars(step, values)

  def _append(self, row: dict[str, str]) -> None:
    with writing(self._path), self._path.open("a", newline="") as file:
      csv.DictWriter(file, self._columns).writerow(row)

  def image(self, step: int, name: str, picture: np.ndarray) -> None:
    """A uint8 `(h, w, c)` picture to TensorBoard."""
    self._board.image(step, name, picture)

  def close(self) -> None:
    """Flush and close."""
    self._board.close()


class Terminal:
  """A live line on a terminal; plain lines where the output is a file."""

  def __init__(
    self, *, images: int, total: int, stages: int, quiet: bool = False
  ):
    self._console = Console(highlight=False, soft_wrap=True, quiet=quiet)
    self._total, self._stages = total, stages
    self._live = Progress(
      BarColumn(24),
      TextColumn("{task.description}"),
      console=self._console,
      disable=not self._console.is_terminal,
    )
    self._task = self._live.add_task("compiling", total=total, completed=images)
    self._mark = (time.monotonic(), images)
    self._speed = 0.0
    self._live.start()

  def say(self, text: str) -> None:
    """A line that stays."""
    self._console.print(text, markup=False)

  def speed(self, images: int) -> float:
    """Images per second since the last call."""
    now = time.monotonic()
    then, before = self._mark
    if images > before:
      self._speed = (images - before) / max(now - then, 1e-9)
    self._mark = (now, images)
    return self._speed

  @contextlib.contextmanager
  def paused(self) -> Iterator[None]:
    """Do not count the time in this block as training time."""
    start = time.monotonic()
    yield
    then, images = self._mark
    self._mark = (then + time.monotonic() - start, images)

  def progress(self, images: int, step: int, stage: int, values: dict) -> None:
    """Show where the run is."""
    speed = values.get("images_per_second", 0.0)
    left = duration((self._total - images) / speed) if speed else "?"
    numbers = "  ".join(
      f"{name} {values[key]:.{digits}f}"
      for name, key, digits in _SHOWN
      if key in values
    )
    where = f"stage {stage + 1}/{self._stages}  " if self._stages > 1 else ""
    line = (
      f"{where}step {step}  {images:,}/{self._total:,} images  "
      f"{speed:.0f} images/s  {left} left  {numbers}"
    )
    self._live.update(self._task, completed=images, description=line)
    if self._live.disable:
      self.say(line)

  def close(self) -> None:
    """Leave the terminal as it was."""
    self._live.stop()


_SHOWN = (("loss", "loss", 4), ("held-out PSNR", "validation/psnr", 2))


def grid(rows: Any, gap: int = 2, least: int = 96) -> np.ndarray:
  """Images uint8 `(rows, columns, h, w, c)` as one picture `(H, W, 3)`.

  Small images are shown larger, by a whole factor, up to about `least` pixels.
  """
  rows = np.asarray(rows)
  zoom = max(1, least // rows.shape[2])
  rows = rows.repeat(zoom, 2).repeat(zoom, 3)
  if rows.shape[-1] not in (1, 3):
    rows = rows[..., :1]
  rows = np.pad(
    rows, ((0, 0), (0, 0), (0, gap), (0, gap), (0, 0)), constant_values=255
  )
  r, n, h, w, c = rows.shape
  picture = rows.swapaxes(1, 2).reshape(r * h, n * w, c)[:-gap, :-gap]
  return np.broadcast_to(picture, (*picture.shape[:2], 3))


def write_png(path: pathlib.Path, picture: np.ndarray) -> None:
  """Write a uint8 `(h, w, c)` picture, in one atomic step; of other than 1 or 3
  channels the first."""
  picture = picture if picture.shape[-1] == 3 else picture[..., :1]
  grey = picture.shape[-1] == 1
  image = Image.fromarray(np.squeeze(picture, -1) if grey else picture)
  with replacing(path) as file:
    image.save(file, format="PNG")

"""Where a run's numbers and pictures go: CSV, TensorBoard and the terminal."""

from __future__ import annotations

import csv
import pathlib
import time
from typing import Any

import numpy as np
from PIL import Image
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn
from tensorboardX import SummaryWriter


class MetricLog:
  """Scalars to `metrics.csv` (one row a report) and to TensorBoard.

  After a resume the rows past the restored step are dropped, so that every step
  stands once. Columns may appear at any time; the file is then rewritten.
  """

  def __init__(self, workdir: pathlib.Path, *, step: int):
    self._path = workdir / "metrics.csv"
    self._rows = [r for r in self._read() if int(r["step"]) <= step]
    self._columns = list(self._rows[0]) if self._rows else []
    self._rewrite()
    self._board = SummaryWriter(
      str(workdir / "tensorboard"), purge_step=step + 1
    )

  def _read(self) -> list[dict[str, str]]:
    if not self._path.exists():
      return []
    with self._path.open(newline="") as file:
      rows = csv.DictReader(file)
      return [r for r in rows if (r.get("step") or "").isdigit()]

  def _rewrite(self) -> None:
    part = self._path.with_suffix(".part")
    with part.open("w", newline="") as file:
      writer = csv.DictWriter(file, self._columns)
      writer.writeheader()
      writer.writerows(self._rows)
    part.replace(self._path)

  def scalars(self, step: int, values: dict[str, float]) -> None:
    """Write one row and its TensorBoard points, and flush both."""
    row = {"step": str(step)} | {k: f"{v:.7g}" for k, v in values.items()}
    self._rows.append(row)
    new = [k for k in row if k not in self._columns]
    if new:
      self._columns += new
      self._rewrite()
    else:
      with self._path.open("a", newline="") as file:
        csv.DictWriter(file, self._columns).writerow(row)
    for name, value in values.items():
      self._board.add_scalar(name, value, step)
    self._board.flush()

  def image(self, step: int, name: str, grid: np.ndarray) -> None:
    """A uint8 `(h, w, c)` picture to TensorBoard."""
    self._board.add_image(name, grid, step, dataformats="HWC")

  def text(self, name: str, text: str) -> None:
    """A text, such as the config, to TensorBoard."""
    self._board.add_text(name, f"<pre>{text}</pre>", 0)

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

  def skip(self) -> None:
    """Do not count the time since the last report as training time."""
    self._mark = (time.monotonic(), self._mark[1])

  def progress(self, images: int, step: int, stage: int, values: dict) -> None:
    """Show where the run is."""
    speed = values.get("images_per_second", 0.0)
    left = _duration((self._total - images) / speed) if speed else "?"
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


def _duration(seconds: float) -> str:
  minutes, seconds = divmod(int(seconds), 60)
  hours, minutes = divmod(minutes, 60)
  return (
    f"{hours}:{minutes:02}:{seconds:02}"
    if hours
    else (f"{minutes}:{seconds:02}")
  )


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
  """Write a uint8 `(h, w, 1 or 3)` picture, in one atomic step."""
  path.parent.mkdir(parents=True, exist_ok=True)
  part = path.with_suffix(".part")
  Image.fromarray(
    np.squeeze(picture, -1) if picture.shape[-1] == 1 else picture
  ).save(part, format="PNG")
  part.replace(path)

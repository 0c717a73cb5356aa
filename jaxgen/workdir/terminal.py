"""Display of a run's progress in the terminal."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Mapping

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn
from rich.table import Column

from jaxgen.progress import Loop
from jaxgen.workdir.duration import duration


def describe(loop: Loop, now: float) -> str:
  """A loop in words: what it does, finished items, and the time left or, while
  that is not known, the time so far."""
  left = loop.left(now)
  parts = [loop.label]
  if loop.total:
    parts[0] += f" {loop.done:,}/{loop.total:,} {loop.unit}"
  if left is not None:
    parts.append(f"{duration(left)} left")
  elif now - loop.start >= 1:
    parts.append(f"{duration(now - loop.start)} so far")
  return ", ".join(parts)


class Terminal:
  """A live progress line on a terminal; plain lines if output is a file."""

  def __init__(
    self, *, images: int, total: int, stages: int, quiet: bool = False
  ):
    self._console = Console(highlight=False, soft_wrap=True, quiet=quiet)
    self._total, self._stages = total, stages
    self._live = Progress(
      BarColumn(16),
      TextColumn("{task.description}", table_column=Column(overflow="fold")),
      console=self._console,
      disable=not self._console.is_terminal,
    )
    self._line = "starting"
    self._task = self._live.add_task(self._line, total=total, completed=images)
    self._last = (time.monotonic(), images)
    self._speed = 0.0
    self._live.start()

  def say(self, text: str) -> None:
    """Print a permanent line."""
    self._console.print(text, markup=False)

  def show_loops(self, loops: tuple[Loop, ...]) -> None:
    """Show what is done between steps, such as an evaluation."""
    now = time.monotonic()
    line = ": ".join(describe(loop, now) for loop in loops) or self._line
    self._live.update(self._task, description=line)

  def restart(self, images: int) -> None:
    """Measure the speed from now on, `images` into the run."""
    self._last = (time.monotonic(), images)

  def speed(self, images: int) -> float:
    """The images per second since the last call."""
    now = time.monotonic()
    last_time, last_images = self._last
    if images > last_images:
      self._speed = (images - last_images) / max(now - last_time, 1e-9)
    self._last = (now, images)
    return self._speed

  @contextlib.contextmanager
  def paused(self) -> Iterator[None]:
    """Exclude the time of the block from the speed."""
    start = time.monotonic()
    yield
    last_time, images = self._last
    self._last = (last_time + time.monotonic() - start, images)

  @contextlib.contextmanager
  def compiling(self, what: str) -> Iterator[None]:
    """Say that the block compiles something, and then how long it took."""
    self.say(f"compiling {what} ...")
    self._live.update(self._task, description=f"compiling {what}")
    start = time.monotonic()
    yield
    self.say(f"compiled in {time.monotonic() - start:.1f} s")

  def progress(
    self,
    images: int,
    step: int,
    stage: int,
    values: Mapping[str, float],
    *,
    steps: Mapping[str, int],
    loss: str = "loss",
  ) -> None:
    """Show the position and the newest metrics of the run.

    Args:
      images: images seen.
      step: the current step.
      stage: index of the current stage.
      values: newest value of each metric.
      steps: the steps that the values belong to; earlier ones are shown.
      loss: what the loss is.
    """
    speed = values.get("images_per_second", 0.0)
    left = duration((self._total - images) / speed) if speed else "?"
    shown = (
      (loss, "loss", 4),
      ("held-out PSNR", "validation/psnr", 2),
      ("held-out energy, dB", "validation/energy_db", 2),
    )
    numbers = "  ".join(
      f"{name} {values[key]:.{digits}f}{_age(steps[key], step)}"
      for name, key, digits in shown
      if key in values
    )
    position = f"stage {stage + 1}/{self._stages}  " if self._stages > 1 else ""
    line = (
      f"{position}step {step}  {images:,}/{self._total:,} images  "
      f"{speed:,.4g} images/s  {left} left  {numbers}"
    )
    self._line = line
    self._live.update(self._task, completed=images, description=line)
    if self._live.disable:
      self.say(line)

  def close(self) -> None:
    """End the live line."""
    self._live.stop()


def _age(step: int, current: int) -> str:
  """The step of a value that is not of the current step."""
  return "" if step == current else f" (step {step})"

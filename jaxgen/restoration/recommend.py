"""The resolution to restore at, by a table of measured restorations.

Nothing is guessed: between measured numbers of photons the table is
interpolated, beyond them the nearest measured one is taken, and said.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Literal

from jaxgen.restoration.resolutions import Row, Table, interpolate

Preference = Literal["quality", "balanced", "speed"]
# Loss against the least affordable error, in dB, for which time is saved.
TOLERANCES: dict[Preference, float] = {
  "quality": 0.0,
  "balanced": 0.1,
  "speed": 0.5,
}


class Unaffordable(ValueError):
  """No resolution is within the limits.

  Attributes:
    reason: the message without the limits; it names the cheapest resolution.
  """

  def __init__(self, limits: str, reason: str):
    super().__init__(f"{limits}: {reason}")
    self.reason = reason


@dataclasses.dataclass(frozen=True, kw_only=True)
class Recommendation:
  """A resolution, and what it is expected to cost.

  Attributes:
    row: the row of the resolution, interpolated.
    loss: loss against the best resolution, limits aside, in dB.
    best: the best resolution, limits aside.
    notes: what a user should know about the prediction.
  """

  row: Row
  loss: float
  best: int
  notes: tuple[str, ...] = ()

  @property
  def resolution(self) -> int:
    """The side of the restored tiles in pixels."""
    return self.row.resolution

  def __str__(self) -> str:
    return (
      f"{self.resolution} pixels: {self.row.psnr:.2f} dB expected,"
      f" {self.loss:.2f} dB below the best ({self.best} pixels),"
      f" {self.row.seconds:.3g} s, {self.row.bytes / 2**20:.4g} MiB"
    )


def recommend(
  table: Table,
  photons: float,
  *,
  read_noise: float,
  background: float | None = None,
  max_seconds: float | None = None,
  max_bytes: int | None = None,
  preference: Preference = "quality",
) -> Recommendation:
  """The affordable resolution with the least expected error.

  Args:
    table: the measured restorations.
    photons: electrons of a white pixel of full resolution, above black.
    read_noise: standard deviation of the read noise in electrons.
    background: electrons of a black pixel; None: that of the table.
    max_seconds, max_bytes: limits; None: none.
    preference: `quality`: the least error; `balanced`, `speed`: the fastest
      resolution within 0.1 or 0.5 dB of it.

  Raises:
    Unaffordable: a limit cannot be met; it names the cheapest resolution.
    ValueError: numbers that no sensor has, or an unknown preference.
  """
  _check(photons, read_noise, preference)
  dark = table.background if background is None else background
  equal = table.equal_photons(photons, dark + read_noise**2)
  notes = _notes(table, equal, photons)
  within = min(max(equal, table.photons[0]), table.photons[-1])
  rows = [interpolate(table.of(x), within) for x in table.resolutions]
  best = min(rows, key=lambda x: x.mse)
  affordable = _affordable(rows, max_seconds, max_bytes)
  chosen = _preferred(affordable, TOLERANCES[preference])
  return Recommendation(
    row=chosen,
    loss=best.psnr - chosen.psnr,
    best=best.resolution,
    notes=notes,
  )


def _preferred(rows: Sequence[Row], tolerance: float) -> Row:
  """The fastest of the rows within `tolerance` dB of the least error."""
  limit = min(x.mse for x in rows) * 10 ** (tolerance / 10)
  return min((x for x in rows if x.mse <= limit), key=lambda x: x.seconds)


def _affordable(
  rows: Sequence[Row], max_seconds: float | None, max_bytes: int | None
) -> list[Row]:
  fits = [
    x
    for x in rows
    if (max_seconds is None or x.seconds <= max_seconds)
    and (max_bytes is None or x.bytes <= max_bytes)
  ]
  if fits:
    return fits
  limits = {"max_seconds": max_seconds, "max_bytes": max_bytes}
  given = [f"{k}={v:g}" for k, v in limits.items() if v is not None]
  by_memory = max_seconds is None
  least = min(rows, key=lambda x: x.bytes if by_memory else x.seconds)
  raise Unaffordable(
    " and ".join(given),
    f"no resolution is within; the cheapest, {least.resolution} pixels, takes"
    f" {least.seconds:.3g} s and {least.bytes / 2**20:.4g} MiB",
  )


def _notes(table: Table, equal: float, photons: float) -> tuple[str, ...]:
  low, high = table.photons[0], table.photons[-1]
  if low * (1 - 1e-6) <= equal <= high * (1 + 1e-6):
    return ()
  end = low if equal < low else high
  said = (
    "" if abs(equal / photons - 1) < 0.01 else f" (as noisy as {equal:.3g})"
  )
  return (
    f"{photons:.3g} photons{said} are outside of the table, {low:g} to"
    f" {high:g}: the row of {end:g} is taken, nothing is extrapolated",
  )


def _check(photons: float, read_noise: float, preference: str) -> None:
  if not 0 < photons < float("inf"):
    raise ValueError(f"photons={photons}: expected a number above 0")
  if not 0 <= read_noise < float("inf"):
    raise ValueError(f"read_noise={read_noise}: expected 0 or more")
  if preference not in TOLERANCES:
    names = ", ".join(TOLERANCES)
    raise ValueError(f"preference={preference}: must be one of {names}")

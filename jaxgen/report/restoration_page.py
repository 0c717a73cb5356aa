"""The page on restored images: how they agree with their counts, and
pictures."""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from jaxgen import pictures
from jaxgen.images import visible
from jaxgen.report import html
from jaxgen.report.html import Cell
from jaxgen.sample.restoration_checks import Check
from jaxgen.sample.restored import Restoration

LEAST, SIDE = 160, 320  # longer side of an image in a picture
UNKNOWN = (178, 24, 43)  # RGB of standard deviations that are not known
DARK, BRIGHT = 0.001, 0.999  # quantiles of the mean shown as black and white


class Heading(NamedTuple):
  """The title of a column, and the format of its values."""

  title: str
  form: str


COLUMNS = {
  "chi_squared_mean": Heading("chi-squared of the mean", ".3f"),
  "chi_squared_samples": Heading("of samples", ".3f"),
  "autocorrelation": Heading("lag-1 autocorrelation", "+.3f"),
  "electrons_at_white": Heading("electrons at white", ".4g"),
  "electrons_mean": Heading("on average", ".4g"),
  "saturated": Heading("saturated", ".2%"),
  "unseen": Heading("NaN", ".2%"),
}
EXPLANATION = (
  "Chi-squared is the mean square of the residuals, counts minus what the"
  " result expects, divided by their standard deviation: about 1, that of the"
  " mean a little less, if camera and prior are right; 1 does not prove it."
  " Residuals of neighbors that are correlated show structure that the result"
  " lacks."
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Restored:
  """One restored image on the page.

  Attributes:
    name: its name.
    check: its agreement with the counts.
    notes: what a user should know about the reading.
    cells: small pictures by label; empty: it is not shown.
  """

  name: str
  check: Check
  notes: tuple[str, ...] = ()
  cells: Mapping[str, np.ndarray] = dataclasses.field(default_factory=dict)


def write_page(
  path: pathlib.Path,
  restored: Sequence[Restored],
  *,
  facts: Mapping[str, str],
) -> None:
  """Write the page.

  Args:
    path: path of the page.
    restored: the images.
    facts: what holds for all of them, by name.
  """
  head = ["image", *(x.title for x in COLUMNS.values())]
  parts = [
    html.heading("Agreement with the counts"),
    html.paragraph(EXPLANATION, "soft"),
    html.table(head, [_row(x) for x in restored], sorts=True),
    *_warnings(restored),
    html.heading("Images"),
    *(html.figure(picture([x]), x.name) for x in restored if x.cells),
  ]
  html.write_page(path, "Restoration", parts, facts=facts)


def picture(restored: Sequence[Restored]) -> np.ndarray:
  """The cells of images below each other, in labeled columns."""
  shown = [x for x in restored if x.cells]
  columns = {label: [x.cells[label] for x in shown] for label in shown[0].cells}
  return pictures.labeled_columns(columns, most=SIDE)


def cells(
  numbers: np.ndarray,
  restoration: Restoration,
  index: int,
  *,
  channels: Sequence[int] = (),
) -> dict[str, np.ndarray]:
  """Input, mean, standard deviation and a sample of image `index` as pictures:
  all but the standard deviation, which is red where it is not known, with the
  same black and white; `channels` as in `images.visible`."""
  mean, std = restoration.mean[index], restoration.std
  low, high = np.quantile(visible(mean, channels), (DARK, BRIGHT))
  found = {"input": numbers[index], "mean": mean}
  if restoration.samples is not None:
    found["one sample"] = restoration.samples[0][index]
  found = {k: visible(x, channels) for k, x in found.items()}
  found = {k: _shown(x, low, high) for k, x in found.items()}
  if std is not None:
    deviation = visible(std[index], channels)
    known = deviation[np.isfinite(deviation)]
    top = float(np.quantile(known, BRIGHT)) if known.size else 1.0
    found["std (0 to largest)"] = _marked(
      _shown(deviation, 0, top), _shown(np.isnan(deviation), 0, 1)
    )
  return found


def _marked(shown: np.ndarray, unknown: np.ndarray) -> np.ndarray:
  """A picture `(h, w, c)`, red where another one, of what is unknown in any
  channel, is not black."""
  where = unknown.max(-1, keepdims=True) > 0
  if not where.any():
    return shown
  return np.where(where, np.array(UNKNOWN, np.uint8), shown)


def _shown(x: np.ndarray, low: float, high: float) -> np.ndarray:
  """Numbers as uint8, NaN as black."""
  share = (np.nan_to_num(x, nan=low) - low) / max(high - low, 1e-9)
  levels = (255 * np.clip(share, 0, 1)).round().astype(np.uint8)
  return pictures.shown(levels, least=LEAST, most=SIDE)


def _row(restored: Restored) -> list[Cell]:
  values = dataclasses.asdict(restored.check)
  found = [Cell(text=restored.name, value=restored.name)]
  for name, heading in COLUMNS.items():
    value = values[name]
    text = "" if value is None else format(value, heading.form)
    found.append(Cell(text=text, value=value))
  return found


def _warnings(restored: Sequence[Restored]) -> list[str]:
  """Warnings and notes, each once with the images that it is about."""
  about: dict[str, list[str]] = {}
  for x in restored:
    for warning in x.check.warnings:
      about.setdefault(f"Warning: {warning}.", []).append(x.name)
    for note in x.notes:
      about.setdefault(f"Note: {note}.", []).append(x.name)
  lines = [f"{k} ({', '.join(v)})" for k, v in about.items()]
  head = [html.heading("Warnings and notes")] if lines else []
  return head + [html.paragraph(line) for line in lines]

"""The report section on held-out images: reconstructions of each run, with
enlarged crops."""

from __future__ import annotations

import pathlib
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from PIL import Image

from jaxgen.formats.npz import open_npz
from jaxgen.report import charts, html

SIDE = 128  # maximum side of an image in pixels
SHOWN = 92  # side of an image in CSS pixels
ZOOM = 4  # magnification of the crops
WHITE = 255


class HeldOut(NamedTuple):
  """Held-out images uint8 `(n, h, w, 3)` and their reconstructions."""

  originals: np.ndarray
  reconstructions: np.ndarray


class Window(NamedTuple):
  """The top left corner of a crop."""

  top: int
  left: int


def held_out_section(
  folder: pathlib.Path, runs: Sequence[str], numbers: Mapping[str, int]
) -> list[str]:
  """The parts of a page: the originals of the first run and, below them, the
  reconstructions of each run; a crop of each image on the right.

  Args:
    folder: folder of the phase, with a folder for each run.
    runs: names of the runs.
    numbers: numbers of the runs, for their colors.
  """
  files = {run: read_images(folder / run / "images.npz") for run in runs}
  images = {run: x for run, x in files.items() if x is not None}
  if not images:
    return []
  originals = next(iter(images.values())).originals
  windows = detailed_windows(originals)
  rows = [_row("original", originals, windows)]
  for run, (run_originals, reconstructions) in images.items():
    same = run_originals.shape == originals.shape
    color = charts.color(numbers[run])
    run_windows = windows if same else detailed_windows(run_originals)
    rows.append(_row(run, reconstructions, run_windows, color=color))
  return [
    html.heading("Held-out images"),
    html.paragraph(
      "Right: crops of a quarter of the side, where the originals have most "
      f"fine detail, enlarged {ZOOM} times.",
      "soft",
    ),
    "".join(rows),
  ]


def read_images(path: pathlib.Path) -> HeldOut | None:
  """The images saved by a run; None if there are none."""
  try:
    with open_npz(path) as file:
      return HeldOut(_rgb(file["originals"]), _rgb(file["reconstructions"]))
  except Exception:  # missing or damaged: numpy raises many types
    return None


def _rgb(images: np.ndarray) -> np.ndarray:
  if images.shape[-1] == 3:
    return images
  return np.repeat(images[..., :1], 3, axis=-1)


def detailed_windows(images: np.ndarray) -> list[Window]:
  """The window of each image, a quarter of its side, with the largest
  differences of neighboring pixels; the first one in a tie."""
  windows = []
  for image in images.astype(np.float64):
    h, w = image.shape[:2]
    high, wide = max(h // ZOOM, 1), max(w // ZOOM, 1)
    change = np.zeros((h, w))
    change[1:] += np.abs(np.diff(image, axis=0)).sum(-1)
    change[:, 1:] += np.abs(np.diff(image, axis=1)).sum(-1)
    total = np.pad(change.cumsum(0).cumsum(1), ((1, 0), (1, 0)))
    sums = total[high:, wide:] - total[:-high, wide:]
    sums = sums - total[high:, :-wide] + total[:-high, :-wide]
    top, left = np.unravel_index(sums.argmax(), sums.shape)
    windows.append(Window(int(top), int(left)))
  return windows


def crops(images: np.ndarray, windows: Sequence[Window]) -> np.ndarray:
  """The crops of images at windows, `(n, h / ZOOM, w / ZOOM, 3)`."""
  high, wide = (max(x // ZOOM, 1) for x in images.shape[1:3])
  return np.stack(
    [
      x[top : top + high, left : left + wide]
      for x, (top, left) in zip(images, windows, strict=True)
    ]
  )


def _row(
  name: str,
  images: np.ndarray,
  windows: Sequence[Window],
  *,
  color: str = "",
) -> str:
  whole = strip(np.stack([shrink(x) for x in images]))
  parts = strip(crops(images, windows))
  pictures = [
    f"<img class='exact' alt='{html.text(name)}' "
    f"style='width:{SHOWN * len(images)}px' src='{html.embedded(x)}'>"
    for x in (whole, parts)
  ]
  dot = html.chip(color) if color else ""
  strips = f"<div class='strips'>{''.join(pictures)}</div>"
  return f"<div>{dot}{html.text(name)}{strips}</div>\n"


def shrink(image: np.ndarray) -> np.ndarray:
  """An image reduced to at most `SIDE` pixels on a side."""
  if max(image.shape[:2]) <= SIDE:
    return image
  h, w = (
    max(round(x * SIDE / max(image.shape[:2])), 1) for x in image.shape[:2]
  )
  return np.asarray(Image.fromarray(image).resize((w, h), Image.Resampling.BOX))


def strip(images: np.ndarray) -> np.ndarray:
  """Images in a row, with white lines between them."""
  gap = max(1, images.shape[2] // 32)
  padded = np.pad(
    images, ((0, 0), (0, 0), (0, gap), (0, 0)), constant_values=WHITE
  )
  return np.concatenate(list(padded), axis=1)[:, :-gap]

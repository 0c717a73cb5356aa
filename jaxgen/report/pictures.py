"""The section of a report on held-out images: reconstructed by each run, and a
part of them enlarged."""

from __future__ import annotations

import pathlib
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from PIL import Image

from jaxgen.report import charts, html

SIDE = 128  # pixels of an image, at most
SHOWN = 92  # CSS pixels of an image
ZOOM = 4  # times that the crops are enlarged
WHITE = 255


class HeldOut(NamedTuple):
  """Held-out images uint8 `(n, h, w, 3)`, and their reconstructions."""

  originals: np.ndarray
  reconstructions: np.ndarray


class Window(NamedTuple):
  """The top left corner of a part of an image."""

  top: int
  left: int


def held_out_section(
  folder: pathlib.Path, runs: Sequence[str], numbers: Mapping[str, int]
) -> list[str]:
  """The parts of a page: the originals of the first run and, below them, the
  reconstructions of each run; a crop of each image on the right.

  Args:
    folder: with a folder for each run.
    runs: names of the runs.
    numbers: of the runs, for their colors.
  """
  images = {run: read_images(folder / run / "images.npz") for run in runs}
  kept = {run: x for run, x in images.items() if x is not None}
  if not kept:
    return []
  originals = next(iter(kept.values())).originals
  windows = detailed_windows(originals)
  rows = [_row("original", originals, windows)]
  for run, (own, reconstructions) in kept.items():
    same = own.shape == originals.shape
    color = charts.color(numbers[run])
    places = windows if same else detailed_windows(own)
    rows.append(_row(run, reconstructions, places, color=color))
  return [
    html.heading("Held-out images"),
    html.paragraph(
      f"On the right a quarter of the side, enlarged {ZOOM} times, where the "
      "originals have most fine detail.",
      "soft",
    ),
    "".join(rows),
  ]


def read_images(path: pathlib.Path) -> HeldOut | None:
  """The images that a run kept; None where there are none."""
  try:
    with np.load(path, allow_pickle=False) as file:
      return HeldOut(_rgb(file["originals"]), _rgb(file["reconstructions"]))
  except Exception:  # not there, or damaged: numpy raises many kinds
    return None


def _rgb(images: np.ndarray) -> np.ndarray:
  if images.shape[-1] == 3:
    return images
  return np.repeat(images[..., :1], 3, axis=-1)


def detailed_windows(images: np.ndarray) -> list[Window]:
  """The window of each image, a quarter of its side, in which neighboring
  pixels differ most; ties go to the first."""
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
  """The windows of images, `(n, h / ZOOM, w / ZOOM, 3)`."""
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
  """An image with at most `SIDE` pixels on a side."""
  if max(image.shape[:2]) <= SIDE:
    return image
  h, w = (
    max(round(x * SIDE / max(image.shape[:2])), 1) for x in image.shape[:2]
  )
  return np.asarray(Image.fromarray(image).resize((w, h), Image.Resampling.BOX))


def strip(images: np.ndarray) -> np.ndarray:
  """Images side by side, with a white line between them."""
  gap = max(1, images.shape[2] // 32)
  padded = np.pad(
    images, ((0, 0), (0, 0), (0, gap), (0, 0)), constant_values=WHITE
  )
  return np.concatenate(list(padded), axis=1)[:, :-gap]

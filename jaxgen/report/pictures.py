"""The same held-out images as each run gives them back, and a part of them
enlarged."""

from __future__ import annotations

import pathlib
from collections.abc import Mapping, Sequence

import numpy as np
from PIL import Image

from jaxgen.report import charts, html

SIDE = 128  # pixels of a shown image, at most
ZOOM = 4  # times that the crops are enlarged
WHITE = 255


def held_out(
  folder: pathlib.Path, runs: Sequence[str], numbers: Mapping[str, int]
) -> list[str]:
  """Parts of a page: the originals of the first run and, below them, what each
  run makes of its own; a crop of each beside it."""
  kept = {run: read(folder / run / "images.npz") for run in runs}
  kept = {run: x for run, x in kept.items() if x is not None}
  if not kept:
    return []
  originals = next(iter(kept.values()))[0]
  window = detailed(originals)
  rows = [_row("original", "", originals, window)]
  for run, (own, images) in kept.items():
    colour = charts.colour(numbers[run])
    place = window if own.shape == originals.shape else detailed(own)
    rows.append(_row(run, colour, images, place))
  return [
    html.heading("Held-out images"),
    html.paragraph(
      f"On the right a quarter of the side, enlarged {ZOOM} times, where the "
      "originals have most fine detail.",
      "soft",
    ),
    "".join(rows),
  ]


def read(path: pathlib.Path) -> tuple[np.ndarray, np.ndarray] | None:
  """Originals and reconstructions uint8 `(n, h, w, 3)` that a run kept; None
  where there are none."""
  try:
    with np.load(path, allow_pickle=False) as file:
      return _rgb(file["originals"]), _rgb(file["reconstructions"])
  except Exception:  # not there, or damaged: numpy raises many kinds
    return None


def _rgb(images: np.ndarray) -> np.ndarray:
  if images.shape[-1] == 3:
    return images
  return np.repeat(images[..., :1], 3, axis=-1)


def detailed(images: np.ndarray) -> list[tuple[int, int]]:
  """Top and left of the window, a quarter of the side, in which neighbouring
  pixels of each image differ most; ties go to the first."""
  found = []
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
    found.append((int(top), int(left)))
  return found


def crops(images: np.ndarray, window: list[tuple[int, int]]) -> np.ndarray:
  """The window of each image, `(n, h / ZOOM, w / ZOOM, 3)`."""
  high, wide = (max(x // ZOOM, 1) for x in images.shape[1:3])
  return np.stack(
    [
      x[top : top + high, left : left + wide]
      for x, (top, left) in zip(images, window, strict=True)
    ]
  )


def _row(
  name: str, colour: str, images: np.ndarray, window: list[tuple[int, int]]
) -> str:
  whole = strip(np.stack([small(x) for x in images]))
  parts = strip(crops(images, window))
  shown = [
    f"<img class='exact' alt='{html.text(name)}' "
    f"style='width:{SHOWN * len(images)}px' src='{html.embedded(x)}'>"
    for x in (whole, parts)
  ]
  dot = html.chip(colour) if colour else ""
  strips = f"<div class='strips'>{''.join(shown)}</div>"
  return f"<div>{dot}{html.text(name)}{strips}</div>\n"


SHOWN = 92  # CSS pixels of an image


def small(image: np.ndarray) -> np.ndarray:
  """An image of at most `SIDE` pixels on a side."""
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

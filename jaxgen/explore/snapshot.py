"""A page that shows the latents of an autoencoder without a server: decoded in
advance, to be stepped through."""

from __future__ import annotations

import pathlib
from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float

from jaxgen import progress
from jaxgen.errors import UserError
from jaxgen.explore import space
from jaxgen.images import visible
from jaxgen.latents.interpolation import lerp
from jaxgen.report import html
from jaxgen.sample.autoencoder import AutoencoderRun

STEPS, FAR = 9, 3.0  # of a slider, and its ends in standard deviations
MAP = 15  # images along a side of the map of two components
PAIRS = 6  # of held-out tiles
STYLE = """<style>
.steppers { display: flex; flex-wrap: wrap; gap: 1em; }
.stepper { width: 144px; }
.view { width: 144px; height: 144px; image-rendering: pixelated;
  background-repeat: no-repeat; }
.stepper input { width: 100%; margin: 0; }
.map { image-rendering: pixelated; max-width: 100%; width: 960px; }
</style>
"""
SCRIPT = """<script>
for (const box of document.querySelectorAll(".stepper")) {
  const view = box.querySelector(".view"), input = box.querySelector("input");
  const step = () => view.style.backgroundPosition =
    `${100 * input.value / input.max}% 0`;
  input.oninput = step;
  step();
}
</script>
"""


def write_snapshot(
  path: pathlib.Path, run: AutoencoderRun, *, facts: Mapping[str, str]
) -> None:
  """Write the page: facts, a slider for each principal component, a map of the
  first two, and ways from one held-out tile to another."""
  known = space.fit(run.training_latents)
  with progress.loop("decoding latents"):
    latents = _held_out(run, known)
    strips = [_decoded(run, x) for x in _along(known, latents[0])]
    cells = _decoded(run, _grid(known, latents[0]))
    ways = [_decoded(run, x) for x in _between(latents)]
  titles = [f"component {i + 1}: {x:.1%}" for i, x in enumerate(known.shares)]
  pairs = [f"tile {2 * i + 1} to {2 * i + 2}" for i in range(len(ways))]
  rows = cells.reshape(MAP, MAP, *cells.shape[1:])
  parts = [
    html.paragraph(
      "A held-out tile along the principal components of"
      f" the latents of training tiles, from -{FAR:g} to {FAR:g} standard"
      " deviations, with their share of the variance; decoded in advance.",
      "soft",
    ),
    STYLE,
    html.heading("Principal components"),
    _steppers(strips, titles),
    html.heading("The first component to the right, the second one down"),
    f"<img class='map' alt='a map of two components'"
    f" src='{html.embedded(_picture(_side_by_side(rows)))}'>",
    html.heading("From one held-out tile to another"),
    _steppers(ways, pairs),
    SCRIPT,
  ]
  html.write_page(path, f"Latents of {run.workdir.name}", parts, facts=facts)


def _held_out(
  run: AutoencoderRun, known: space.LatentSpace
) -> Float[np.ndarray, "n d"]:
  """Latents of held-out tiles; of training tiles if the data are elsewhere."""
  try:
    tiles = run.images("validation", 2 * PAIRS)
  except UserError:
    return known.bank[: 2 * PAIRS]
  return run.encode(tiles).reshape(len(tiles), -1).astype(np.float64)


def _along(known: space.LatentSpace, latent: np.ndarray) -> list[np.ndarray]:
  """A latent along each component."""
  at = known.coordinates(latent)
  steps = np.linspace(-FAR, FAR, STEPS)
  return [
    np.stack([known.moved(latent, np.where(axis, x, at)) for x in steps])
    for axis in np.eye(len(at), dtype=bool)
  ]


def _grid(known: space.LatentSpace, latent: np.ndarray) -> np.ndarray:
  """A latent along two components, row by row; along a single one every row is
  the same."""
  at = known.coordinates(latent)
  steps = np.linspace(-FAR, FAR, MAP)
  across, down = np.arange(len(at)) == 0, np.arange(len(at)) == 1
  return np.stack(
    [
      known.moved(latent, np.where(across, x, np.where(down, y, at)))
      for y in steps
      for x in steps
    ]
  )


def _between(latents: np.ndarray) -> list[np.ndarray]:
  """Latents on straight lines, from one to the next, two by two."""
  t = np.linspace(0, 1, STEPS)
  pairs = zip(latents[::2], latents[1::2], strict=False)
  return [np.stack([lerp(a, b, x) for x in t]) for a, b in pairs]


def _decoded(run: AutoencoderRun, latents: np.ndarray) -> np.ndarray:
  """What is shown of decoded latents, `(n, h, w, c)`."""
  shaped = latents.astype(np.float32).reshape(-1, *run.task.latent_shape)
  return visible(run.decode(shaped), run.shown_channels)


def _side_by_side(rows: np.ndarray) -> np.ndarray:
  """Images `(rows, columns, h, w, c)` as one, without gaps."""
  height, width, h, w, c = rows.shape
  return rows.swapaxes(1, 2).reshape(height * h, width * w, c)


def _picture(image: np.ndarray) -> np.ndarray:
  return image[..., 0] if image.shape[-1] == 1 else image


def _steppers(strips: Sequence[np.ndarray], titles: Sequence[str]) -> str:
  """Strips of images, each as one that a slider steps through."""
  boxes = [
    f"<figure class='stepper'><div class='view' style=\"background-image:"
    f" url('{html.embedded(_picture(_side_by_side(strip[None])))}');"
    f' background-size: {len(strip)}00% 100%"></div>'
    f"<input type='range' min='0' max='{len(strip) - 1}'"
    f" value='{len(strip) // 2}' aria-label='{html.text(title)}'>"
    f"<figcaption>{html.text(title)}</figcaption></figure>"
    for strip, title in zip(strips, titles, strict=True)
  ]
  return f"<div class='steppers'>{''.join(boxes)}</div>\n"

"""The kinds of edits of images of any size: masks, canvases and variations.

Images of one size are edited together, those of a tile in one call, larger ones
a few at a time, so that memory and the number of programs are bounded.
"""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from jaxgen.cli import masks
from jaxgen.errors import UserError

if TYPE_CHECKING:
  import numpy as np

  from jaxgen.data.input_tiles import TiledImage
  from jaxgen.sample.denoiser import DenoiserRun
  from jaxgen.sample.options import SamplingKeywords

  Edit = Callable[[Sequence[TiledImage], int], np.ndarray]

CANVASES = 4  # maximum batch size, since a canvas has many windows


class Edited(NamedTuple):
  """An image and what became of it, uint8, for pictures."""

  original: np.ndarray
  result: np.ndarray


class Editor(NamedTuple):
  """A run that edits, with what has been asked of it."""

  model: DenoiserRun
  args: argparse.Namespace
  options: SamplingKeywords
  hints: Sequence[np.ndarray] = ()  # of each image; none if it has no hints

  @property
  def seed(self) -> int:
    """The seed of new pixels."""
    return self.args.seed or 0

  @property
  def corrections(self) -> int:
    """Corrections per network call."""
    from jaxgen.sample.few_steps import corrections_of

    sampler = self.options.get("sampler")
    return corrections_of(self.model, sampler, self.args.corrections)

  def options_of(
    self, part: Sequence[TiledImage], first: int
  ) -> SamplingKeywords:
    """The sampling options of the images from number `first`: with their own
    hints."""
    import numpy as np

    options = self.options.copy()
    if self.hints:
      options["hint"] = np.stack(self.hints[first : first + len(part)])
    return options

  def say_cost(
    self,
    num: int,
    size: tuple[int, int],
    options: SamplingKeywords,
    *,
    corrected: bool,
  ) -> None:
    """Print the number of network calls for images of a size."""
    from jaxgen.windows import window_grid

    side, calls = self.model.resolution, self.model.network_calls(**options)
    grid = window_grid(*size, side=side, overlap=side // 2)
    where = f" of {size[1]:,} x {size[0]:,}, {len(grid):,} windows each,"
    more = f", {self.corrections} corrections each" if corrected else ""
    print(
      f"{num} images{where if len(grid) > 1 else ''} x {calls} network calls"
      + more,
      flush=True,
    )


def edited_size(
  tiles: TiledImage, canvas: tuple[int, int] | None
) -> tuple[int, int]:
  """The (height, width) of what is denoised: the scaled image, or a canvas
  scaled as it is."""
  scaled = tiles.grid.height, tiles.grid.width
  if canvas is None:
    return scaled
  return _scaled(canvas, scaled, scaled if tiles.fit else tiles.image.size)


def size_of(tiles: TiledImage) -> tuple[int, ...]:
  """What images have in common that are edited together."""
  scaled = tiles.grid.height, tiles.grid.width
  return scaled if tiles.fit else (*scaled, *tiles.image.size)


def vary(editor: Editor, tiles: Sequence[TiledImage]) -> Iterator[Edited]:
  """Variations of images, of --strength."""

  def edit(part: Sequence[TiledImage], first: int) -> np.ndarray:
    images = _stack(part)
    options = editor.options_of(part, first)
    editor.say_cost(len(images), images.shape[1:3], options, corrected=False)
    return editor.model.edit(
      images,
      strength=editor.args.strength,
      seed=editor.seed,
      batch=_batch(editor.args, part),
      first=first,
      **options,
    )

  for x, result in _each(tiles, edit):
    yield Edited(_original(x), x.restore(result))


def inpaint(
  editor: Editor, tiles: Sequence[TiledImage], mask: np.ndarray
) -> Iterator[Edited]:
  """Images filled in under --mask."""
  import numpy as np

  from jaxgen.sample import feather
  from jaxgen.sample.inpainting import surroundings

  cell = feather.cell_of(editor.model)
  fitted = masks.fit_masks(mask, tiles, path=editor.args.mask)

  def edit(part: Sequence[TiledImage], first: int) -> np.ndarray:
    images, unknown = _stack(part), fitted[first]
    rows, columns = surroundings(unknown, editor.model.resolution)
    size = rows.stop - rows.start, columns.stop - columns.start
    options = editor.options_of(part, first)
    editor.say_cost(len(images), size, options, corrected=True)
    return editor.model.inpaint(
      images,
      unknown,
      seed=editor.seed,
      batch=_batch(editor.args, part),
      corrections=editor.corrections,
      first=first,
      **options,
    )

  for x, result in _each(tiles, edit):
    original, whole = _original(x), x.restore(result)
    unknown = masks.fit_original(mask, x)
    border = 1 + (cell - 1) * len(unknown) / x.grid.height
    changed = feather.share(unknown[None, ..., None], border)[0] > 0
    yield Edited(original, np.where(changed, whole, original))


def outpaint(
  editor: Editor, tiles: Sequence[TiledImage], size: tuple[int, int]
) -> Iterator[Edited]:
  """Images in the middle of a larger --canvas, (height, width)."""
  from jaxgen.data.resize import resize_to

  _check_canvas(tiles, size)

  def edit(part: Sequence[TiledImage], first: int) -> np.ndarray:
    images = _stack(part)
    canvas = _scaled(size, images.shape[1:3], _original(part[0]).shape[:2])
    options = editor.options_of(part, first)
    editor.say_cost(len(images), canvas, options, corrected=True)
    return editor.model.outpaint(
      images,
      *canvas,
      seed=editor.seed,
      batch=min(editor.args.batch, CANVASES),
      corrections=editor.corrections,
      first=first,
      **options,
    )

  for x, result in _each(tiles, edit):
    original, whole = _original(x), resize_to(result, *size).copy()
    height, width = original.shape[:2]
    top, left = (size[0] - height) // 2, (size[1] - width) // 2
    whole[top : top + height, left : left + width] = original
    yield Edited(original, whole)


def _each(
  tiles: Sequence[TiledImage], edit: Edit
) -> Iterator[tuple[TiledImage, np.ndarray]]:
  """Each image with its result; images of one size are neighbors."""
  first = 0
  for _, group in itertools.groupby(tiles, size_of):
    rest = list(group)
    while rest:
      size = len(rest) if len(rest[0].grid) == 1 else CANVASES
      part, rest = rest[:size], rest[size:]
      yield from zip(part, edit(part, first), strict=True)
      first += len(part)


def _stack(tiles: Sequence[TiledImage]) -> np.ndarray:
  import numpy as np

  return np.stack([x.read() for x in tiles])


def _original(tiles: TiledImage) -> np.ndarray:
  """The image as it is shown: at its own size, or its center square."""
  from jaxgen.images import as_uint8

  return as_uint8(tiles.read() if tiles.fit else tiles.image.read())


def _batch(args: argparse.Namespace, tiles: Sequence[TiledImage]) -> int:
  large = len(tiles[0].grid) > 1
  return min(args.batch, CANVASES) if large else args.batch


def _scaled(
  size: tuple[int, int], scaled: Sequence[int], original: Sequence[int]
) -> tuple[int, int]:
  """The size of a canvas that is scaled as its images are."""
  height, width = (
    round(a * b / c) for a, b, c in zip(size, scaled, original, strict=True)
  )
  return height, width


def _check_canvas(tiles: Sequence[TiledImage], size: tuple[int, int]) -> None:
  for x in tiles:
    side = x.grid.side
    height, width = (side, side) if x.fit else x.image.size
    if height > size[0] or width > size[1]:
      raise UserError(
        f"--canvas: canvas {size[0]} x {size[1]}: expected at least"
        f" {height} x {width}, to contain {x.image.name}."
      )

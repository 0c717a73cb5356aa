"""Pictures for people: labeled rows and columns of images, with gaps.

Images are `(h, w, c)` of any stored type and may differ in size; small ones are
enlarged by an integer, large ones reduced. Pictures are uint8 `(h, w, 3)`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from jaxgen.images import as_uint8, visible

GAP = 6  # pixels around each image
LEAST, MOST = 64, 160  # longer side of a shown image in pixels
TEXT, HEAD = 11, 14  # size of captions and of headings
GROUND = 215  # gray between images

Images = Sequence[np.ndarray] | np.ndarray  # each (h, w, c)


def labeled_rows(
  rows: Mapping[str, Images], *, columns: int = 0, most: int = MOST
) -> np.ndarray:
  """A picture of rows of images, each row below its label.

  Args:
    rows: the images of each row, by its label.
    columns: images in a line; the others follow in lines below. 0: as many as
      the longest row has.
    most: longer side of a large image in the picture.
  """
  cells = {k: [shown(x, most=most) for x in row] for k, row in rows.items()}
  return sections(cells, columns=columns or max(map(len, rows.values())))


def labeled_columns(
  columns: Mapping[str, Images], *, most: int = MOST
) -> np.ndarray:
  """A picture of columns of images, each column below its label."""
  cells = [[shown(x, most=most) for x in column] for column in columns.values()]
  aligned = [_same_height(row) for row in zip(*cells, strict=True)]
  parts = [
    sections({label: column}, columns=1)
    for label, *column in zip(columns, *aligned, strict=True)
  ]
  return np.concatenate(parts, axis=1)


def sections(
  parts: Mapping[str, Sequence[np.ndarray]], *, columns: int
) -> np.ndarray:
  """A picture of parts, each a heading and lines of cells; cells are uint8
  `(h, w, 3)`."""
  cell_width = max(x.shape[1] for cells in parts.values() for x in cells)
  width = max(columns * (cell_width + GAP), *map(_text_width, parts), 0)
  lines = []
  for heading, cells in parts.items():
    lines.append(text_line(heading, width, HEAD))
    lines += [
      _line(cells[i : i + columns], cell_width, width)
      for i in range(0, len(cells), columns)
    ]
  return np.concatenate(lines)


def shown(
  image: np.ndarray, *, least: int = LEAST, most: int = MOST
) -> np.ndarray:
  """An image at a size that can be seen, uint8 `(h, w, 3)`."""
  image = as_rgb(image)
  height, width = image.shape[:2]
  side = max(height, width)
  if side > most:
    size = [max(1, round(x * most / side)) for x in (width, height)]
    return np.asarray(Image.fromarray(image).resize(size))
  zoom = -(-least // side)
  return image.repeat(zoom, 0).repeat(zoom, 1)


def as_rgb(images: np.ndarray) -> np.ndarray:
  """uint8 `(..., 3)` of the channels of `images.visible`."""
  images = as_uint8(visible(images))
  return np.ascontiguousarray(np.broadcast_to(images, (*images.shape[:-1], 3)))


def text_line(text: str, width: int, size: int = TEXT) -> np.ndarray:
  """A line of text, cut at a width in pixels."""
  image = Image.new("RGB", (width, size + 6), (GROUND,) * 3)
  font = ImageFont.load_default(size)
  ImageDraw.Draw(image).text((1, 1), text, fill=(0, 0, 0), font=font)
  return np.asarray(image)


def caption(text: str, width: int) -> np.ndarray:
  """A text in as many lines as it needs at a width in pixels."""
  return np.concatenate([text_line(x, width) for x in _wrapped(text, width)])


def _wrapped(text: str, width: int) -> list[str]:
  """The lines of a text, broken after spaces and `_-/.` where that is possible,
  else anywhere."""
  lines = [""]
  for part in re.findall(r"[^ _/.-]+[ _/.-]*|[ _/.-]+", text) or [""]:
    whole = _text_width(part.rstrip(), TEXT) <= width
    for piece in [part] if whole else part:
      if lines[-1] and _text_width(lines[-1] + piece.rstrip(), TEXT) > width:
        lines.append("")
      lines[-1] += piece
  return lines


def _text_width(text: str, size: int = HEAD) -> int:
  return int(ImageFont.load_default(size).getlength(text)) + 3


def _line(
  cells: Sequence[np.ndarray], cell_width: int, width: int
) -> np.ndarray:
  """Cells beside each other, with gaps above and to the left."""
  wide = [_pad(x, x.shape[0], cell_width) for x in _same_height(cells)]
  padding = ((GAP, 0), (GAP, 0), (0, 0))
  padded = [np.pad(x, padding, constant_values=GROUND) for x in wide]
  line = np.concatenate(padded, axis=1)
  return _pad(line, line.shape[0], width)


def _same_height(cells: Sequence[np.ndarray]) -> list[np.ndarray]:
  height = max(x.shape[0] for x in cells)
  return [_pad(x, height, x.shape[1]) for x in cells]


def _pad(cell: np.ndarray, height: int, width: int) -> np.ndarray:
  """A cell at the top left of a larger one."""
  missing = (height - cell.shape[0], width - cell.shape[1])
  padding = ((0, missing[0]), (0, missing[1]), (0, 0))
  return np.pad(cell, padding, constant_values=GROUND)

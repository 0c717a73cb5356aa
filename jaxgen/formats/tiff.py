"""Pages of TIFF files, also of those types that Pillow does not read.

These are 9 to 15 bits per value, 16-bit gray with alpha, white as zero with 16
bits in big-endian order, 16-bit color in separate planes, and integers and
floats of other sizes.
"""

from __future__ import annotations

import logging
import math
import pathlib
from typing import Any, BinaryIO

import numpy as np
import tifffile

from jaxgen.formats.atomic import replacing
from jaxgen.formats.tiff_metadata import PLAIN, TiffMetadata

# It logs damage that it reads over: `read_page` raises an error for it.
logging.getLogger("tifffile").setLevel(logging.CRITICAL)

_MAGIC = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_PARTIAL = 1 | 4  # NewSubfileType: a reduced version, a transparency mask
_WHITE_IS_ZERO, _BLACK_IS_ZERO, _RGB = 0, 1, 2  # PhotometricInterpretation
_TURNS = {3: 2, 4: 2, 5: 3, 6: 3, 7: 1, 8: 1}  # Orientation: quarter turns
_MIRRORED = (2, 4, 5, 7)  # and then left-right


def is_tiff(file: BinaryIO) -> bool:
  """Whether a file begins as a TIFF."""
  file.seek(0)
  return file.read(4) in _MAGIC


def pages(file: BinaryIO) -> tuple[int, ...]:
  """The pages of a file, without thumbnails and masks of transparency."""
  file.seek(0)
  with tifffile.TiffFile(file) as tiff:
    all_pages: Any = tiff.pages
    kinds = [int(page.aspage().subfiletype) for page in all_pages]
  whole = tuple(i for i, kind in enumerate(kinds) if not kind & _PARTIAL)
  return whole or (0,)


def read_page(file: BinaryIO, page: int, *, max_pixels: int) -> np.ndarray:
  """The values of a page (h, w, c), upright, with black as the lowest.

  Alpha is dropped. Values of 9 to 15 bits are scaled to 16.

  Raises:
    Exception: any of tifffile's: the file is damaged; ValueError: the page is
      too large or of a type that is not supported.
  """
  file.seek(0)
  with tifffile.TiffFile(file) as tiff:
    opened = tiff.pages[page].aspage()
    if opened.imagewidth * opened.imagelength > max_pixels:
      raise ValueError(f"expected at most {max_pixels} pixels")
    kind = int(opened.photometric)
    if kind not in (_WHITE_IS_ZERO, _BLACK_IS_ZERO, _RGB):
      raise ValueError(f"TIFF with PhotometricInterpretation {kind}")
    if len(opened.dataoffsets) != math.prod(opened.chunked):
      raise ValueError("the TIFF is damaged: some of its strips are missing")
    values = _channels_last(opened, _values(opened))
    values = values[..., : 3 if kind == _RGB else _num_gray(opened)]
    if kind == _WHITE_IS_ZERO:
      values = _inverted(values)
    tag = opened.tags.get("Orientation")
    return _upright(values, int(tag.value) if tag else 1)


def scale_to_16_bits(values: np.ndarray, bits: int) -> np.ndarray:
  """Values of `bits` bits as uint16, with white as 65535."""
  scaled = values.astype(np.uint32) * 65535 + (2**bits - 1) // 2
  return (scaled // (2**bits - 1)).astype(np.uint16)


def _values(page: tifffile.TiffPage) -> np.ndarray:
  bits = page.bitspersample
  if isinstance(bits, int) and 8 < bits < 16:
    return scale_to_16_bits(_unpack(page, bits), bits)
  return page.asarray()


def _unpack(page: tifffile.TiffPage, bits: int) -> np.ndarray:
  """The values of an uncompressed page, packed with the highest bit first; each
  row begins with a byte."""
  if page.compression != 1 or page.is_tiled or page.fillorder != 1:
    raise ValueError(
      f"{bits}-bit TIFF, compressed or in tiles: save it with 16 bits"
    )
  file: Any = page.parent.filehandle
  data = b""
  for offset, count in zip(page.dataoffsets, page.databytecounts, strict=True):
    file.seek(offset)
    data += file.read(count)
  width = page.imagewidth * page.samplesperpixel
  rows = np.frombuffer(data, np.uint8).reshape(page.imagelength, -1)
  flags = np.unpackbits(rows, axis=1)[:, : width * bits]
  weights = 2 ** np.arange(bits, dtype=np.uint16)[::-1]
  values = flags.reshape(page.imagelength, width, bits) @ weights
  return values.reshape(page.imagelength, page.imagewidth, -1)


def _channels_last(page: tifffile.TiffPage, values: np.ndarray) -> np.ndarray:
  if values.ndim == 2:
    return values[..., None]
  if values.ndim != 3:
    raise ValueError(f"expected a page with 2 or 3 axes, got {values.shape}")
  if page.samplesperpixel > 1 and int(page.planarconfig) == 2:
    return np.moveaxis(values, 0, 2)
  return values


def _num_gray(page: tifffile.TiffPage) -> int:
  """The channels of a page without RGB: those that are not alpha."""
  alpha = sum(int(x) in (1, 2) for x in page.extrasamples)
  return page.samplesperpixel - alpha


def _inverted(values: np.ndarray) -> np.ndarray:
  if values.dtype.kind != "u":
    raise ValueError(f"white as zero in values of type {values.dtype}")
  return np.iinfo(values.dtype).max - values


def _upright(values: np.ndarray, orientation: int) -> np.ndarray:
  values = np.rot90(values, _TURNS.get(orientation, 0))
  return values[:, ::-1] if orientation in _MIRRORED else values


def write(
  path: pathlib.Path,
  pages: np.ndarray,
  metadata: TiffMetadata = PLAIN,
  *,
  alpha: bool = False,
) -> None:
  """Write images `(n, h, w, c)`, one a page; more channels than RGB as gray
  with further ones, or with `alpha` the last one as opacity."""
  channels = pages.shape[-1]
  values = pages[..., 0] if channels == 1 else pages
  kind = "rgb" if channels - alpha == 3 else "minisblack"
  order = None if channels == 1 else "contig"
  with replacing(path) as file:
    tifffile.imwrite(
      file,
      values,
      photometric=kind,
      planarconfig=order,
      extrasamples=("unassalpha",) if alpha else None,
      metadata=None,
      **metadata.keywords(pages.dtype),
    )

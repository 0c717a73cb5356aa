"""Listing, checking and reading of image files.

Files are not trusted: `check_files` fully decodes each of them once before
training starts. What is decoded, and how: `image_pixels`.
"""

from __future__ import annotations

import concurrent.futures
import dataclasses
import functools
import hashlib
import pathlib
from collections.abc import Sequence
from typing import BinaryIO

import numpy as np
from PIL import Image, ImageOps

from jaxgen.errors import UserError
from jaxgen.formats import camera_raw, fits, image_pixels
from jaxgen.formats.file_tree import files_below

SUFFIXES = (
  ".png",
  ".jpg",
  ".jpeg",
  ".jfif",
  ".jpe",
  ".jp2",
  ".webp",
  ".tif",
  ".tiff",
  ".bmp",
  ".gif",
  ".ppm",
  ".pgm",
  *fits.SUFFIXES,
  *camera_raw.SUFFIXES,
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class ImageInfo:
  """Size, type, values and digest of an image, from a full decode.

  Attributes:
    height, width: after the EXIF orientation.
    bits: of an integer as it is stored, at least 8; 0: floating point.
    digest: hash of the pixels, to recognize duplicates in other files.
    dtype: name of the stored type.
    channels: number of stored channels, without alpha.
    low, high: smallest and largest stored value.
    pages: the pages of the file that are images.
    note: what a user should know about the reading; empty: nothing.
    labels: of a label image, the number of pixels with each label, as text.
  """

  height: int
  width: int
  bits: int
  digest: str
  dtype: str = "uint8"
  channels: int = 3
  low: float = 0.0
  high: float = 255.0
  pages: tuple[int, ...] = (0,)
  note: str = ""
  labels: dict[str, int] = dataclasses.field(default_factory=dict)


def list_images(root: pathlib.Path) -> list[pathlib.Path]:
  """The image files below a folder, sorted; see `file_tree.files_below`."""
  return files_below(root, SUFFIXES)


def decode(data: bytes, *, bits: int) -> np.ndarray:
  """Decode the bytes of an image file with 8 or 16 bits per value.

  Args:
    data: the content of the file.
    bits: 16 scales 8-bit files to uint16 (255 and 65535 are white); 8 keeps
      the upper 8 bits of 16-bit files.

  Returns:
    (h, w, c), uint8 in [0, 255] or uint16 in [0, 65535].

  Raises:
    Exception: as `image_pixels.read`; ValueError for other types of values.
  """
  values = image_pixels.read(data).values
  if values.dtype.name not in ("uint8", "uint16"):
    raise ValueError(f"values of type {values.dtype}, not 8 or 16 bits")
  return image_pixels.to_bits(values, bits)


def decode_labels(data: bytes) -> np.ndarray:
  """Decode a label image to (h, w) int32: the stored values or palette
  indices, up to 16 bits (PNG) or 32 (TIFF).

  Raises:
    Exception: as `decode`; ValueError for a color image.
  """
  image = image_pixels.open_image(data)
  if image.mode not in ("1", "L", "P", "I", *image_pixels.GRAY16):
    raise ValueError(
      f"expected a mask with one channel of labels, got {image.mode}"
    )
  return np.asarray(ImageOps.exif_transpose(image)).astype(np.int32)


def check(data: bytes | BinaryIO, *, page: int = -1) -> ImageInfo:
  """Decode an image, by default its first page, in full and verify its
  checksums; raises as `image_pixels.read`."""
  frames = image_pixels.verify(data)
  pages = image_pixels.pages(data)
  page = pages[0] if page < 0 else page
  if page not in pages:
    raise ValueError(f"no page {page}: it has {len(pages)}")
  pixels = image_pixels.read(data, page=page)
  note = pixels.note
  if frames > 1:
    note = note or f"only the first of {frames} frames is read"
  return dataclasses.replace(_info(pixels.values), pages=pages, note=note)


def check_labels(data: bytes) -> ImageInfo:
  """Decode a label image in full and verify its checksums."""
  image_pixels.verify(data)
  labels = decode_labels(data)
  return dataclasses.replace(_info(labels), bits=16, labels=_counts(labels))


def check_files(
  paths: Sequence[pathlib.Path],
  *,
  threads: int,
  labels: bool = False,
  pages: Sequence[int] = (),
) -> list[ImageInfo | str]:
  """Check files, in about 15 ms per megapixel of JPEG on one core.

  Results are cached in this process by path, size and modification time, so
  that each file is checked once for both splits and all stages.

  Args:
    paths: the files.
    threads: number of threads.
    labels: whether they are label images.
    pages: the page of each file; by default the first.

  Returns:
    For each file its `ImageInfo`, or the reason why it cannot be used.
  """
  places = zip(paths, pages or (-1,) * len(paths), strict=True)
  with concurrent.futures.ThreadPoolExecutor(max(threads, 1)) as pool:
    check = functools.partial(_check_file, labels=labels)
    return list(pool.map(lambda place: check(*place), places))


def read_pixels(
  path: str | pathlib.Path, *, bits: int, page: int = 0
) -> np.ndarray:
  """Decode a file that has passed the check to (h, w, c): `bits` as in
  `decode`; values of types other than 8 and 16 bits are unchanged.

  Raises:
    UserError: it can no longer be decoded.
  """
  try:
    with pathlib.Path(path).open("rb") as file:
      values = image_pixels.read(file, page=page).values
    return image_pixels.to_bits(values, bits)
  except Exception as error:
    raise _changed(path, error) from error


def read_labels(path: str | pathlib.Path) -> np.ndarray:
  """Decode a label image that has passed the check; see `decode_labels`."""
  try:
    return decode_labels(pathlib.Path(path).read_bytes())
  except Exception as error:
    raise _changed(path, error) from error


def reason(error: Exception) -> str:
  """The message of an exception on one line."""
  if isinstance(error, FileNotFoundError):
    return f"no file {pathlib.Path(error.filename).name}"
  if isinstance(error, Image.UnidentifiedImageError):
    return f"not an image of the formats {', '.join(image_pixels.FORMATS)}"
  return " ".join(str(error).split()) or type(error).__name__


def _check_file(path: pathlib.Path, page: int, labels: bool) -> ImageInfo | str:
  try:
    stat = path.stat()
    stamp = stat.st_size, stat.st_mtime_ns
    return _check_once(path, stamp, page=page, labels=labels)
  except Exception as error:
    return reason(error)


def _changed(path: str | pathlib.Path, error: Exception) -> UserError:
  return UserError(
    f"{path} can no longer be read ({reason(error)}): was it changed?"
  )


@functools.cache
def _check_once(
  path: pathlib.Path, stamp: tuple[int, int], *, page: int, labels: bool
) -> ImageInfo:
  del stamp  # part of the cache key
  if labels:
    return check_labels(path.read_bytes())
  with path.open("rb") as file:
    return check(file, page=page)


def _info(pixels: np.ndarray) -> ImageInfo:
  digest = hashlib.blake2b(digest_size=16)
  digest.update(f"{pixels.shape} {pixels.dtype.str}".encode())
  digest.update(np.ascontiguousarray(pixels).data)
  if pixels.dtype.kind == "f" and not np.isfinite(pixels).all():
    raise ValueError("it has values that are not finite")
  return ImageInfo(
    height=pixels.shape[0],
    width=pixels.shape[1],
    bits=0 if pixels.dtype.kind == "f" else 8 * pixels.itemsize,
    digest=digest.hexdigest(),
    dtype=pixels.dtype.name,
    channels=pixels.shape[2] if pixels.ndim == 3 else 1,
    low=float(pixels.min()),
    high=float(pixels.max()),
  )


def _counts(labels: np.ndarray) -> dict[str, int]:
  """The number of pixels with each label, as text."""
  flat = labels.reshape(-1)
  if 0 <= flat.min() and flat.max() < 1 << 16:  # faster than sorting
    counts = np.bincount(flat)
    return {str(label): int(counts[label]) for label in np.flatnonzero(counts)}
  present, counts = np.unique(flat, return_counts=True)
  return dict(zip(map(str, present.tolist()), counts.tolist(), strict=True))

"""Listing, checking and safe decoding of image files.

PNG, JPEG, WebP, TIFF (first page) and BMP of 8 or 16 bits: gray, RGB, RGBA
(alpha is dropped, not blended), palette, CMYK. The EXIF orientation is applied.
Files are not trusted: `check_files` fully decodes each of them once before
training starts.
"""

from __future__ import annotations

import concurrent.futures
import dataclasses
import functools
import hashlib
import io
import pathlib
from collections.abc import Callable, Sequence

import numpy as np
from PIL import Image, ImageOps

from jaxgen.errors import UserError

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".bmp")
_FORMATS = ("PNG", "JPEG", "WEBP", "TIFF", "BMP")
_GRAY16 = ("I;16", "I;16L", "I;16B", "I;16N")
_PLANAR = 284, 2  # TIFF: PlanarConfiguration, separate planes
# PIL decodes 16-bit color to its high bytes; the unpacker of the opposite byte
# order gives the low bytes. "N" is the byte order of the machine.
_LOW_BYTES = {"16B": "16L", "16L": "16B", "16N": "16B"}


@dataclasses.dataclass(frozen=True, kw_only=True)
class ImageInfo:
  """Size, depth and digest of an image file, from a full decode.

  Attributes:
    height, width: after the EXIF orientation.
    bits: 8 or 16.
    digest: hash of the pixels, to recognize duplicates in other files.
    labels: number of pixels with each label, as text, of a label image.
  """

  height: int
  width: int
  bits: int
  digest: str
  labels: dict[str, int] = dataclasses.field(default_factory=dict)


def list_images(root: pathlib.Path) -> list[pathlib.Path]:
  """The image files below a folder, sorted; hidden ones are left out."""
  return sorted(
    path
    for path in root.rglob("*")
    if path.suffix.lower() in SUFFIXES
    and not any(part[0] == "." for part in path.relative_to(root).parts)
    and path.is_file()
  )


def decode(data: bytes, *, bits: int) -> np.ndarray:
  """Decode the bytes of an image file.

  Args:
    data: the content of the file.
    bits: 16 keeps 16-bit files as uint16; 8 keeps their upper 8 bits.

  Returns:
    (h, w, 1) or (h, w, 3), uint8 in [0, 255] or uint16 in [0, 65535].

  Raises:
    Exception: any of PIL's: the file is damaged, too large (PIL's limit
      against decompression bombs) or of an unsupported format.
  """
  image = _open(data)
  if image.mode in _GRAY16:
    pixels = np.asarray(ImageOps.exif_transpose(image)).astype(np.uint16)
  elif _is_deep_color(image) and bits == 16:
    pixels = _deep_color(image, data)
  else:
    pixels = np.asarray(ImageOps.exif_transpose(_to_8_bits(image)))
  if pixels.dtype == np.uint16 and bits == 8:
    pixels = (pixels >> 8).astype(np.uint8)
  return pixels[..., None] if pixels.ndim == 2 else pixels


def decode_labels(data: bytes) -> np.ndarray:
  """Decode a label image to (h, w) int32: the stored values or palette
  indices, up to 16 bits (PNG) or 32 (TIFF).

  Raises:
    Exception: as `decode`; ValueError for a color image.
  """
  image = _open(data)
  if image.mode not in ("1", "L", "P", "I", *_GRAY16):
    raise ValueError(
      f"expected a mask with one channel of labels, got {image.mode}"
    )
  return np.asarray(ImageOps.exif_transpose(image)).astype(np.int32)


def check(data: bytes) -> ImageInfo:
  """Decode an image in full and verify its checksums; raises as `decode`."""
  _open(data).verify()
  pixels = decode(data, bits=16)
  return _info(pixels, bits=8 * pixels.itemsize)


def check_labels(data: bytes) -> ImageInfo:
  """Decode a label image in full and verify its checksums."""
  _open(data).verify()
  labels = decode_labels(data)
  return dataclasses.replace(_info(labels, bits=16), labels=_counts(labels))


def check_files(
  paths: Sequence[pathlib.Path], *, threads: int, labels: bool = False
) -> list[ImageInfo | str]:
  """Check files, in about 15 ms per megapixel of JPEG on one core.

  Results are cached in this process by path, size and modification time, so
  that each file is checked once for both splits and all stages.

  Returns:
    For each file its `ImageInfo`, or the reason why it cannot be used.
  """
  with concurrent.futures.ThreadPoolExecutor(max(threads, 1)) as pool:
    return list(pool.map(lambda path: _check_file(path, labels), paths))


def read_pixels(path: str | pathlib.Path, *, bits: int) -> np.ndarray:
  """Decode a file that has passed the check; see `decode`.

  Raises:
    UserError: it can no longer be decoded.
  """
  return _read(path, lambda data: decode(data, bits=bits))


def read_labels(path: str | pathlib.Path) -> np.ndarray:
  """Decode a label image that has passed the check; see `decode_labels`."""
  return _read(path, decode_labels)


def reason(error: Exception) -> str:
  """The message of an exception on one line."""
  if isinstance(error, FileNotFoundError):
    return f"no file {pathlib.Path(error.filename).name}"
  if isinstance(error, Image.UnidentifiedImageError):
    return f"not an image of the formats {', '.join(_FORMATS)}"
  return " ".join(str(error).split()) or type(error).__name__


def _check_file(path: pathlib.Path, labels: bool) -> ImageInfo | str:
  try:
    stat = path.stat()
    return _check_once(path, stat.st_size, stat.st_mtime_ns, labels)
  except Exception as error:
    return reason(error)


def _read(path: str | pathlib.Path, decoder: Callable) -> np.ndarray:
  try:
    return decoder(pathlib.Path(path).read_bytes())
  except Exception as error:
    raise UserError(
      f"{path} can no longer be read ({reason(error)}): was it changed?"
    ) from error


@functools.cache
def _check_once(path: pathlib.Path, size: int, time: int, labels: bool):
  del size, time  # part of the cache key
  return (check_labels if labels else check)(path.read_bytes())


def _info(pixels: np.ndarray, bits: int) -> ImageInfo:
  digest = hashlib.blake2b(digest_size=16)
  digest.update(f"{pixels.shape} {pixels.dtype.str}".encode())
  digest.update(np.ascontiguousarray(pixels).data)
  return ImageInfo(
    height=pixels.shape[0],
    width=pixels.shape[1],
    bits=bits,
    digest=digest.hexdigest(),
  )


def _counts(labels: np.ndarray) -> dict[str, int]:
  """The number of pixels with each label, as text."""
  flat = labels.reshape(-1)
  if 0 <= flat.min() and flat.max() < 1 << 16:  # faster than sorting
    counts = np.bincount(flat)
    return {str(label): int(counts[label]) for label in np.flatnonzero(counts)}
  present, counts = np.unique(flat, return_counts=True)
  return dict(zip(map(str, present.tolist()), counts.tolist(), strict=True))


def _open(data: bytes) -> Image.Image:
  image = Image.open(io.BytesIO(data), formats=_FORMATS)
  limit = Image.MAX_IMAGE_PIXELS
  if limit is not None and image.width * image.height > limit:
    raise ValueError(
      f"expected at most {limit} pixels (against decompression bombs), got"
      f" {image.width} x {image.height}"
    )
  return image


def _to_8_bits(image: Image.Image) -> Image.Image:
  if image.mode in ("I", "F"):
    raise ValueError("32-bit pixels: use data.source=arrays for such data")
  if image.mode in ("1", "L", "LA"):
    return image.convert("L")
  if image.mode in ("P", "PA", "RGBa"):  # to RGB through RGBA, as PIL advises
    image = image.convert("RGBA")
  return image.convert("RGB")


def _is_deep_color(image: Image.Image) -> bool:
  """Whether a lazily opened RGB or RGBA image has 16 bits per channel."""
  tag, separate = _PLANAR
  tags = getattr(image, "tag_v2", {})
  if (
    16 in tags.get(258, ()) and tags.get(tag) == separate and len(tags[258]) > 1
  ):
    raise ValueError("16-bit TIFF in separate planes: save it interleaved")
  mode = _raw_mode(image)
  return mode.startswith(("RGB;16", "RGBA;16"))


def _raw_mode(image: Image.Image) -> str:
  tiles = getattr(image, "tile", None)
  args = tiles[0].args if tiles else ""
  mode = args[0] if isinstance(args, tuple) and args else args
  return mode if isinstance(mode, str) else ""


def _deep_color(image: Image.Image, data: bytes) -> np.ndarray:
  """Decode 16-bit color to (h, w, 3) uint16, in two passes."""
  low = _open(data)
  low.tile = [_with_low_bytes(tile) for tile in low.tile]  # pyright: ignore
  halves = [np.asarray(ImageOps.exif_transpose(x)) for x in (image, low)]
  high_bytes, low_bytes = (half[..., :3].astype(np.uint16) for half in halves)
  return high_bytes << 8 | low_bytes


def _with_low_bytes(tile):
  whole = isinstance(tile.args, str)
  mode = tile.args if whole else tile.args[0]
  mode = mode[:-3] + _LOW_BYTES[mode[-3:]]
  return tile._replace(args=mode if whole else (mode, *tile.args[1:]))

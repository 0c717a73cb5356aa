"""Safe decoding of image files to arrays, in the type that they store.

PNG, JPEG, JPEG 2000, WebP, TIFF, BMP, GIF and PPM: gray, RGB, RGBA (alpha is
dropped, not blended), palette, CMYK. TIFF has any number of pages and types of
values; of animations the first frame is read. The EXIF orientation is applied,
and ICC profiles are in images of 8 bits. With the extras `astronomy` and `raw`
also FITS and the raw files of cameras: see `fits` and `camera_raw`.
"""

from __future__ import annotations

import dataclasses
import io
from typing import BinaryIO

import numpy as np
from PIL import Image, ImageOps

from jaxgen.formats import camera_raw, color_profiles, fits, tiff

FORMATS = ("PNG", "JPEG", "JPEG2000", "WEBP", "TIFF", "BMP", "GIF", "PPM")
GRAY16 = ("I;16", "I;16L", "I;16B", "I;16N")
_ANIMATED = ("PNG", "WEBP", "GIF")
_BITS, _PHOTOMETRIC, _PLANAR, _EXTRA, _FORMAT = 258, 262, 284, 338, 339  # TIFF
# PIL decodes 16-bit color to its high bytes; the unpacker of the opposite byte
# order gives the low bytes. "N" is the byte order of the machine.
_LOW_BYTES = {"16B": "16L", "16L": "16B", "16N": "16B"}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Pixels:
  """The values of an image (h, w, c), and what was not applied to them.

  Attributes:
    values: (h, w, c): uint8, uint16 or, of a TIFF or FITS, any type of number.
    note: what a user should know about the reading; empty: nothing.
  """

  values: np.ndarray
  note: str = ""


def as_file(data: bytes | BinaryIO) -> BinaryIO:
  """The content of a file, or an open file, as an open file at its start."""
  file = io.BytesIO(data) if isinstance(data, bytes) else data
  file.seek(0)
  return file


def read(data: bytes | BinaryIO, *, page: int = 0) -> Pixels:
  """Decode an image.

  Args:
    data: an open file or its content.
    page: the page of a TIFF.

  Raises:
    Exception: any of PIL's and tifffile's: the file is damaged, too large
      (PIL's limit against decompression bombs) or of an unsupported format.
  """
  file = as_file(data)
  if camera_raw.is_raw(file):
    mosaic = camera_raw.read(file, max_pixels=max_pixels())
    return Pixels(values=mosaic.values, note=mosaic.note)
  if fits.is_fits(file):
    return Pixels(values=fits.read_page(file, page, max_pixels=max_pixels()))
  try:
    image = open_image(file, page)
  except Image.UnidentifiedImageError:
    if not tiff.is_tiff(file):
      raise
    return Pixels(values=_tiff_page(file, page))
  if _is_separate(image) or _has_unnamed_channels(image):
    return Pixels(values=_tiff_page(file, page))
  if image.mode in ("I", "F", *GRAY16) or _sample_format(image) != 1:
    pixels = _numbers(image)
  elif _raw_mode(image) == "LA;16B":
    pixels = _gray_alpha(image)
  elif _raw_mode(image).startswith(("RGB;16", "RGBA;16", "RGBX;16", "RGBa;16")):
    pixels = _deep_color(image, open_image(file, page))
  else:
    return _from_8_bits(image)
  pixels = pixels[..., None] if pixels.ndim == 2 else pixels
  return Pixels(values=pixels, note=_profile_note(image))


def read_alpha(data: bytes | BinaryIO, *, page: int = 0) -> np.ndarray | None:
  """The opacity uint8 `(h, w, 1)` of an image, upright; None if it has none, or
  if Pillow does not read the file."""
  file = as_file(data)
  if camera_raw.is_raw(file) or fits.is_fits(file):
    return None
  try:
    image = ImageOps.exif_transpose(open_image(file, page))
  except Image.UnidentifiedImageError:
    return None
  if image.mode == "P" and "transparency" in image.info:
    image = image.convert("RGBA")
  if not image.mode.endswith(("A", "a")):
    return None
  return np.asarray(image.getchannel(image.getbands()[-1]))[..., None]


def pages(data: bytes | BinaryIO) -> tuple[int, ...]:
  """The pages of an image file: (0,) unless it is a TIFF or FITS."""
  file = as_file(data)
  if camera_raw.is_raw(file):
    return (0,)
  if fits.is_fits(file):
    return fits.pages(file)
  return tiff.pages(file) if tiff.is_tiff(file) else (0,)


def verify(data: bytes | BinaryIO) -> int:
  """Verify the checksums of an image file.

  Returns:
    The number of frames of an animation; 1 for other images.
  """
  file = as_file(data)
  without = camera_raw.is_raw(file), fits.is_fits(file), tiff.is_tiff(file)
  if any(without):
    return 1
  image = open_image(file)
  frames = image.n_frames if image.format in _ANIMATED else 1  # pyright: ignore
  open_image(file).verify()
  return frames


def open_image(data: bytes | BinaryIO, page: int = 0) -> Image.Image:
  """Open an image file of the known formats; it is decoded later.

  Raises:
    Exception: as `read`.
  """
  image = Image.open(as_file(data), formats=FORMATS)
  if page:
    image.seek(page)
  limit = Image.MAX_IMAGE_PIXELS
  if limit is not None and image.width * image.height > limit:
    raise ValueError(
      f"expected at most {limit} pixels (against decompression bombs), got"
      f" {image.width} x {image.height}"
    )
  return image


def to_bits(values: np.ndarray, bits: int) -> np.ndarray:
  """uint8 and uint16 values as unsigned integers of 8 or 16 bits: 255 and 65535
  are both white. Values of other types are unchanged."""
  if values.dtype == np.uint8 and bits == 16:
    return values * np.uint16(257)
  if values.dtype == np.uint16 and bits == 8:
    return (values >> 8).astype(np.uint8)
  return values


def max_pixels() -> int:
  """The largest number of pixels of an image."""
  return Image.MAX_IMAGE_PIXELS or 2**62


def _tiff_page(file: BinaryIO, page: int) -> np.ndarray:
  return tiff.read_page(file, page, max_pixels=max_pixels())


def _from_8_bits(image: Image.Image) -> Pixels:
  profile, note = image.info.get("icc_profile"), ""
  upright = ImageOps.exif_transpose(image)
  if upright.mode in ("1", "L", "LA", "La"):
    upright = upright.convert("L")
  elif upright.mode in ("P", "PA", "RGBa"):  # through RGBA, as PIL advises
    upright = upright.convert("RGBA").convert("RGB")
  elif not (upright.mode == "CMYK" and profile):
    upright = upright.convert("RGB")
  if profile:
    upright, note = color_profiles.to_srgb(upright, profile)
  if upright.mode == "CMYK":
    upright = upright.convert("RGB")
  values = np.asarray(upright)
  return Pixels(
    values=values[..., None] if values.ndim == 2 else values, note=note
  )


def _profile_note(image: Image.Image) -> str:
  profile = image.info.get("icc_profile")
  mode = "RGB" if image.mode.startswith("RGB") else "L"
  if not profile or color_profiles.is_srgb(profile, mode):
    return ""
  return "its ICC profile is not applied (only to images of 8 bits)"


def _numbers(image: Image.Image) -> np.ndarray:
  """Gray values (h, w) of more than 8 bits, or signed."""
  values = np.asarray(ImageOps.exif_transpose(image))
  tags = getattr(image, "tag_v2", {})
  if not tags:
    return values.astype(np.uint16)
  bits, photometric = tags.get(_BITS, (1,))[0], tags.get(_PHOTOMETRIC, 1)
  kind = {1: "uint", 2: "int", 3: "float"}[_sample_format(image)]
  if 8 < bits < 16:
    values = tiff.scale_to_16_bits(values, bits)
  else:
    values = values.astype(f"{kind}{bits}")  # stored as int32: exact
  if photometric == 0 and values.dtype == np.uint16:
    return 65535 - values
  if photometric == 0:
    raise ValueError(f"white as zero in values of type {values.dtype}")
  return values


def _sample_format(image: Image.Image) -> int:
  """TIFF: 1 for unsigned, 2 for signed integers, 3 for floats."""
  return getattr(image, "tag_v2", {}).get(_FORMAT, (1,))[0]


def _is_separate(image: Image.Image) -> bool:
  """Whether a TIFF has 16-bit channels in separate planes."""
  tags = getattr(image, "tag_v2", {})
  bits = tags.get(_BITS, ())
  return 16 in bits and len(bits) > 1 and tags.get(_PLANAR) == 2


def _has_unnamed_channels(image: Image.Image) -> bool:
  """Whether a TIFF has channels besides gray that are not alpha."""
  tags = getattr(image, "tag_v2", {})
  return tags.get(_PHOTOMETRIC) == 1 and 0 in tags.get(_EXTRA, ())


def _raw_mode(image: Image.Image) -> str:
  tiles = getattr(image, "tile", None)
  args = tiles[0].args if tiles else ""
  mode = args[0] if isinstance(args, tuple) and args else args
  return mode if isinstance(mode, str) else ""


def _gray_alpha(image: Image.Image) -> np.ndarray:
  """The gray values of a 16-bit PNG with alpha, (h, w): its four bytes a pixel
  are read as if they were RGBA."""
  image.tile = [tile._replace(args="RGBA") for tile in image.tile]  # pyright: ignore
  bytes_ = np.asarray(ImageOps.exif_transpose(image)).astype(np.uint16)
  return bytes_[..., 0] << 8 | bytes_[..., 1]


def _deep_color(image: Image.Image, again: Image.Image) -> np.ndarray:
  """Decode 16-bit color to (h, w, 3) uint16, in two passes over the image,
  opened twice."""
  again.tile = [_with_low_bytes(tile) for tile in again.tile]  # pyright: ignore
  halves = [np.asarray(ImageOps.exif_transpose(x)) for x in (image, again)]
  high_bytes, low_bytes = (half[..., :3].astype(np.uint16) for half in halves)
  return high_bytes << 8 | low_bytes


def _with_low_bytes(tile):
  whole = isinstance(tile.args, str)
  mode = tile.args if whole else tile.args[0]
  mode = mode[:-3] + _LOW_BYTES[mode[-3:]]
  return tile._replace(args=mode if whole else (mode, *tile.args[1:]))

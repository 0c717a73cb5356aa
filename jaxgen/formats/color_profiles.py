"""Conversion of images of 8 bits from their ICC profile to sRGB."""

from __future__ import annotations

import functools
import io
import itertools
from typing import Any

import numpy as np
from PIL import Image, ImageCms

_SPACES = {"RGB": "RGB", "L": "GRAY", "CMYK": "CMYK"}
_PROBES = (0, 64, 128, 192, 255)  # levels of each channel


def to_srgb(image: Image.Image, profile: bytes) -> tuple[Image.Image, str]:
  """Convert an image of mode L, RGB or CMYK to sRGB.

  Args:
    image: the image.
    profile: its ICC profile.

  Returns:
    The image, of mode L or RGB, and why the profile was not applied; empty: it
    was, or it is sRGB.
  """
  gray = image.mode == "L"
  try:
    if gray and _space(profile) == "RGB":
      image = image.convert("RGB")
    transform = _transform(profile, image.mode)
  except (ImageCms.PyCMSError, OSError, ValueError) as error:
    return image, f"its ICC profile is not applied: {error}"
  if transform is None:
    return image.convert("L" if gray else "RGB"), ""
  converted = ImageCms.applyTransform(image, transform)
  assert converted is not None  # it is only when converted in place
  return converted.getchannel(0) if gray else converted, ""


def is_srgb(profile: bytes, mode: str) -> bool:
  """Whether a profile leaves the colors of sRGB as they are."""
  try:
    return _transform(profile, mode) is None
  except (ImageCms.PyCMSError, OSError, ValueError):
    return False


@functools.lru_cache(maxsize=64)
def _transform(profile: bytes, mode: str) -> ImageCms.ImageCmsTransform | None:
  """The transform to sRGB; None if it changes nothing."""
  space = _space(profile)
  if space != _SPACES.get(mode):
    raise ValueError(f"it is for {space}, the image is {mode}")
  transform = ImageCms.buildTransform(
    ImageCms.ImageCmsProfile(io.BytesIO(profile)),
    ImageCms.createProfile("sRGB"),
    mode,
    "RGB",
  )
  if mode == "CMYK":
    return transform
  levels = np.array(list(itertools.product(_PROBES, repeat=3)), np.uint8)
  levels = levels if mode == "RGB" else levels[:, :1]
  probes = Image.fromarray(levels[None] if mode == "RGB" else levels)
  converted = np.asarray(ImageCms.applyTransform(probes, transform), int)
  change = np.abs(converted.reshape(-1, 3) - levels).max()
  return transform if change > 1 else None


def _space(profile: bytes) -> str:
  """The color space of the values that a profile describes."""
  opened: Any = ImageCms.ImageCmsProfile(io.BytesIO(profile))
  return opened.profile.xcolor_space.strip()

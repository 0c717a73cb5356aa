"""What the page of an explorer shows, and answers to what is done on it.

A session describes itself once (`state`) and then answers actions (`act`), both
as plain data for JSON; pictures are data URLs. All that an answer depends on is
in the request, except for the run.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from typing import Any, Literal, NotRequired, Protocol, TypedDict

import numpy as np
from PIL import Image

from jaxgen.data import resize
from jaxgen.errors import UserError
from jaxgen.images import as_uint8, visible
from jaxgen.report.html import embedded

MAX_PIXELS = 2**24  # of an uploaded image
LEAST = 256  # pixels of the side of a shown image
URL = "data:image/png;base64,"


class Control(TypedDict, total=False):
  """An input of the page: a slider, a list of values, or a button.

  `group` is the heading that it is below, `hint` a text beside it.
  """

  name: str
  label: str
  kind: Literal["range", "select", "number", "button"]
  group: str
  hint: str
  value: Any
  values: Sequence[str]
  min: float
  max: float
  step: float


class Figure(TypedDict):
  """A picture and its caption."""

  label: str
  image: str


class Answer(TypedDict):
  """What changes on the page: figures, lines of text, values of controls, the
  latent or tile that the next action is about, and Python code for the same."""

  figures: list[Figure]
  notes: list[str]
  values: NotRequired[dict[str, Any]]
  latent: NotRequired[list[float]]
  tile: NotRequired[str]
  code: NotRequired[str]


class State(TypedDict):
  """A page before the first action.

  Attributes:
    title, about: of the page.
    controls: its inputs.
    tray: small pictures to begin from.
    slots: names of remembered latents.
    uploads: whether images can be dropped on it.
    paints: whether a mask can be drawn on the first figure.
  """

  title: str
  about: str
  controls: list[Control]
  tray: list[str]
  slots: list[str]
  uploads: bool
  paints: bool


class Session(Protocol):
  """What a page is about."""

  def state(self) -> State:
    """The page before the first action."""
    ...

  def act(self, action: str, given: Mapping[str, Any]) -> Answer:
    """The answer to an action.

    Args:
      action: `start`, `change` (of a control), `tile` (of the tray, by
        `index`), `upload` (of `image`), or the name of a button.
      given: `values` of the controls, `latent`, `slots` and, where it is drawn,
        `mask`.

    Raises:
      UserError: it is none of these.
    """
    ...


def figure(
  label: str, image: np.ndarray, channels: Sequence[int] = ()
) -> Figure:
  """An image with a caption, enlarged by an integer."""
  return {"label": label, "image": small(enlarged(image, channels))}


def enlarged(image: np.ndarray, channels: Sequence[int] = ()) -> np.ndarray:
  """What is shown of an image `(h, w, c)` of any stored type, as uint8 enlarged
  by an integer."""
  pixels = visible(as_uint8(np.asarray(image)), channels)
  zoom = max(1, LEAST // max(pixels.shape[:2]))
  return pixels.repeat(zoom, 0).repeat(zoom, 1)


def small(image: np.ndarray, channels: Sequence[int] = ()) -> str:
  """An image as a data URL, not enlarged."""
  pixels = visible(as_uint8(np.asarray(image)), channels)
  return embedded(pixels[..., 0] if pixels.shape[-1] == 1 else pixels)


def uploaded(url: Any, side: int, channels: int) -> np.ndarray:
  """An image that was dropped on the page as a tile uint8 `(side, side, c)`:
  its center square, resized.

  Raises:
    UserError: it is no image, or too large.
  """
  try:
    with Image.open(_bytes(url)) as image:
      if image.width * image.height > MAX_PIXELS:
        raise UserError(f"image: expected at most {MAX_PIXELS:,} pixels.")
      pixels = np.asarray(image.convert("RGB"))
  except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as e:
    raise UserError("image: expected a PNG, JPEG, WebP or TIFF file.") from e
  tile = resize.resize(resize.center_square(pixels), side)
  if channels > 3:
    raise UserError(f"image: expected {channels} channels.")
  return resize.to_channels(tile, channels)


def mask(url: Any, side: int) -> np.ndarray:
  """What was painted on a figure, as booleans `(side, side)`.

  Raises:
    UserError: nothing was painted.
  """
  try:
    with Image.open(_bytes(url), formats=["PNG"]) as image:
      alpha = image.convert("RGBA").getchannel("A").resize((side, side))
  except (OSError, ValueError, SyntaxError) as e:
    raise UserError("mask: paint on the first image.") from e
  found = np.asarray(alpha) > 127
  if not found.any():
    raise UserError("mask: paint on the first image.")
  return found


def _bytes(url: Any) -> io.BytesIO:
  _, _, content = str(url).partition(",")
  return io.BytesIO(base64.b64decode(content, validate=True))


def slider(
  name: str,
  label: str,
  group: str,
  *,
  value: float,
  low: float,
  high: float,
  step: float = 0.05,
) -> Control:
  """A slider."""
  return {
    "name": name,
    "label": label,
    "kind": "range",
    "group": group,
    "value": value,
    "min": low,
    "max": high,
    "step": step,
  }


def button(name: str, label: str, group: str) -> Control:
  """A button."""
  return {"name": name, "label": label, "kind": "button", "group": group}


def seed(group: str) -> Control:
  """The seed of what is random."""
  return {
    "name": "seed",
    "label": "seed",
    "kind": "number",
    "group": group,
    "value": 0,
    "min": 0,
    "step": 1,
  }


def number(given: Mapping[str, Any], name: str) -> float:
  """The value of a control as a number.

  Raises:
    UserError: it is none, or not finite.
  """
  try:
    value = float(given["values"][name])
  except (KeyError, TypeError, ValueError) as e:
    raise UserError(f"{name}: expected a number.") from e
  if not np.isfinite(value):
    raise UserError(f"{name}: expected a finite number.")
  return value

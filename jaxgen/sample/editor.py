"""Editing with a trained denoiser: fill in, enlarge, vary, go between."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping
from typing import Annotated, Any

import jax
import numpy as np
from pydantic import Field

from jaxgen.config.fields import check_value
from jaxgen.diffusion import inversion
from jaxgen.errors import UserError
from jaxgen.images import as_uint8, normalize
from jaxgen.latents import density
from jaxgen.restoration import posterior
from jaxgen.sample.denoiser import Denoiser
from jaxgen.sample.run import BATCH

LARGEST = 4096  # pixels on a side of a canvas
MOST_CORRECTIONS = 64
INVERSION_STEPS = 40  # of Heun's method, each way


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Editor(Denoiser):
  """A denoiser and what can be done to images with it.

  Images are uint8 `(n, h, w, c)` of the run's size, in and out.
  """

  def edit(
    self,
    images: np.ndarray,
    *,
    strength: float = 0.5,
    seed: int = 0,
    batch: int = BATCH,
    **asked: Any,
  ) -> np.ndarray:
    """Noise the images and denoise them again (SDEdit).

    Args:
      images: to begin with.
      strength: share of the sampler's steps that are taken, in (0, 1]: at 1
        nothing is left of the images, near 0 nothing changes.
      seed: of the noise.
      batch: images a call of the compiled program.
      **asked: sampler, conditions, guidance: see `request.resolve`.
    """
    images = self._uint8(images)
    check_value("strength", Annotated[float, Field(gt=0, le=1)], strength)
    request = self.request(**asked)
    request = dataclasses.replace(
      request, grid=inversion.truncate(request.grid, strength)
    )
    inputs = {"image": np.asarray(normalize(images))}
    shape = images.shape
    return self.draw(request, inputs, shape, seed=seed, batch=batch)[0]

  def inpaint(
    self,
    images: np.ndarray,
    mask: np.ndarray,
    *,
    seed: int = 0,
    batch: int = BATCH,
    corrections: int = posterior.CORRECTIONS,
    **asked: Any,
  ) -> np.ndarray:
    """Fill in the pixels where `mask` is True; the others stay as they are.

    Args:
      images: with anything in the masked places.
      mask: booleans `(n, h, w)` or `(h, w)`.
      seed: of what is filled in.
      batch: images a call of the compiled program.
      corrections: of the denoiser towards what is known, at each call, which
        cost two calls each: see `restoration.posterior.inpaint`.
      **asked: sampler, conditions, guidance: see `request.resolve`.
    """
    images = self._uint8(images)
    given = {"seed": seed, "batch": batch, "corrections": corrections}
    return self._fill(images, _masks(mask, images), asked, **given)

  def outpaint(
    self,
    images: np.ndarray,
    height: int,
    width: int,
    *,
    top: int | None = None,
    left: int | None = None,
    seed: int = 0,
    batch: int = 4,
    corrections: int = posterior.CORRECTIONS,
    **asked: Any,
  ) -> np.ndarray:
    """Continue images on a larger canvas, `(n, height, width, c)`.

    The canvas is denoised in windows of the run's size that overlap by half.

    Args:
      images: to continue; they stay as they are.
      height: of the canvas.
      width: of the canvas.
      top: row of the images' upper edge on it, by default in the middle.
      left: column of their left edge.
      seed: of what is new.
      batch: canvases a call of the compiled program.
      corrections: as for `inpaint`.
      **asked: sampler, conditions, guidance: see `request.resolve`.
    """
    images = self._uint8(images)
    n, h, w, c = images.shape
    for name, value in (("height", height), ("width", width)):
      check_value(name, Annotated[int, Field(ge=1, le=LARGEST)], value)
    row: int = (height - h) // 2 if top is None else top
    column: int = (width - w) // 2 if left is None else left
    for name, value in (("top", row), ("left", column)):
      check_value(name, Annotated[int, Field(ge=-LARGEST, le=LARGEST)], value)
    if not (0 <= row <= height - h and 0 <= column <= width - w):
      raise UserError(
        f"a canvas of {height} x {width} does not hold images of {h} x {w} at "
        f"row {row}, column {column}."
      )
    canvas = np.zeros((n, height, width, c), np.uint8)
    unknown = np.ones((n, height, width, 1), bool)
    area = np.s_[:, row : row + h, column : column + w]
    canvas[area], unknown[area] = images, False
    given = {"seed": seed, "batch": batch, "corrections": corrections}
    return self._fill(canvas, unknown, asked, window=h, **given)

  def _fill(
    self,
    images: np.ndarray,
    unknown: np.ndarray,
    asked: dict[str, Any],
    *,
    corrections: int,
    **given: Any,
  ) -> np.ndarray:
    check_value(
      "corrections",
      Annotated[int, Field(ge=0, le=MOST_CORRECTIONS)],
      corrections,
    )
    inputs = {"known": np.asarray(normalize(images)), "mask": ~unknown}
    drawn, _ = self.draw(
      self.request(**asked),
      inputs,
      images.shape,
      corrections=corrections,
      **given,
    )
    return np.where(unknown, drawn, images)

  def interpolate(
    self,
    a: np.ndarray,
    b: np.ndarray,
    steps: int = 9,
    *,
    conditions: Mapping[str, str] | None = None,
    batch: int = BATCH,
  ) -> np.ndarray:
    """Images `(steps, h, w, c)` from `a` to `b`, both `(h, w, c)`: between the
    noises that the flow inverts them to (DDIM inversion, at Heun's order), on
    great circles; under `conditions` on both ways."""
    check_value("steps", Annotated[2], steps)
    ends = np.concatenate([self._uint8(np.asarray(x)[None]) for x in (a, b)])
    request = self.request(
      sampler="heun", steps=INVERSION_STEPS, conditions=conditions
    )
    cond = {k: np.full(2, v, np.int32) for k, v in request.terms[0].items()}
    found = self._invert(normalize(ends), cond, request.grid)
    first, last = np.asarray(found)
    noise = [
      density.slerp(first, last, t, 0.0) for t in np.linspace(0, 1, steps)
    ]
    inputs = {"noise": np.stack(noise).astype(np.float32)}
    shape = inputs["noise"].shape
    return self.draw(request, inputs, shape, seed=0, batch=batch)[0]

  @functools.cached_property
  def _invert(self):
    def run(params, images, cond, grid: tuple[float, ...]):
      denoise = functools.partial(self.denoise(params), cond=cond)
      return inversion.invert(denoise, images, np.asarray(grid))

    program = jax.jit(run, static_argnums=3)
    return lambda x, cond, grid: program(self.params, x, cond, tuple(grid))

  def _uint8(self, images: np.ndarray) -> np.ndarray:
    """Images of any stored type, checked, as uint8."""
    self.check_images(images)
    return as_uint8(images)


def _masks(mask: np.ndarray, images: np.ndarray) -> np.ndarray:
  """As booleans `(n, h, w, 1)`."""
  mask = np.asarray(mask)
  n, h, w, _ = images.shape
  if mask.dtype != bool or mask.shape not in ((h, w), (n, h, w)):
    raise UserError(
      f"a mask {mask.dtype} {mask.shape} does not fit: booleans of {(h, w)} or "
      f"{(n, h, w)} are needed."
    )
  return np.broadcast_to(mask, (n, h, w))[..., None]

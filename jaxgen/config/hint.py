"""The section `hint`: a dense condition of a denoiser."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from jaxgen.config.fields import (
  Int,
  NonNegative,
  NonNegativeInt,
  UnitInterval,
  section,
)
from jaxgen.errors import UserError

BLURRED = ("reconstruction", "lowres")  # kinds that lack detail of the image


@section("hint")
class HintConfig:
  """An image that a denoiser is given beside the noisy one.

  It is derived from the clean image in training, or belongs to it, and is given
  by the user later. A further channel tells whether there is a hint.
  """

  kind: Literal[
    "", "reconstruction", "lowres", "segments", "edges", "image"
  ] = ""
  """The image's reconstruction by another run, the image made smaller and
  enlarged again, the classes of its pixels, its edges, or another image
  (data.hints); empty: no hint."""
  run: str = ""
  """reconstruction: the workdir of a finished autoencoder, or the folder of a
  sweep of them."""
  factor: Annotated[Int, Field(ge=2)] = 4
  """lowres: the factor between the sides of the image and of the small one."""
  num_classes: NonNegativeInt = 0
  """segments: number of classes in the masks of the data (data.masks)."""
  drop_prob: UnitInterval = 0.1
  """Fraction of images without a hint in training."""
  noise: NonNegative = 0.0
  """reconstruction, lowres: highest standard deviation of noise on the hint in
  training, for images in [-1, 1]; log-uniform from 1% of it, and told to the
  network."""

  def __post_init__(self):
    if self.kind == "reconstruction" and not self.run:
      raise UserError(
        "hint.run='': expected the workdir of an autoencoder, with"
        " hint.kind=reconstruction."
      )
    if self.run and self.kind != "reconstruction":
      raise UserError(
        f"hint.run={self.run}: expected hint.kind=reconstruction."
      )
    if self.kind == "segments" and not self.num_classes:
      raise UserError(
        "hint.num_classes=0: expected the number of classes, with"
        " hint.kind=segments."
      )
    if self.noise and self.kind not in BLURRED:
      raise UserError(
        f"hint.noise={self.noise}: expected hint.kind={' or '.join(BLURRED)}."
      )

  def check(self, resolution: int) -> None:
    """Raise a UserError if the small image has no whole number of pixels."""
    if self.kind == "lowres" and resolution % self.factor:
      raise UserError(
        f"hint.factor={self.factor} does not divide the resolution"
        f" {resolution}."
      )

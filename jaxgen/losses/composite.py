"""A loss of several terms, each with its weight in the config."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

from jaxgen.config.fields import NonNegative, Options
from jaxgen.errors import UserError
from jaxgen.losses.labels import cross_entropy
from jaxgen.losses.reconstruction import RECONSTRUCTION
from jaxgen.metrics.perceptual import NETS, perceptual_distance
from jaxgen.typing import Array, Batch

Distance = Callable[[Array, Array], Array]  # two batches of images to (b,)


@dataclasses.dataclass(frozen=True, kw_only=True)
class LossOptions(Options, section="loss"):
  """Everything under `loss` in a config; see `jaxgen.config.defaults`."""

  mse: NonNegative = 0.0
  l1: NonNegative = 0.0
  charbonnier: NonNegative = 0.0
  log_mse: NonNegative = 1.0
  ssim: NonNegative = 0.0
  vgg: NonNegative = 0.0
  lpips_alex: NonNegative = 0.0
  lpips_vgg: NonNegative = 0.0
  segmentation: NonNegative = 0.0
  classification: NonNegative = 0.0
  label: str = ""
  perceptual_weights: str = ""

  def __post_init__(self):
    super().__post_init__()
    if not self.weights.keys() & {*RECONSTRUCTION, *NETS}:
      raise UserError(
        "loss: no term compares images; give one of "
        f"{', '.join((*RECONSTRUCTION, *NETS))} a weight above 0."
      )

  @property
  def weights(self) -> dict[str, float]:
    """Of the terms that count."""
    names = (*RECONSTRUCTION, *NETS, "segmentation", "classification")
    return {k: getattr(self, k) for k in names if getattr(self, k)}

  def distances(self) -> dict[str, Distance]:
    """The terms that compare images.

    Raises:
      UserError: the weights of a perceptual network are not there.
    """
    found: dict[str, Distance] = {}
    for name in self.weights:
      if name in NETS:
        file = self.perceptual_weights or None
        found[name] = perceptual_distance(name, file)
      elif name in RECONSTRUCTION:
        found[name] = RECONSTRUCTION[name]
    return found

  def of_labels(self, answer: dict[str, Array], batch: Batch):
    """The terms of the heads."""
    if self.segmentation:
      masks = batch["mask"]
      yield "segmentation", cross_entropy(answer["segments"], masks)
    if self.classification:
      labels = batch[self.label]
      yield "classification", cross_entropy(answer["classes"], labels)

"""A loss of several terms, each with its weight in the config."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from jaxgen.config.losses import LossConfig
from jaxgen.losses.labels import cross_entropy
from jaxgen.losses.reconstruction import RECONSTRUCTION
from jaxgen.metrics.perceptual import NETS, perceptual_distance
from jaxgen.typing import Array, Batch

Distance = Callable[[Array, Array], Array]  # two batches of images to (b,)


def image_distances(config: LossConfig) -> dict[str, Distance]:
  """The terms that compare images, by name.

  Raises:
    UserError: the weights of a perceptual network are missing.
  """
  found: dict[str, Distance] = {}
  for name in config.weights:
    if name in NETS:
      found[name] = perceptual_distance(name, config.perceptual_weights or None)
    elif name in RECONSTRUCTION:
      found[name] = RECONSTRUCTION[name]
  return found


def label_terms(
  config: LossConfig, outputs: dict[str, Array], batch: Batch
) -> Iterator[tuple[str, Array]]:
  """The cross-entropies `(b,)` of the heads, by name."""
  if config.segmentation:
    yield "segmentation", cross_entropy(outputs["segments"], batch["mask"])
  if config.classification:
    labels = batch[config.label]
    yield "classification", cross_entropy(outputs["classes"], labels)

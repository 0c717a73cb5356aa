"""Terms of the weighted loss, by their names in the config."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import jax.numpy as jnp
from jaxtyping import Float

from jaxgen.config.losses import LossConfig
from jaxgen.losses.labels import cross_entropy
from jaxgen.losses.reconstruction import RECONSTRUCTION
from jaxgen.metrics.perceptual import NETS, perceptual_distance
from jaxgen.typing import Array, Batch, Images, Metrics

Distance = Callable[[Images, Images], Float[Array, " b"]]


def image_distances(config: LossConfig) -> dict[str, Distance]:
  """The terms that compare images, by name.

  Raises:
    UserError: the weights of a perceptual network are not available.
  """
  distances: dict[str, Distance] = {}
  for name in config.weights:
    if name in NETS:
      weights = config.perceptual_weights or None
      distances[name] = perceptual_distance(name, weights)
    elif name in RECONSTRUCTION:
      distances[name] = RECONSTRUCTION[name]
  return distances


def label_terms(
  config: LossConfig, outputs: dict[str, Array], batch: Batch
) -> Iterator[tuple[str, Float[Array, " b"]]]:
  """The cross-entropies of the heads, by name."""
  if config.segmentation:
    yield "segmentation", cross_entropy(outputs["segments"], batch["mask"])
  if config.classification:
    labels = batch[config.label]
    yield "classification", cross_entropy(outputs["classes"], labels)


def weighted_sum(
  terms: Mapping[str, Float[Array, " b"]], weights: Mapping[str, float]
) -> tuple[Float[Array, ""], Metrics]:
  """The weighted sum of the means of terms, and metrics: each mean raw
  (`loss/NAME`) and weighted (`weighted/NAME`)."""
  raw = {k: jnp.mean(v) for k, v in terms.items()}
  weighted = {k: weights[k] * v for k, v in raw.items()}
  metrics = {f"loss/{k}": v for k, v in raw.items()}
  metrics |= {f"weighted/{k}": v for k, v in weighted.items()}
  return jnp.sum(jnp.stack([*weighted.values()])), metrics

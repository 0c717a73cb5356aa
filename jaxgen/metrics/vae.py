"""Held-out scores of autoencoders that are not means over images: statistics of
each image, and scores of the mean statistics."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from jaxgen.metrics.segmentation import accuracy, mean_iou
from jaxgen.typing import Array, Metrics

ACTIVE = 0.01  # minimum variance over images of the mean of an active unit
NAMED = 32  # up to this many units, the KL of each has its own column


def traits(
  mean: Float[Array, "b *places d"], nats: Float[Array, "b *places d"]
) -> Metrics:
  """Statistics of posteriors: the KL of each image `(b,)` and of each of its
  units `(b, d)`, and the first two moments of the means.

  A unit is a dimension of a vector, or a channel of a feature map, whose KL is
  summed over positions; moments are per position, `(b, places, d)`.

  Args:
    mean: means of the posteriors.
    nats: KL of each dimension.
  """
  m = mean.reshape(len(mean), -1, mean.shape[-1])
  units = nats.reshape(m.shape).sum(1)
  return {
    "kl/nats": units.sum(1),
    "kl/unit": units,
    "kl/mean": m,
    "kl/square": jnp.square(m),
  }


def summary(means: dict[str, Any]) -> dict[str, float]:
  """The scores of a task's mean statistics: scalars unchanged, the number of
  active units (Burda et al. 2016: those whose mean varies), quantiles of the
  units' KL, and accuracy and mean IoU of confusion matrices."""
  rest, scores = dict(means), {}
  if "kl/unit" in rest:
    square, mean = rest.pop("kl/square"), rest.pop("kl/mean")
    variance = (square - mean**2).mean(0)  # over images, then over positions
    scores["kl/active_units"] = int((variance > ACTIVE).sum())
    scores |= _unit_scores(rest.pop("kl/unit"))
  for name in ("segments", "classes"):
    if name in rest:
      matrix = rest.pop(name)
      scores[f"{name}/accuracy"] = accuracy(matrix)
      if name == "segments":
        scores["segments/miou"] = mean_iou(matrix)
  return {k: float(v) for k, v in {**rest, **scores}.items()}


def _unit_scores(nats: np.ndarray) -> dict[str, float]:
  """Quantiles of the units' KL, and the KL of each unit if there are few."""
  low, median, high = np.quantile(nats, (0.1, 0.5, 0.9))
  scores = {"kl/unit_10%": low, "kl/unit_50%": median, "kl/unit_90%": high}
  if len(nats) <= NAMED:
    scores |= {f"kl/unit_{i:02}": x for i, x in enumerate(nats)}
  return scores

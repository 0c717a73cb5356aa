"""How well labels are told: confusion matrices, which add up over images."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

from jaxgen.typing import Array


def confusion(logits: Array, labels: Array) -> Array:
  """For each image `(b,)` how often label i (rows) was told as j, `(b, k, k)`;
  places whose label is not 0 to k - 1 are left out."""
  k = logits.shape[-1]
  told = jax.nn.one_hot(jnp.argmax(logits, axis=-1), k)
  true = jax.nn.one_hot(labels, k)  # zeros where there is no such label
  flat = lambda x: x.reshape(len(x), -1, k)  # noqa: E731
  return jnp.einsum("bni,bnj->bij", flat(true), flat(told))


def accuracy(matrix: np.ndarray) -> float:
  """Share of places told right; NaN where there were none."""
  total = matrix.sum()
  return float(np.trace(matrix) / total) if total else float("nan")


def mean_iou(matrix: np.ndarray) -> float:
  """Intersection over union, averaged over the labels that occur or are told
  (Everingham et al. 2010); NaN where there are none."""
  right = np.diag(matrix)
  union = matrix.sum(0) + matrix.sum(1) - right
  there = union > 0
  return float((right[there] / union[there]).mean()) if there.any() else np.nan

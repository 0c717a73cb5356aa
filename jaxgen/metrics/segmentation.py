"""Accuracy of predicted labels, from confusion matrices summed over images."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Int, Shaped

from jaxgen.parallel.precision import measured
from jaxgen.typing import Array

Matrix = Shaped[np.ndarray, "k k"]  # confusion, summed over images


@measured
def confusion(
  logits: Float[Array, "b *places k"],
  labels: Int[Array | np.ndarray, " b *places"],
) -> Float[Array, "b k k"]:
  """The number of positions of each image with label i (rows) and prediction j;
  labels other than 0 to k - 1 are ignored."""
  k = logits.shape[-1]
  predicted = jax.nn.one_hot(jnp.argmax(logits, axis=-1), k)
  true = jax.nn.one_hot(labels, k)  # zeros for ignored labels
  flat = lambda x: x.reshape(len(x), -1, k)  # noqa: E731
  return jnp.einsum("bni,bnj->bij", flat(true), flat(predicted))


def accuracy(matrix: Matrix) -> float:
  """The fraction of correct predictions; NaN without labels."""
  total = matrix.sum()
  return float(np.trace(matrix) / total) if total else float("nan")


def mean_iou(matrix: Matrix) -> float:
  """Intersection over union, averaged over the labels that occur or are
  predicted (Everingham et al. 2010); NaN if there are none."""
  correct = np.diag(matrix)
  union = matrix.sum(0) + matrix.sum(1) - correct
  used = union > 0
  return float((correct[used] / union[used]).mean()) if used.any() else np.nan

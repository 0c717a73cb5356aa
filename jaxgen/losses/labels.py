"""Cross-entropy of labels, one number per image; what has none is left out."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from jaxgen.typing import Array


def cross_entropy(logits: Array, labels: Array) -> Array:
  """Mean of -ln p(label) over the places of each image that have a label.

  Args:
    logits: `(b, ..., k)`.
    labels: int `(b, ...)`; others than 0 to k - 1 (as -1 or 255) have none.

  Returns:
    `(b,)`, nats; 0 for an image without any label.
  """
  known = (labels >= 0) & (labels < logits.shape[-1])
  index = jnp.where(known, labels, 0)[..., None]
  log_p = jnp.take_along_axis(jax.nn.log_softmax(logits), index, axis=-1)
  cost = jnp.where(known, -log_p[..., 0], 0.0).reshape(len(logits), -1)
  return cost.sum(1) / jnp.maximum(known.reshape(len(logits), -1).sum(1), 1)

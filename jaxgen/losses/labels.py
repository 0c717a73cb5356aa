"""Cross-entropy of image or pixel labels, with support for missing ones."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Float, Int

from jaxgen.typing import Array


def cross_entropy(
  logits: Float[Array, "b *places k"], labels: Int[Array, " b *places"]
) -> Float[Array, " b"]:
  """The mean of -ln p(label) over the labeled positions of each image.

  Args:
    logits: logits of k classes.
    labels: 0 to k - 1; any other value (such as -1 or 255) means missing.

  Returns:
    Nats; 0 for an image without labels.
  """
  known = (labels >= 0) & (labels < logits.shape[-1])
  index = jnp.where(known, labels, 0)[..., None]
  log_p = jnp.take_along_axis(jax.nn.log_softmax(logits), index, axis=-1)
  cost = jnp.where(known, -log_p[..., 0], 0.0).reshape(len(logits), -1)
  return cost.sum(1) / jnp.maximum(known.reshape(len(logits), -1).sum(1), 1)

"""Latents of training tiles that are stored once instead of encoded in every
step: the fields of a batch that stand for its images."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import jax

from jaxgen.images import normalize
from jaxgen.tasks.reconstruction import draw
from jaxgen.tasks.space import Stored
from jaxgen.typing import Array, Batch, Codec, Params

MEAN, LOG_VARIANCE = "latent", "latent_log_variance"  # of the posteriors


def stored(codec: Callable[[Params], Codec], params: Params) -> Stored:
  """What is stored of a codec: means of posteriors, and their log variances if
  it is variational; latents as the codec has them."""
  described = codec(params)
  names = (MEAN,) if described.posterior is None else (MEAN, LOG_VARIANCE)

  def encode(params: Params, images: Array) -> Mapping[str, Array]:
    found, x = codec(params), normalize(images)
    if found.posterior is None:
      return {MEAN: found.encode(x)}
    mean, log_variance = found.posterior(x)
    return {MEAN: mean, LOG_VARIANCE: log_variance}

  shapes = {name: described.latent_shape for name in names}
  return Stored(shapes=shapes, encode=encode)


def latents(codec: Codec, batch: Batch, keys: Array) -> Array:
  """The latents of a batch, as the codec has them, under stop_gradient: draws
  from the posteriors of stored latents or else of images."""
  if MEAN in batch:
    found = draw(batch[MEAN], batch.get(LOG_VARIANCE), keys)
  else:
    found = codec.encode(normalize(batch["image"]), keys)
  return jax.lax.stop_gradient(found)

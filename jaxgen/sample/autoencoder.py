"""A loaded autoencoder: encoding, decoding, and new images from latents."""

from __future__ import annotations

import dataclasses

import jax.numpy as jnp
import numpy as np

from jaxgen.latents.statistics import Moments, moments
from jaxgen.sample import codec, latent_sampling, tiled
from jaxgen.sample.run import LoadedRun
from jaxgen.typing import Codec


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class AutoencoderRun(LoadedRun):
  """A loaded run of an autoencoder.

      latents = run.encode(images)
      run.sample(16, seed=0, method="gmm")

  Its methods are functions of a run, documented where they are defined. They
  take and return uint8 images `(n, h, w, c)` and float32 latents `(n, ...)`.
  """

  encode = codec.encode
  decode = codec.decode
  decode_float = codec.decode_float
  reconstruct = codec.reconstruct
  interpolate = codec.interpolate
  analogy = codec.analogy
  sample = latent_sampling.sample
  encode_windows = tiled.encode_windows
  decode_images = tiled.decode_images
  reconstruct_images = tiled.reconstruct_images
  sampling_bytes = latent_sampling.sampling_bytes

  @property
  def training_latents(self) -> np.ndarray:
    """Latents `(n, ...)` of training tiles, as cached in the workdir; computed
    from the training data, and cached, if they are missing."""
    return self.cached(latent_sampling.training_latents)

  @property
  def codec(self) -> Codec:
    """The codec of the weights, with the moments of the training latents as
    `mean` and `scale` (1 for channels that are constant)."""
    shape = (1,) * len(self.task.latent_shape) + (-1,)
    mean, scale = (x.astype(np.float32).reshape(shape) for x in self.moments)
    return dataclasses.replace(
      self.task.codec(self.params),
      mean=jnp.asarray(mean),
      scale=jnp.asarray(np.where(scale > 0, scale, 1)),
    )

  @property
  def moments(self) -> Moments:
    """Mean and standard deviation `(d,)` of the training latents, for each
    dimension of a vector or channel of a feature map."""
    return moments(self.training_latents)

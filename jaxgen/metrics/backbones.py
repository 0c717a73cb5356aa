"""AlexNet and VGG16 up to their last convolution, as pure functions.

The networks of Krizhevsky 2014 (one tower) and of Simonyan and Zisserman 2015
(configuration D) have five stages each; a stage ends with a ReLU, and some
begin with max-pooling. `stages` runs them with weights named as in `shapes`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from jaxgen.typing import Array

Net = Literal["alex", "vgg"]
Weights = Mapping[str, Array | np.ndarray]

MEAN = np.array([0.485, 0.456, 0.406], np.float32)  # ImageNet, on [0, 1]
STD = np.array([0.229, 0.224, 0.225], np.float32)


class Conv(NamedTuple):
  """A convolution with a square kernel, followed by a ReLU."""

  width: int
  side: int = 3
  stride: int = 1
  padding: int = 1


@dataclasses.dataclass(frozen=True, kw_only=True)
class Backbone:
  """A network up to its last convolution.

  Attributes:
    name: name in messages; in lower case that of its weight file.
    stages: the convolutions of each stage.
    pooled: stages that begin with max-pooling of stride 2, without padding.
    window: side of the pooling window, in pixels.
    least: smallest side of an image that the network accepts, in pixels.
  """

  name: str
  stages: tuple[tuple[Conv, ...], ...]
  pooled: tuple[int, ...]
  window: int
  least: int


ALEXNET = Backbone(
  name="AlexNet",
  stages=(
    (Conv(64, 11, stride=4, padding=2),),
    (Conv(192, 5, padding=2),),
    (Conv(384),),
    (Conv(256),),
    (Conv(256),),
  ),
  pooled=(1, 2),
  window=3,
  least=31,
)
VGG16 = Backbone(
  name="VGG16",
  stages=(
    (Conv(64),) * 2,
    (Conv(128),) * 2,
    (Conv(256),) * 3,
    (Conv(512),) * 3,
    (Conv(512),) * 3,
  ),
  pooled=(1, 2, 3, 4),
  window=2,
  least=16,
)
BACKBONES: dict[Net, Backbone] = {"alex": ALEXNET, "vgg": VGG16}


def shapes(backbone: Backbone) -> dict[str, tuple[int, ...]]:
  """The names and shapes of the weights: `conv0/kernel` (HWIO), `conv0/bias`,
  `conv1/...`, and `lin0` to `lin4`, the channel weights of LPIPS."""
  by_name, depth = {}, 3
  convs = [conv for stage in backbone.stages for conv in stage]
  for i, conv in enumerate(convs):
    by_name[f"conv{i}/kernel"] = (conv.side, conv.side, depth, conv.width)
    by_name[f"conv{i}/bias"] = (conv.width,)
    depth = conv.width
  for i, stage in enumerate(backbone.stages):
    by_name[f"lin{i}"] = (stage[-1].width,)
  return by_name


def standardize(
  x: Float[Array, "b h w 3"],
) -> Float[Array, "b h w 3"]:
  """Standardize images in [-1, 1] by the mean and variance of ImageNet."""
  mean, std = MEAN[None, None, None], STD[None, None, None]
  return (x - (2 * mean - 1)) / (2 * std)


def enlarge(
  x: Float[Array, "b h w c"], least: int
) -> Float[Array, "b h2 w2 c"]:
  """Resize images bilinearly to at least `least` pixels on the shorter side;
  larger ones are unchanged."""
  b, h, w, c = x.shape
  zoom = least / min(h, w)
  if zoom <= 1:
    return x
  shape = (b, round(h * zoom), round(w * zoom), c)
  return jax.image.resize(x, shape, "bilinear")


def stages(
  backbone: Backbone, weights: Weights, x: Float[Array, "b h w 3"]
) -> list[Float[Array, "b _ _ _"]]:
  """The outputs of all stages, each after its last ReLU.

  Args:
    weights: arrays with the names and shapes of `shapes`.
    x: images from `standardize`, with sides of at least `least`.
  """
  outputs, i = [], 0
  for number, stage in enumerate(backbone.stages):
    if number in backbone.pooled:
      x = _pool(x, backbone.window)
    for conv in stage:
      x = _convolve(conv, weights[f"conv{i}/kernel"], x)
      x = jax.nn.relu(x + weights[f"conv{i}/bias"][None, None, None])
      i += 1
    outputs.append(x)
  return outputs


def _convolve(conv: Conv, kernel: Array | np.ndarray, x: Array) -> Array:
  return jax.lax.conv_general_dilated(
    x,
    jnp.asarray(kernel),
    (conv.stride, conv.stride),
    [(conv.padding, conv.padding)] * 2,
    dimension_numbers=("NHWC", "HWIO", "NHWC"),
  )


def _pool(x: Array, window: int) -> Array:
  return jax.lax.reduce_window(
    x, -jnp.inf, jax.lax.max, (1, window, window, 1), (1, 2, 2, 1), "VALID"
  )

"""ControlNets (Zhang et al. 2023, arXiv:2302.05543): copies of the first half
of a denoising network, whose outputs steer a frozen one by a hint.

The parameters of a copy have the names of those of the network, so that it
starts as that. The hint, and everything that leaves the copy, passes through a
layer that is zero at first: the steered network starts as the frozen one.
"""

from __future__ import annotations

import flax.linen as nn
import jax.numpy as jnp
from jax.typing import DTypeLike
from jaxtyping import Float

from jaxgen.models.conditioning import Cond, concat_images
from jaxgen.models.dit import DiTBase
from jaxgen.models.layers import ZEROS, Dense
from jaxgen.models.network import DenoisingNetwork
from jaxgen.models.resampling import TransferRules
from jaxgen.models.unet import UNetBase
from jaxgen.typing import Array

Images = Float[Array, "b h w c"]
Controls = tuple[Float[Array, "b *places d"], ...]


def zero(features: int, name: str, dtype: DTypeLike) -> Dense:
  """A linear map of features that is zero at first."""
  return Dense(features, kernel_init=ZEROS, dtype=dtype, name=name)


class HintEncoder(nn.Module, kw_only=True):
  """Hints to features with the side of `1 / factor` of theirs: convolutions,
  one of stride 2 for each halving, and a zero layer.

  Hints are never averaged to the smaller side: thin walls would vanish.
  """

  features: int
  factor: int
  dtype: DTypeLike

  @nn.compact
  def __call__(self, hint: Images) -> Float[Array, "b h2 w2 d"]:
    """The features of hints `(b, h, w, c)`."""
    halvings = self.factor.bit_length() - 1
    for i in range(1 + halvings):
      stride = (2, 2) if i else (1, 1)
      width = max(self.features // 2, 16)
      layer = nn.Conv(width, (3, 3), stride, dtype=self.dtype, name=f"conv_{i}")
      hint = nn.silu(layer(hint))
    return zero(self.features, "zero", self.dtype)(hint)


class ControlNetwork(DenoisingNetwork, kw_only=True):
  """The inputs of a network to what steers it.

  Its image conditions are the hint alone.

  Attributes:
    hint_factor: the side of hints over that of the features that they are
      added to, a power of 2.
  """

  hint_factor: int

  def rules(self, old: DenoisingNetwork) -> TransferRules:
    """No rules: a ControlNet has the sizes of its base."""
    return {}

  def encode_hint(
    self, like: Float[Array, "b h w _"], cond: Cond, *, features: int
  ) -> Float[Array, "b h w {features}"]:
    """The features of the hint among the conditions, of the height and width of
    `like`."""
    b, h, w, _ = like.shape
    nothing = jnp.zeros((b, h * self.hint_factor, w * self.hint_factor, 0))
    return HintEncoder(
      features=features,
      factor=self.hint_factor,
      dtype=self.dtype,
      name="hint",
    )(concat_images(nothing, cond, self.image_conditions))


class ControlUNet(ControlNetwork, UNetBase, kw_only=True):
  """A copy of a U-Net's way down and bottom."""

  @nn.compact
  def __call__(
    self,
    x: Images,
    c_noise: Float[Array, " b"],
    cond: Cond = None,
    train: bool = False,
  ) -> Controls:
    """What is added to each skip connection, and to the bottom."""
    width = self.options.width
    block = self.blocks(c_noise, cond, x.shape[1], train)
    hint = self.encode_hint(x, cond, features=width)
    features = self.way_down(block, self.conv(width, "conv_in")(x) + hint)
    return tuple(
      zero(y.shape[-1], f"zero_{i}", self.dtype)(y)
      for i, y in enumerate(features)
    )


class ControlDiT(ControlNetwork, DiTBase, kw_only=True):
  """A copy of the first half of the blocks of a transformer."""

  @nn.compact
  def __call__(
    self,
    x: Images,
    c_noise: Float[Array, " b"],
    cond: Cond = None,
    train: bool = False,
  ) -> Controls:
    """What is added to the outputs of the first half of the blocks."""
    patch, found = self.options.patch_size, []
    embedding = self.embed(c_noise, cond, x.shape[1])
    grid = x[:, ::patch, ::patch]
    hint = self.encode_hint(grid, cond, features=self.width)
    y = self.tokens(x) + hint.reshape(len(x), -1, self.width)
    for i in range(-(-self.options.depth // 2)):
      y = self.block(name=f"block_{i}")(y, embedding, train)
      found.append(zero(self.width, f"zero_{i}", self.dtype)(y))
    return tuple(found)

r"""A U-Net that grows outwards: one network for a sequence of resolutions.

The core is a U-Net at the first resolution. Each further resolution adds a
level around the previous network. With x the noisy image at this level,
x' = Down x its area average at the level below, and r the fraction of the noise
that remains in x',

    D(x, s) = Up D'(x', r s) + c_skip(s) (x - Up x') + fade c_out(s) G

where D' is the previous denoiser and G the output of the new blocks, from
features of both levels. The last layer of G is zero at first and `fade` grows
from 0 to 1, so that a new level starts exactly as the previous denoiser,
enlarged, plus the high frequencies scaled by EDM's c_skip. For the network F of
D = c_skip x + c_out F this is

    F = a(s) Up x' + b(s) Up F' + fade G
    a = (1 - r^2) s d / ((r^2 s^2 + d^2) sqrt(s^2 + d^2)),     d = sigma_data
    b = r sqrt((s^2 + d^2) / (r^2 s^2 + d^2))

which avoids divisions by a small s. Sizes need not double: 64 to 96 to 128.
"""

from __future__ import annotations

import dataclasses

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Float

from jaxgen.config.models import ProgressiveUNetConfig
from jaxgen.images import resize
from jaxgen.models.conditioning import Cond, Conditioning
from jaxgen.models.conv import GroupNorm
from jaxgen.models.layers import ZEROS, Dense
from jaxgen.models.resampling import remaining_noise
from jaxgen.models.unet import UNetBase, core
from jaxgen.typing import Array, Params

Images = Float[Array, "b h h c"]
Features = Float[Array, "b h h d"]
Vector = Float[Array, " b"]
Embedding = Float[Array, "b e"]


class ProgressiveUNet(UNetBase, kw_only=True):
  """`(x (b, h, h, channels), c_noise (b,), cond)` to the shape of `x`, at any
  of `resolutions` up to the current one."""

  options: ProgressiveUNetConfig
  sigma_data: float

  @nn.compact
  def __call__(
    self,
    x: Images,
    c_noise: Vector,
    cond: Cond = None,
    train: bool = False,
  ) -> Images:
    """The output of the network, F."""
    level = self.options.resolutions.index(x.shape[1])
    inputs = LevelInputs(x=x, c_noise=c_noise, cond=cond, train=train)
    return self._level(level, inputs)[0]

  def _level(self, level: int, inputs: LevelInputs) -> tuple[Images, Features]:
    """F, and the features from which it is projected."""
    if not level:
      return core(self, self.options.resolutions[0]).with_features(
        inputs.x, inputs.c_noise, inputs.cond, inputs.train, extra=inputs.extra
      )
    x, c_noise = inputs.x, inputs.c_noise
    outer = Outer(net=self, level=level, cond=inputs.cond, train=inputs.train)
    small, large = self.options.resolutions[level - 1 : level + 1]
    ratio, sigma = remaining_noise(large, small), jnp.exp(4 * c_noise)
    scale, a, b = _coefficients(sigma, ratio, self.sigma_data)
    mean = self._resize(x, small)  # c_in(s) x'
    h, embedding = outer.encode(x, c_noise, extra=inputs.extra)
    fade = self.param(f"outer_{level}_fade", ZEROS, ())
    fade = jax.lax.stop_gradient(fade).astype(self.dtype)
    below = dataclasses.replace(
      inputs,
      x=scale * mean,
      c_noise=c_noise + jnp.log(ratio) / 4,
      extra=fade * outer.to_inner(self._resize(h, small)),
    )
    old, features = self._level(level - 1, below)
    new, y = outer.decode(h, self._resize(features, large), embedding)
    old = a * self._resize(mean, large) + b * self._resize(
      old.astype(jnp.float32), large
    )
    return old + fade * new, y

  def _resize(self, x: Images, side: int) -> Float[Array, "b side side c"]:
    return resize(x, side, circular=self.options.padding == "circular")

  def set_fade(self, params: Params, fade: Float[Array, ""] | float) -> Params:
    """Parameters with the fade of every level raised to at least `fade`."""
    top = self.options.resolutions.index(self.resolution)
    names = [f"outer_{level}_fade" for level in range(1, top + 1)]
    fade = jnp.asarray(fade, jnp.float32)
    return params | {name: jnp.maximum(params[name], fade) for name in names}


@dataclasses.dataclass(frozen=True, kw_only=True)
class LevelInputs:
  """Inputs of one level.

  Attributes:
    x: the noisy image.
    c_noise: its noise level.
    cond: its conditions.
    train: whether dropout is on.
    extra: features of the next outer level, added to the first features.
  """

  x: Images
  c_noise: Vector
  cond: Cond
  train: bool
  extra: Features | float = 0.0


def _coefficients(
  sigma: Vector, r: float, d: float
) -> tuple[Float[Array, "b 1 1 1"], ...]:
  """Factors that turn c_in(s) x' into c_in(r s) x', and a / c_in(s) and b."""
  s2, t2 = sigma**2 + d**2, (r * sigma) ** 2 + d**2
  scale = jnp.sqrt(s2 / t2)
  a = (1 - r**2) * sigma * d / t2
  return tuple(x[:, None, None, None] for x in (scale, a, r * scale))


@dataclasses.dataclass(frozen=True, kw_only=True)
class Outer:
  """The layers of one level around the core; their parameters belong to the
  network.

  Attributes:
    net: the network.
    level: index of the level; 1 is the first around the core.
    cond: conditions of the images.
    train: whether dropout is on.
  """

  net: ProgressiveUNet
  level: int
  cond: Cond
  train: bool

  def encode(
    self, x: Images, c_noise: Vector, *, extra: Features | float
  ) -> tuple[Features, Embedding]:
    """Features of the noisy image, and the embedding of the conditions."""
    width = self.net.options.outer_width
    embedding = Conditioning(
      width=4 * width,
      condition_sizes=self.net.condition_sizes,
      name=self._name("conditioning"),
    )(c_noise, self.cond, x.shape[1])
    h = self.net.conv(width, self._name("conv_in"))(x) + extra
    return self._block(h, embedding, "block_in"), embedding

  def to_inner(self, h: Features) -> Float[Array, "b h h inner_width"]:
    """Features for the level below; zeros at initialization."""
    options = self.net.options
    width = options.width if self.level == 1 else options.outer_width
    name, dtype = self._name("to_inner"), self.net.dtype
    return Dense(width, kernel_init=ZEROS, dtype=dtype, name=name)(h)

  def decode(
    self, h: Features, inner: Float[Array, "b h h k"], embedding: Embedding
  ) -> tuple[Images, Features]:
    """G, zeros at initialization, and the features from which it is projected;
    `inner` are features of the level below."""
    y = jnp.concatenate([h, inner], axis=-1)
    for i in range(self.net.options.outer_num_res_blocks):
      y = self._block(y, embedding, f"block_out_{i}")
    conv = self.net.conv(
      self.net.channels, self._name("conv_out"), zero_init=True
    )
    return conv(nn.silu(GroupNorm(name=self._name("norm"))(y))), y

  def _block(
    self, x: Float[Array, "b h h k"], embedding: Embedding, name: str
  ) -> Features:
    width = self.net.options.outer_width
    block = self.net.res_block(width, self._name(name))
    return block(x, embedding, self.train)

  def _name(self, name: str) -> str:
    return f"outer_{self.level}_{name}"

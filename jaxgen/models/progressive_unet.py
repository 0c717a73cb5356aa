r"""A U-Net that grows outwards: one network for a row of resolutions.

The core is a U-Net at the first resolution. Each further one adds a level
around what is there. With x the noisy image at this level, x' = Down x the
means of its pixels at the level below, and r the share of the noise that they
keep,

    D(x, s) = Up D'(x', r s) + c_skip(s) (x - Up x') + fade c_out(s) G

where D' is the denoiser so far and G what the new blocks add, from features of
both levels. G ends in zeros and `fade` grows from 0 to 1, so that a level is at
first exactly the denoiser so far, enlarged, plus the high frequencies shrunk as
EDM's c_skip has it. Written for the network F of D = c_skip x + c_out F:

    F = a(s) Up x' + b(s) Up F' + fade G
    a = (1 - r^2) s d / ((r^2 s^2 + d^2) sqrt(s^2 + d^2)),     d = sigma_data
    b = r sqrt((s^2 + d^2) / (r^2 s^2 + d^2))

so that nothing is divided by a small s. Sizes need not double: 64 to 96 to 128.
"""

from __future__ import annotations

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxgen.config.fields import Positive, PositiveInt
from jaxgen.images import resize
from jaxgen.models.conditioning import Conditioning
from jaxgen.models.conv import GroupNorm
from jaxgen.models.layers import ZEROS, Dense
from jaxgen.models.resampling import remaining_noise
from jaxgen.models.unet import UNet, UNetFields
from jaxgen.typing import Array, Params


class ProgressiveUNet(UNetFields):
  """`(x (b, h, h, channels), c_noise (b,), cond)` to the shape of `x`, at any
  of `resolutions` that has been reached."""

  resolutions: tuple[PositiveInt, ...] = (32, 64, 96, 128)
  outer_width: PositiveInt = 32  # channels of the levels around the core
  outer_num_res_blocks: PositiveInt = 1  # of each such level, on the way out
  sigma_data: Positive = 0.5

  @nn.compact
  def __call__(
    self, x: Array, c_noise: Array, cond: Any = None, train: bool = False
  ) -> Array:
    level = self.resolutions.index(x.shape[1])
    return self._level(level, x, c_noise, (cond, train), 0.0)[0]

  def _level(
    self, level: int, x: Array, c_noise: Array, rest: Any, extra: Any
  ) -> tuple[Array, Array]:
    """F and the features it is read from."""
    if not level:
      core = UNet.within(self, self.resolutions[0], name="core")
      cond, train = rest
      return core.inside(x, c_noise, cond, train, extra)
    outer = Outer(self, level, *rest)
    small, large = self.resolutions[level - 1 : level + 1]
    ratio, sigma = remaining_noise(large, small), jnp.exp(4 * c_noise)
    scale, a, b = _coefficients(sigma, ratio, self.sigma_data)
    mean = self._resize(x, small)  # c_in(s) x'
    h, embedding = outer.enter(x, c_noise, extra)
    fade = self.param(f"outer_{level}_fade", ZEROS, ())
    fade = jax.lax.stop_gradient(fade).astype(self.dtype)
    below, features = self._level(
      level - 1,
      scale * mean,
      c_noise + jnp.log(ratio) / 4,
      rest,
      fade * outer.tell(self._resize(h, small), level == 1),
    )
    new, y = outer.leave(h, self._resize(features, large), embedding)
    old = a * self._resize(mean, large) + b * self._resize(
      below.astype(jnp.float32), large
    )
    return old + fade * new, y

  def _resize(self, x: Array, side: int) -> Array:
    return resize(x, side, self.padding == "circular")

  def set_fade(self, params: Params, share: Array) -> Params:
    """Parameters with the `fade` of every level at `share` at least; what has
    faded in stays."""
    top = self.resolutions.index(self.resolution)
    names = [f"outer_{level}_fade" for level in range(1, top + 1)]
    share = jnp.asarray(share, jnp.float32)
    return params | {name: jnp.maximum(params[name], share) for name in names}


def _coefficients(sigma: Array, r: float, d: float) -> tuple[Array, ...]:
  """What turns c_in(s) x' into c_in(r s) x', and a / c_in(s) and b; each
  `(b, 1, 1, 1)`."""
  s2, t2 = sigma**2 + d**2, (r * sigma) ** 2 + d**2
  scale = jnp.sqrt(s2 / t2)
  a = (1 - r**2) * sigma * d / t2
  return tuple(x[:, None, None, None] for x in (scale, a, r * scale))


class Outer:
  """The layers of one level around the core; they belong to the network."""

  def __init__(self, net: ProgressiveUNet, level: int, cond: Any, train: bool):
    self.net, self.cond, self.train = net, cond, train
    self.name = f"outer_{level}_{{}}".format

  def _conv(self, features: int, name: str, **options: Any) -> nn.Conv:
    return self.net.conv(features, self.name(name), **options)

  def _block(self, x: Array, embedding: Array, name: str) -> Array:
    block = self.net.res_block(self.net.outer_width, self.name(name))
    return block(x, embedding, self.train)

  def enter(self, x: Array, c_noise: Array, extra: Any) -> tuple[Array, Array]:
    """Features of the noisy image, and the level's condition."""
    net = self.net
    name = self.name("conditioning")
    vector = Conditioning(4 * net.outer_width, net.sizes, name=name)
    embedding = vector(c_noise, self.cond, x.shape[1])
    h = self._conv(net.outer_width, "conv_in")(x) + extra
    return self._block(h, embedding, "block_in"), embedding

  def tell(self, h: Array, core: bool) -> Array:
    """What the level below is told; at first nothing."""
    net = self.net
    width = net.width if core else net.outer_width
    name = self.name("tell")
    return Dense(width, kernel_init=ZEROS, dtype=net.dtype, name=name)(h)

  def leave(self, h: Array, y: Array, embedding: Array) -> tuple[Array, Array]:
    """G, at first 0, and the features it is read from."""
    y = jnp.concatenate([h, y], axis=-1)
    for i in range(self.net.outer_num_res_blocks):
      y = self._block(y, embedding, f"block_out_{i}")
    last = self._conv(self.net.channels, "conv_out", kernel_init=ZEROS)
    return last(nn.silu(GroupNorm(name=self.name("norm"))(y))), y

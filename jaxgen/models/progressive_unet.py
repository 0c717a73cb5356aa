r"""A U-Net that grows outwards: one network for a sequence of resolutions.

The core is a U-Net at the first resolution. Each further resolution adds a
level around the previous network. With x the noisy image at this level,
x' = Down x its area average at the level below, and r the fraction of the noise
that remains in x',

    D(x, s) = Up D'(x', r s) + c_skip(s) (x - Up x') + fade c_out(s) G

where D' is the previous denoiser and G the output of the new blocks, from
features of both levels. The last layer of G is zero at first and `fade` grows
from 0 to 1, so that a new level starts exactly as the previous denoiser,
enlarged, plus the high frequencies scaled by EDM's c_skip. `level_noise` has
the same for the network F of D = c_skip x + c_out F, without divisions by a
small s, and for noise that is uneven: then each level is told the noise of its
own pixels. Sizes need not double: 64 to 96 to 128.
"""

from __future__ import annotations

import dataclasses
import functools

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Float

from jaxgen.config.denoisers import ProgressiveUNetConfig
from jaxgen.images import resize
from jaxgen.models.conditioning import HINT, Cond
from jaxgen.models.layers import ZEROS
from jaxgen.models.level_noise import LevelNoise, Step
from jaxgen.models.outer_level import Features, Images, OuterLevel
from jaxgen.models.resampling import TransferRules, add_inputs
from jaxgen.models.unet import UNetBase, core
from jaxgen.typing import Array, Params

Vector = Float[Array, " b"]


class ProgressiveUNet(UNetBase, kw_only=True):
  """`(x (b, h, h, channels), c_noise (b,), cond)` to the shape of `x`, at any
  of `resolutions` up to the current one."""

  options: ProgressiveUNetConfig
  sigma_data: float

  def rules(self, old: UNetBase) -> TransferRules:
    """The rules of a U-Net, also for the levels around the core."""
    rule = functools.partial(add_inputs, num=self.new_channels(old))
    levels = range(1, len(self.options.resolutions))
    outer = {f"outer_{level}_conv_in/kernel": rule for level in levels}
    return super().rules(old) | outer

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
    noise = LevelNoise.told(c_noise, cond)
    inputs = LevelInputs(x=x, noise=noise, cond=cond, train=train)
    return self._level(level, inputs)[0]

  def _level(self, level: int, inputs: LevelInputs) -> tuple[Images, Features]:
    """F, and the features from which it is projected."""
    noise, told = inputs.noise, inputs.noise.tell(inputs.cond)
    if not level:
      return core(self, self.options.resolutions[0]).with_features(
        inputs.x, noise.c_noise, told, inputs.train, extra=inputs.extra
      )
    outer = OuterLevel(
      net=self,
      options=self.options,
      level=level,
      cond=told,
      train=inputs.train,
    )
    small, large = self.options.resolutions[level - 1 : level + 1]
    step = Step(
      noise=noise,
      side=large,
      small=small,
      sigma_data=self.sigma_data,
      resize=self._resize,
    )
    mean = step.shrink(inputs.x)
    h, embedding = outer.encode(inputs.x, noise.c_noise, extra=inputs.extra)
    fade = self.param(f"outer_{level}_fade", ZEROS, ())
    fade = jax.lax.stop_gradient(fade).astype(self.dtype)
    below = dataclasses.replace(
      inputs,
      x=mean,
      noise=step.below,
      cond=self._shrink(inputs.cond, small),
      extra=fade * outer.to_inner(self._resize(h, small)),
    )
    old, features = self._level(level - 1, below)
    new, y = outer.decode(h, self._resize(features, large), embedding)
    return step.enlarge(mean, old.astype(jnp.float32)) + fade * new, y

  def _shrink(self, cond: Cond, side: int) -> Cond:
    """Conditions with the hint, if there is one, of another side."""
    if not cond or HINT not in cond:
      return cond
    return {**cond, HINT: self._resize(cond[HINT], side)}

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
    x: the noisy image, scaled to unit variance.
    noise: its noise.
    cond: its conditions.
    train: whether dropout is on.
    extra: features of the next outer level, added to the first features.
  """

  x: Images
  noise: LevelNoise
  cond: Cond
  train: bool
  extra: Features | float = 0.0

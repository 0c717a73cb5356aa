"""Base classes of the networks.

Every network takes its section of the config as `options`. Its other attributes
come from the task and the stage: image sizes, conditions, rematerialization.
"""

from __future__ import annotations

import flax.linen as nn
from jax.typing import DTypeLike

from jaxgen.config.models import ModelConfig
from jaxgen.config.stages import Remat
from jaxgen.models.conditioning import ConditionSizes, ImageConditions
from jaxgen.models.resampling import TransferRules


class Network(nn.Module, kw_only=True):
  """A network described by a section `model`.

  Attributes:
    options: the section.
    resolution: side of the training images in pixels.
    channels: channels of the images.
    remat: activations recomputed in the backward pass.
    dtype: type of the computation; parameters are float32.
  """

  options: ModelConfig
  resolution: int
  channels: int
  remat: Remat
  dtype: DTypeLike

  def rules(self, old: Network) -> TransferRules:
    """Rules for transferring parameters from `old`, the same network at another
    resolution; empty if all shapes are equal."""
    return {}


class DenoisingNetwork(Network, kw_only=True):
  """The inner network of a denoiser, `(x (b, h, w, channels), c_noise (b,),
  cond)` to the shape of `x`, at the training resolution or others.

  Attributes:
    condition_sizes: name and number of values of each condition.
    image_conditions: name and channels of each image condition: the unevenness
      of the noise (`noise_map`, see `diffusion.edm.precondition`), or `hint`.
  """

  condition_sizes: ConditionSizes
  image_conditions: ImageConditions

  def new_channels(self, old: DenoisingNetwork) -> int:
    """The channels of image conditions that `old` lacks; its own come first.

    Raises:
      ValueError: this network lacks one of `old`.
    """
    before, now = old.image_conditions, self.image_conditions
    if now[: len(before)] != before:
      raise ValueError(f"expected image conditions {before}, got {now}")
    return sum(channels for _, channels in now[len(before) :])

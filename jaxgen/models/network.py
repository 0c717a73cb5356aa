"""Base classes of the networks.

Every network takes its section of the config as `options`. The rest comes from
the task and the stage: sizes of images and conditions, rematerialization.
"""

from __future__ import annotations

import flax.linen as nn
from jax.typing import DTypeLike

from jaxgen.config.models import ModelConfig
from jaxgen.config.stages import Remat
from jaxgen.models.conditioning import ConditionSizes
from jaxgen.models.resampling import TransferRules


class Network(nn.Module, kw_only=True):
  """A network that a section `model` describes.

  Attributes:
    options: the section.
    resolution: side of the training images in pixels.
    channels: channels of the images.
    remat: activations that the gradient recomputes.
    dtype: type of the computation; parameters are float32.
  """

  options: ModelConfig
  resolution: int
  channels: int
  remat: Remat
  dtype: DTypeLike

  def rules(self, old: Network) -> TransferRules:
    """Rules for the parameters of a model of the same kind at another
    resolution; none where all keep their shapes."""
    return {}


class DenoisingNetwork(Network, kw_only=True):
  """The inner network of a denoiser, `(x (b, h, w, channels), c_noise (b,),
  cond)` to the shape of `x`, at the resolution of training or others.

  Attributes:
    condition_sizes: name and number of values of each condition.
    cond_channels: channels of an image as a condition, `cond["dense"]`.
  """

  condition_sizes: ConditionSizes
  cond_channels: int

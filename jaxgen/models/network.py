"""Base classes of the networks.

Every network takes its section of the config as `options`. Its other attributes
come from the task and the stage: image sizes, conditions, rematerialization.
"""

from __future__ import annotations

import flax.linen as nn
from jax.typing import DTypeLike
from jaxtyping import Float

from jaxgen.config.models import ModelConfig
from jaxgen.config.stages import Remat
from jaxgen.models.conditioning import ConditionSizes, ImageConditions
from jaxgen.models.resampling import TransferRules
from jaxgen.typing import Array

Images = Float[Array, "b h w c"]
Latents = Float[Array, "b *latent"]


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


class PosteriorNetwork(Network, kw_only=True):
  """An autoencoder with a posterior over the latents of an image."""

  def posterior(
    self, images: Images, train: bool = False
  ) -> tuple[Latents, Latents | None]:
    """Mean and log variance of the latents, float32, for images in [-1, 1];
    the log variance is None without one."""
    raise NotImplementedError

  def outputs(
    self, latents: Latents, train: bool = False
  ) -> dict[str, Float[Array, "b ..."]]:
    """The float32 `image`, and what else is predicted from latents."""
    raise NotImplementedError

  def encode(self, images: Images, train: bool = False) -> Latents:
    """The posterior's mean."""
    return self.posterior(images, train)[0]

  def decode(self, latents: Latents, train: bool = False) -> Images:
    """The image only."""
    return self.outputs(latents, train)["image"]

  def __call__(
    self, images: Images, train: bool = False
  ) -> dict[str, Float[Array, "b ..."]]:
    """`outputs(encode(images))`."""
    return self.outputs(self.encode(images, train), train)


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

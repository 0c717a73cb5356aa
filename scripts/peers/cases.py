"""The networks that are timed, each with its weights and inputs."""

from __future__ import annotations

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxgen.config.denoisers import DiTConfig, UNetConfig
from jaxgen.config.files import load_experiment
from jaxgen.config.models import (
  ConvAutoencoderConfig,
  ModelConfig,
  PatchAutoencoderConfig,
)
from jaxgen.models.build import build

KL_WEIGHT = 1e-4
Inputs = tuple[np.ndarray, np.ndarray]  # images, and noise or noise levels


@dataclasses.dataclass(frozen=True, kw_only=True)
class Case:
  """A network at one resolution and batch size, in float32.

  Attributes:
    name: its name in the table.
    model: the section `model`.
    resolution: side of the images in pixels.
    batch: images.
    goals: largest accepted time relative to eager PyTorch, by pass.
    channels: channels of the images.
  """

  name: str
  model: ModelConfig
  resolution: int
  batch: int
  goals: dict[str, float] = dataclasses.field(default_factory=dict)
  channels: int = 3

  @property
  def denoises(self) -> bool:
    """Whether the second input is a noise level."""
    return isinstance(self.model, UNetConfig | DiTConfig)

  @property
  def network(self) -> Any:
    """The network, unbound."""
    return build(self.model, resolution=self.resolution, channels=self.channels)

  def predict(
    self, params: Any, images: jax.Array, noise: jax.Array
  ) -> tuple[jax.Array, jax.Array | float]:
    """The network's images, and the KL divergence of the latents."""
    network = self.network
    if self.denoises:
      return network.apply(params, images, noise), 0.0
    if isinstance(self.model, PatchAutoencoderConfig):
      return network.apply(params, images), 0.0
    mean, log_variance = network.apply(params, images, method="posterior")
    latents = mean + jnp.exp(log_variance / 2) * noise
    outputs = network.apply(params, latents, method="outputs")
    kl = jnp.square(mean) + jnp.exp(log_variance) - 1 - log_variance
    return outputs["image"], kl.mean() / 2

  def loss(self, params: Any, images: jax.Array, noise: jax.Array) -> jax.Array:
    """Squared and absolute error, and the KL divergence."""
    prediction, kl = self.predict(params, images, noise)
    error = prediction - images
    return jnp.square(error).mean() + jnp.abs(error).mean() + KL_WEIGHT * kl

  def inputs(self) -> Inputs:
    """Random images, and the second input of `predict`."""
    generator = np.random.default_rng(0)
    shape = self.batch, self.resolution, self.resolution, self.channels
    noise: tuple[int, ...] = (self.batch,)
    if isinstance(self.model, ConvAutoencoderConfig):
      side = self.resolution // 2**self.model.downsampling_steps
      noise = self.batch, side, side, self.model.latent_channels
    draw = lambda s: generator.normal(size=s).astype(np.float32)  # noqa: E731
    return draw(shape) / 2, draw(noise)

  def weights(self) -> Any:
    """Random weights, none of them 0: with the networks' own initial values
    most layers would multiply by 0."""
    generator = np.random.default_rng(1)
    images, noise = self.inputs()
    arguments = (images, noise) if self.denoises else (images,)
    init = self.network.init
    shapes = jax.eval_shape(init, jax.random.key(0), *arguments)

    def draw(path: Any, leaf: jax.ShapeDtypeStruct) -> np.ndarray:
      values = generator.normal(size=leaf.shape).astype(np.float32)
      if path[-1].key == "kernel":
        return values / np.sqrt(np.prod(leaf.shape[:-1]), dtype=np.float32)
      return np.float32(path[-1].key == "scale") + values / 10

    return jax.tree.map_with_path(draw, shapes)


FLOAT32: Any = {"dtype": "float32"}


def configured(config: str, *, name: str, batch: int, goal: float) -> Case:
  """The case of a config's model at its first resolution, in float32."""
  experiment = load_experiment(config, [])
  return Case(
    name=name,
    model=dataclasses.replace(experiment.model, **FLOAT32),
    resolution=experiment.stages[0].resolution,
    batch=batch,
    goals={"train": goal},
    channels=experiment.data.channels,
  )


UNET = Case(
  name="unet",
  model=UNetConfig(
    width=64,
    multipliers=(1, 2, 2),
    attention=(False, True, False),
    num_res_blocks=2,
    **FLOAT32,
  ),
  resolution=32,
  batch=8,
  goals={"train": 1.05},
)
VAE = configured("faces_vae:small", name="vae", batch=32, goal=1.15)
PATCH_AE = configured(
  "textures_patch_ae:demo", name="patch_ae", batch=64, goal=0.65
)
DIT = DiTConfig(patch_size=2, width=192, **FLOAT32)
DIT_64 = Case(  # 1,024 tokens
  name="dit_64", model=DIT, resolution=64, batch=4, goals={"train": 1.05}
)
DIT_128 = Case(  # 4,096 tokens
  name="dit_128", model=DIT, resolution=128, batch=1, goals={"train": 1.05}
)
CASES = {x.name: x for x in (UNET, VAE, PATCH_AE, DIT_64, DIT_128)}


def smallest(case: Case) -> Case:
  """The case with the smallest network and 2 images, for tests."""
  sizes: Any = case.model.smoke
  model = dataclasses.replace(case.model, **sizes)
  return dataclasses.replace(case, model=model, batch=2)

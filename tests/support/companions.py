"""Companions made in memory, and runs of denoisers of their latents."""

import pathlib
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from support.configs import toy, toy_denoiser

from jaxgen.config.defaults import mlp
from jaxgen.config.parse import parse
from jaxgen.parallel.sharding import Layout, make_mesh
from jaxgen.sample.denoiser import DenoiserRun
from jaxgen.tasks import families
from jaxgen.tasks.companion import NONE, Companion, Companions
from jaxgen.tasks.space import identity_codec
from jaxgen.tasks.task import Task
from jaxgen.typing import Array, Codec, Params

SIDE, D = 8, 8  # of images, of latents that are vectors
SHAPE = (SIDE, SIDE, 1)
STUB: Any = None  # what no test reads


def companion(
  codec: Callable[[Params], Codec],
  params: Params,
  latent_shape: tuple[int, ...],
  image_shape: tuple[int, int, int] = SHAPE,
) -> Companion:
  """A companion with a codec and nothing else."""
  task = Task(
    model=None,
    init=STUB,
    loss=STUB,
    evaluate=STUB,
    preview=STUB,
    preview_rows=(),
    batch_fields=("image",),
    metric="psnr",
    latent_shape=latent_shape,
    codec=codec,
  )
  return Companion(
    task=task,
    experiment=parse(toy()),
    image_shape=image_shape,
    params=params,
    step=7,
    digest="a" * 32,
    origin="runs/ae",
  )


def identity() -> Companion:
  """Latents that are the images."""
  return companion(lambda params: identity_codec(SHAPE, params), {}, SHAPE)


def linear(log_variance: float | None = None, seed: int = 0) -> Companion:
  """Vectors of `D` numbers by an orthonormal basis; variational with a log
  variance."""
  rng = np.random.default_rng(seed)
  spread = 0.0 if log_variance is None else log_variance
  basis = np.linalg.qr(rng.normal(size=(SIDE * SIDE, D)))[0]

  def codec(params: Params) -> Codec:
    def mean(images: Array) -> Array:
      return images.reshape(len(images), -1) @ params["basis"]

    def posterior(images: Array) -> tuple[Array, Array]:
      z = mean(images)
      return z, jnp.full_like(z, spread)

    def encode(images: Array, key: Array | None = None) -> Array:
      z = mean(images)
      if key is None or log_variance is None:
        return z
      noise = jax.vmap(lambda k: jax.random.normal(k, (D,)))(key)
      return z + jnp.exp(spread / 2) * noise

    return Codec(
      encode=encode,
      decode=lambda latents: (latents @ params["basis"].T).reshape(-1, *SHAPE),
      latent_shape=(D,),
      posterior=None if log_variance is None else posterior,
    )

  return companion(codec, {"basis": basis.astype(np.float32)}, (D,))


def halved() -> Companion:
  """Small images of half the side, by means of squares."""
  shape = SIDE // 2, SIDE // 2, 1

  def means(x: Array) -> Array:
    return x.reshape(-1, 4, 2, 4, 2, 1).mean((2, 4))

  def codec(params: Params) -> Codec:
    return Codec(
      encode=lambda images, key=None: means(images),
      decode=lambda latents: jnp.repeat(jnp.repeat(latents, 2, 1), 2, 2),
      latent_shape=shape,
    )

  return companion(codec, {}, shape)


def small_autoencoder(**model: Any) -> Companion:
  """A patch autoencoder of width 16 with random weights."""
  fields = {"width": 16, "patch_size": 4, "latent_dim": D} | model
  config = toy(model=fields, stages={"resolution": (SIDE,)})
  experiment = parse(config)
  task = families.build(experiment, {})
  params = jax.tree.map(np.asarray, jax.jit(task.init)(jax.random.key(0)))
  return Companion(
    task=task,
    experiment=experiment,
    image_shape=SHAPE,
    params=params,
    step=7,
    digest="b" * 32,
    origin="runs/ae",
  )


def companions(codec: Companion | None) -> Companions:
  """It alone, as the codec; None: none."""
  return NONE if codec is None else Companions(runs={"codec": codec})


def config_of(codec: Companion | None, **sections: dict[str, Any]) -> Any:
  """A denoiser's config in the latents of a companion; None: of pixels."""
  vectors = codec is not None and len(codec.task.latent_shape) == 1
  model = {"depth": 1} | ({} if vectors else {"patch_size": 4})
  config = toy_denoiser(stages={"resolution": (SIDE,)})
  if vectors:
    config.model = mlp()
    config.model.width = 32
  config.model.update(model)
  config.latent.run = codec.origin if codec else ""
  for name, values in sections.items():
    config[name].update(values)
  return config


def task_of(codec: Companion | None, **sections: dict[str, Any]) -> Task:
  """The task of a denoiser in its latents."""
  experiment = parse(config_of(codec, **sections))
  return families.build(experiment, {}, companions=companions(codec))


def random_params(task: Task, seed: int = 0) -> Params:
  """Parameters that are nowhere zero."""
  rng = np.random.default_rng(seed)
  shapes = jax.eval_shape(task.init, jax.random.key(0))
  return jax.tree.map(
    lambda x: rng.normal(0, 0.1, x.shape).astype(x.dtype), shapes
  )


def run_of(codec: Companion | None, **sections: dict[str, Any]) -> DenoiserRun:
  """A loaded run of a denoiser in its latents, with random weights."""
  experiment = parse(config_of(codec, **sections))
  found = companions(codec)
  task = families.build(experiment, {}, companions=found)
  return DenoiserRun(
    workdir=pathlib.Path("run"),
    experiment=experiment,
    names={},
    layout=Layout(mesh=make_mesh(jax.devices()[:1])),
    companions=found,
    task=task,
    params=random_params(task),
    step=0,
    stage=0,
    sigma_rel=None,
  )


def images(num: int = 4, seed: int = 0) -> Any:
  """Random uint8 images."""
  rng = np.random.default_rng(seed)
  return rng.integers(0, 256, (num, *SHAPE), dtype=np.uint8)

"""Laws of hybrids, for images and latents that are jointly normal.

Rows x of pixels are N(0, S), latents z = E x. The best decoder is linear, A z =
E[x | z] with A = S E' (E S E')^-1, and the residual x - A z is N(0, R) with
R = S - A E S, independent of z: a hybrid with the exact denoiser samples the
posterior of x given z.
"""

from __future__ import annotations

import dataclasses
import functools
import pathlib
from typing import Any

import jax.numpy as jnp
import numpy as np

from jaxgen.config import defaults
from jaxgen.config.parse import parse
from jaxgen.diffusion import analytic
from jaxgen.laws.law import Law
from jaxgen.parallel.sharding import Layout, make_mesh
from jaxgen.sample.autoencoder import AutoencoderRun
from jaxgen.sample.painter import PainterRun
from jaxgen.tasks import families
from jaxgen.tasks.companion import Companion, Companions
from jaxgen.tasks.residual import SCALE
from jaxgen.tasks.task import Task
from jaxgen.typing import Array, Codec, Params

SIDE, LATENTS, STD, CORRELATION = 8, 4, 0.2, 0.8
SIGMA_DATA = 0.5
IMAGES, PAINTS = 256, 64
STEPS = 64  # of 18 the variance is 10% too large


def covariance() -> np.ndarray:
  """S: neighbors are correlated."""
  i = np.arange(SIDE)
  return STD**2 * CORRELATION ** np.abs(i[:, None] - i)


def encoder() -> np.ndarray:
  """E: means of neighboring pixels."""
  return np.kron(np.eye(LATENTS), np.full((1, SIDE // LATENTS), LATENTS / SIDE))


def decoder() -> np.ndarray:
  """A."""
  s, e = covariance(), encoder()
  return s @ e.T @ np.linalg.inv(e @ s @ e.T)


def residual_covariance() -> np.ndarray:
  """R."""
  s = covariance()
  return s - decoder() @ encoder() @ s


def images(num: int, seed: int = 0) -> np.ndarray:
  """Images float32 `(num, SIDE, SIDE, 1)` of independent rows N(0, S)."""
  root = np.linalg.cholesky(covariance())
  white = np.random.default_rng(seed).normal(size=(num, SIDE, SIDE))
  return (white @ root.T)[..., None].astype(np.float32)


def codec(params: Params) -> Codec:
  """The linear codec of parameters."""
  rows = lambda matrix, x: jnp.einsum("ki,bhic->bhkc", matrix, x)  # noqa: E731

  def encode(images: Array, key: Array | None = None) -> Array:
    return rows(params["encoder"], images)

  return Codec(
    encode=encode,
    decode=lambda latents: rows(params["decoder"], latents),
    latent_shape=(SIDE, LATENTS, 1),
  )


def hybrid() -> PainterRun:
  """A hybrid of the best linear autoencoder and the exact denoiser."""
  scale = SIGMA_DATA / np.sqrt(np.trace(residual_covariance()) / SIDE)
  autoencoder = _autoencoder()
  companion = Companion(
    task=autoencoder.task,
    experiment=autoencoder.experiment,
    image_shape=autoencoder.image_shape,
    params=autoencoder.params,
    step=0,
    digest="",
    origin="autoencoder",
  )
  companions = Companions(
    runs={"hint": companion}, numbers={SCALE: np.asarray(scale, np.float32)}
  )
  config = _config(defaults.denoiser(defaults.dit()))
  config.diffusion.update(target="residual", sigma_data=SIGMA_DATA)
  config.hint.update(kind="reconstruction", run="autoencoder", drop_prob=0.0)
  denoise = analytic.correlated(scale**2 * residual_covariance())
  fields = _fields(config, companions)
  task = dataclasses.replace(fields["task"], denoiser=lambda params: denoise)
  return PainterRun(**fields | {"task": task}, autoencoder=autoencoder)


def _autoencoder() -> AutoencoderRun:
  fields = _fields(_config(defaults.autoencoder()), Companions())
  task: Task = dataclasses.replace(
    fields["task"], codec=codec, latent_shape=(SIDE, LATENTS, 1)
  )
  matrices = {"encoder": encoder(), "decoder": decoder()}
  params = {k: jnp.asarray(v, jnp.float32) for k, v in matrices.items()}
  return AutoencoderRun(**fields | {"task": task, "params": params})


def _config(config: Any) -> Any:
  """A config of tiles of the laws' size."""
  config.data.channels = 1
  config.stages.resolution = (SIDE,)
  config.model.patch_size = SIDE // 2
  return config


def _fields(config: Any, companions: Companions) -> dict[str, Any]:
  """The fields of a loaded run without parameters."""
  experiment = parse(config)
  return {
    "workdir": pathlib.Path("run"),
    "experiment": experiment,
    "names": {},
    "layout": Layout(mesh=make_mesh(None)),
    "companions": companions,
    "task": families.build(experiment, {}, companions=companions),
    "params": {},
    "step": 0,
    "stage": 0,
    "sigma_rel": None,
  }


@functools.cache
def _painted() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
  """Images, their reconstructions, and paints `(PAINTS, IMAGES, ...)`."""
  run, x = hybrid(), images(IMAGES)
  hints = run.autoencoder.decode_float(run.encode(x))
  repeated = np.tile(x, (PAINTS, 1, 1, 1))
  paints = run.reconstruct(
    repeated, batch=len(repeated), sampler="heun", steps=STEPS
  )
  floats = paints.reshape(PAINTS, *x.shape).astype(np.float32) / 127.5 - 1
  return x, hints, floats


def mean_deviation() -> float:
  """Root mean square deviation of the mean paint from the reconstruction, in
  standard errors, where there is something to paint."""
  _, hints, paints = _painted()
  error = np.sqrt(np.diag(residual_covariance()) / PAINTS)
  z = (paints.mean(0) - hints)[..., 0] / error[None, None]
  return float(np.sqrt(np.mean(z**2)))


def covariance_error() -> float:
  """Relative distance (Frobenius) of the covariance of paints from R."""
  _, hints, paints = _painted()
  rows = (paints - hints[None]).reshape(-1, SIDE)
  expected = residual_covariance()
  found = rows.T @ rows / len(rows)
  return float(np.linalg.norm(found - expected) / np.linalg.norm(expected))


def decibels() -> float:
  """What one paint loses in PSNR against the reconstruction."""
  x, hints, paints = _painted()
  errors = np.mean((paints - x[None]) ** 2), np.mean((hints - x) ** 2)
  return float(10 * np.log10(errors[0] / errors[1]))


def color_shift() -> float:
  """Mean difference of paints and reconstructions, in gray levels."""
  _, hints, paints = _painted()
  return float(np.mean(paints - hints[None]) * 127.5)


LAWS = (
  Law(
    name="hybrid: mean of 64 paints - reconstruction, in standard errors",
    source="E[paint | z] = A z",
    expected=1,
    tolerance=0.04,
    measure=mean_deviation,
  ),
  Law(
    name="hybrid: covariance of paints, relative error",
    source="S - S E' (E S E')^-1 E S",
    expected=0,
    tolerance=0.02,
    measure=covariance_error,
  ),
  Law(
    name="hybrid: PSNR of reconstruction - PSNR of a paint",
    source="10 log10 2: a posterior sample errs twice as much as the mean",
    expected=3.0103,
    tolerance=0.05,
    measure=decibels,
  ),
  Law(
    name="hybrid: color shift of a paint, gray levels",
    source="E[paint | z] = A z",
    expected=0,
    tolerance=0.1,
    measure=color_shift,
  ),
)

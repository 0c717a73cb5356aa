"""A run whose denoiser has a closed form, at any resolution."""

import dataclasses
import pathlib
import types
from collections.abc import Callable

import jax.numpy as jnp
import numpy as np
from support.configs import toy_denoiser

from jaxgen.config.parse import parse
from jaxgen.diffusion.edm import per_image
from jaxgen.evaluation import resolutions
from jaxgen.evaluation.sensors import Sensor
from jaxgen.parallel.sharding import Layout, make_mesh
from jaxgen.sample.denoiser import DenoiserRun
from jaxgen.tasks.space import pixels
from jaxgen.typing import DenoiseFn
from jaxgen.workdir import resolutions_file

FULL, SPREAD = 16, 0.3


def white(resolution: int) -> DenoiseFn:
  """The denoiser of white images; means of squares of them are less spread."""
  spread = SPREAD * resolution / FULL

  def denoise(x, sigma, cond=None):
    return x * spread**2 / (spread**2 + per_image(sigma) ** 2)

  return denoise


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class ExactRun(DenoiserRun):
  """A run of a denoiser by resolution."""

  denoise_at: Callable[[int], DenoiseFn] = white

  def task_at(self, resolution):
    denoise = self.denoise_at(resolution)
    return types.SimpleNamespace(
      denoiser=lambda params: denoise,
      set_fade=None,
      space=pixels((resolution, resolution, 1)),
      hint=None,
    )


def exact_run(
  workdir: pathlib.Path,
  denoise_at: Callable[[int], DenoiseFn] = white,
  *,
  noise_map: bool = True,
) -> ExactRun:
  """A run in a folder."""
  config = toy_denoiser(
    stages={"resolution": (FULL,)}, diffusion={"noise_map": noise_map}
  )
  run = ExactRun(
    workdir=workdir,
    experiment=parse(config),
    names={},
    layout=Layout(mesh=make_mesh()),
    task=None,  # pyright: ignore[reportArgumentType]
    params={"w": jnp.zeros(3)},
    step=7,
    stage=0,
    sigma_rel=None,
    denoise_at=denoise_at,
  )
  return dataclasses.replace(run, task=run.task_at(FULL))


def tiles(num: int = 96) -> np.ndarray:
  """White images."""
  found = np.random.default_rng(0).normal(0, SPREAD, (num, FULL, FULL, 1))
  return found.astype(np.float32)


def write_table(run: ExactRun) -> resolutions_file.Resolutions:
  """Write the run's table, with exact times and memory: r / 100 s and 1000 r
  bytes for a tile of r pixels, half of them for each window of several. It is
  of the images of `tiles`."""
  sensors = [Sensor(photons=p) for p in (5.0, 100.0)]
  found = resolutions.measure(run, [8, 16], sensors=sensors, num=32, batch=32)
  rows = [
    dataclasses.replace(
      x,
      seconds=x.resolution / 100,
      bytes=1000 * x.resolution,
      window_bytes=500 * x.resolution,
    )
    for x in found.table.rows
  ]
  exact = dataclasses.replace(found.table, rows=tuple(rows))
  found = dataclasses.replace(found, table=exact)
  resolutions_file.write(run.workdir, found)
  return found

"""A run whose denoiser is exact for white images, at any resolution."""

import dataclasses
import pathlib
import types

import jax.numpy as jnp
import numpy as np
from support.configs import toy_denoiser

from jaxgen.config.parse import parse
from jaxgen.diffusion.edm import per_image
from jaxgen.evaluation import resolutions
from jaxgen.evaluation.sensors import Sensor
from jaxgen.parallel.sharding import Layout, make_mesh
from jaxgen.sample.denoiser import DenoiserRun
from jaxgen.workdir import resolutions_file

FULL, SPREAD = 16, 0.3


class ExactRun(DenoiserRun):
  """The run; means of squares of its images are less spread."""

  def task_at(self, resolution):
    spread = SPREAD * resolution / FULL

    def denoise(x, sigma, cond=None):
      return x * spread**2 / (spread**2 + per_image(sigma) ** 2)

    return types.SimpleNamespace(denoiser=lambda params: denoise, set_fade=None)


def exact_run(workdir: pathlib.Path) -> ExactRun:
  """The run in a folder."""
  config = toy_denoiser(
    stages={"resolution": (FULL,)}, diffusion={"noise_map": True}
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
  )
  return dataclasses.replace(run, task=run.task_at(FULL))


def tiles(num: int = 96) -> np.ndarray:
  """Images of the run."""
  found = np.random.default_rng(0).normal(0, SPREAD, (num, FULL, FULL, 1))
  return found.astype(np.float32)


def write_table(run: ExactRun) -> resolutions_file.Resolutions:
  """Write the run's table, with exact times and memory: r / 100 s and 1000 r
  bytes for a tile of r pixels. Its tiles are those of `tiles`."""
  sensors = [Sensor(photons=p) for p in (5.0, 100.0)]
  found = resolutions.measure(run, [8, 16], sensors=sensors, num=32, batch=32)
  rows = [
    dataclasses.replace(
      x, seconds=x.resolution / 100, bytes=1000 * x.resolution
    )
    for x in found.table.rows
  ]
  exact = dataclasses.replace(found.table, rows=tuple(rows))
  found = dataclasses.replace(found, table=exact)
  resolutions_file.write(run.workdir, found)
  return found

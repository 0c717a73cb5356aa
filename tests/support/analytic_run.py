"""A loaded run whose denoiser has a closed form."""

import dataclasses
import pathlib

from support.configs import toy_denoiser

from jaxgen.config.parse import parse
from jaxgen.diffusion import analytic
from jaxgen.parallel.sharding import Layout, make_mesh
from jaxgen.sample.denoiser import DenoiserRun
from jaxgen.tasks import families
from jaxgen.typing import DenoiseFn

MEAN, STD = -0.2, 0.3
PIXELS = analytic.gaussian(MEAN, STD)


def analytic_run(
  denoise: DenoiseFn = PIXELS,
  *,
  side: int = 8,
  channels: int = 1,
  noise_map: bool = True,
) -> DenoiserRun:
  """A run of a denoiser of images of `side` pixels."""
  config = toy_denoiser(
    data={"channels": channels},
    stages={"resolution": (side,)},
    diffusion={"noise_map": noise_map},
  )
  experiment = parse(config)
  task = families.build(experiment, {})
  return DenoiserRun(
    workdir=pathlib.Path("run"),
    experiment=experiment,
    names={},
    layout=Layout(mesh=make_mesh(None)),
    task=dataclasses.replace(task, denoiser=lambda params: denoise),
    params={},
    step=0,
    stage=0,
    sigma_rel=None,
  )

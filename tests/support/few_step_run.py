"""A loaded run of a few-step model of Gaussian pixels, which is exact."""

import dataclasses
import pathlib

import jax.numpy as jnp
from support.configs import toy_denoiser, toy_few_steps

from jaxgen.config.parse import parse
from jaxgen.diffusion import analytic
from jaxgen.diffusion.edm import per_image
from jaxgen.laws.few_steps import flow_map_denoiser
from jaxgen.parallel.sharding import Layout, make_mesh
from jaxgen.sample.denoiser import DenoiserRun
from jaxgen.tasks import families

STD, SIDE = 0.3, 8


def to_the_end(x, sigma, cond=None):
  """The consistency function."""
  return x * STD / jnp.hypot(STD, per_image(sigma))


EXACT = {
  "": analytic.gaussian(0.0, STD),
  "ect": to_the_end,
  "mean_flow": flow_map_denoiser(STD),
}


def few_step_run(method: str) -> DenoiserRun:
  """A run by a method; empty: of the denoiser."""
  sections = {"stages": {"resolution": (SIDE,)}, "model": {"patch_size": 4}}
  if method:
    config = toy_few_steps(consistency={"method": method}, **sections)
  else:
    config = toy_denoiser(**sections)
  experiment = parse(config)
  task = families.build(experiment, {})
  return DenoiserRun(
    workdir=pathlib.Path("run"),
    experiment=experiment,
    names={},
    layout=Layout(mesh=make_mesh(None)),
    task=dataclasses.replace(task, denoiser=lambda params: EXACT[method]),
    params={},
    step=0,
    stage=0,
    sigma_rel=None,
  )

"""A loaded run of a denoiser with hints, which has a closed form."""

import dataclasses
import pathlib
from typing import Any

import jax.numpy as jnp
from support.configs import toy_denoiser

from jaxgen.config.parse import parse
from jaxgen.diffusion.edm import per_image
from jaxgen.parallel.sharding import Layout, make_mesh
from jaxgen.sample.denoiser import DenoiserRun
from jaxgen.tasks import families

NAMES = {"kind": ("a", "b")}


def told(x, sigma, cond: Any = None):
  """An affine denoiser that answers with its conditions."""
  label, hint = cond["kind"], cond.get("hint")
  d = 0 * x + per_image(jnp.where(label < 0, 0.0, 0.05 * (1.0 + label)))
  if hint is None:
    return d
  presence = hint[..., -1:]
  return d + 0.2 * hint[..., :1] + 0.3 * presence


def hinted_run(denoise: Any = told, side: int = 8, **hint: Any) -> DenoiserRun:
  """A run of images of `side` pixels."""
  config = toy_denoiser(
    data={"source": "rocks"},
    stages={"resolution": (side,)},
    diffusion={"conditions": ("kind",)},
    hint={"kind": "lowres", "factor": 2} | hint,
  )
  experiment = parse(config)
  task = families.build(experiment, NAMES)
  return DenoiserRun(
    workdir=pathlib.Path("run"),
    experiment=experiment,
    names=NAMES,
    layout=Layout(mesh=make_mesh(None)),
    task=dataclasses.replace(task, denoiser=lambda params: denoise),
    params={},
    step=0,
    stage=0,
    sigma_rel=None,
  )

"""Few-step models on latents, residuals and with hints: traced, not run."""

from typing import Any

import jax
import jax.numpy as jnp
import pytest
from support import companions
from support.companions import SIDE
from support.configs import toy_few_steps

from jaxgen.config.defaults import mlp
from jaxgen.config.parse import parse
from jaxgen.tasks import families
from jaxgen.tasks.companion import Companions
from jaxgen.typing import LossInputs

N = 6
RECONSTRUCTION = {"kind": "reconstruction", "run": "runs/ae", "drop_prob": 0.0}
CASES = {  # companion, sections, shape of a state
  "vectors": ("codec", companions.linear, {}, (1, 1, 8)),
  "small images": ("codec", companions.halved, {}, (4, 4, 1)),
  "residuals": (
    "hint",
    companions.small_autoencoder,
    {"diffusion": {"target": "residual"}, "hint": RECONSTRUCTION},
    (SIDE, SIDE, 1),
  ),
  "edges": ("", None, {"hint": {"kind": "edges"}}, (SIDE, SIDE, 1)),
}


def build(case, method) -> Any:
  name, make, sections, shape = CASES[case]
  config = toy_few_steps(
    stages={"resolution": (SIDE,)},
    model={"patch_size": 2},
    consistency={"method": method},
    **sections,
  )
  if name == "codec":
    config.latent.run = "runs/ae"
  if shape[0] == 1:
    config.model = mlp()
  runs = {name: make()} if name else {}
  found = Companions(runs=runs)
  task = families.build(parse(config), {}, companions=found)
  return task, found.frozen(task), shape


@pytest.mark.parametrize("method", ["ect", "mean_flow"])
@pytest.mark.parametrize("case", CASES)
def test_losses_scores_and_previews_fit_together(case, method):
  task, frozen, shape = build(case, method)
  assert task.space.shape == shape
  params = jax.eval_shape(task.init, jax.random.key(0))
  batch = {"image": jnp.zeros((N, SIDE, SIDE, 1), jnp.uint8)}
  keys = jax.random.split(jax.random.key(0), N)
  inputs = LossInputs(frozen=frozen)
  loss, _ = jax.eval_shape(task.loss, params, batch, keys, inputs)
  assert loss.shape == ()
  scores = jax.eval_shape(task.evaluate, params, batch, inputs)
  assert all(x.shape[0] == N for x in scores.values())
  assert scores["mean_1"].shape == (N, *shape)
  rows = jax.eval_shape(
    lambda p: task.preview(p, batch, keys, density=None, inputs=inputs), params
  )
  assert rows.shape == (len(task.preview_rows), N, SIDE, SIDE, 1)

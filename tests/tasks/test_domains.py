"""Adaptive weights of domains in a denoiser's loss."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image
from support.configs import check, programs, toy, toy_denoiser

from jaxgen.errors import UserError
from jaxgen.tasks import domains
from jaxgen.train.schedule import stage_schedule
from jaxgen.train.state import from_trees, to_trees
from jaxgen.typing import LossInputs


@pytest.fixture
def path(tmp_path):
  """Two domains: images of one value, and noise."""
  rng = np.random.default_rng(0)
  for i in range(6):
    flat = np.full((16, 16), 20 * i, np.uint8)
    noise = rng.integers(0, 255, (16, 16)).astype(np.uint8)
    for name, pixels in (("flat", flat), ("noise", noise)):
      (tmp_path / name).mkdir(exist_ok=True)
      Image.fromarray(pixels).save(tmp_path / name / f"{i}.png")
  return tmp_path


def config(path, **data):
  given = {"source": "folder", "path": str(path), "balance": "adaptive"}
  return toy_denoiser(
    data=given | data, stages={"resolution": (16,), "batch_size": (8,)}
  )


def test_weights_are_of_the_domains_and_survive_a_checkpoint(path):
  (program,) = programs(config(path), devices=1)
  schedule = stage_schedule(program.experiment, 0, 0)
  batches = program.batches(0)
  data = [next(batches) for _ in range(4)]
  batches.close()
  state, metrics = program.fresh_state(), {}
  for batch in data[:2]:
    state, metrics = program.update(state, batch, schedule)
  assert metrics["domain_share/flat"] == metrics["domain_share/noise"] == 0.5
  saved = jax.tree.map(np.asarray, to_trees(state))
  ways = []
  for start in (state, from_trees(jax.tree.map(jnp.asarray, saved))):
    for batch in data[2:]:
      start, metrics = program.update(start, batch, schedule)
    ways.append(start)
  jax.tree.map(np.testing.assert_array_equal, *map(to_trees, ways))
  inputs = program.loss_inputs(ways[0]).weights[domains.WEIGHTS]
  np.testing.assert_allclose(np.mean(inputs), 1, rtol=1e-6)
  losses = ways[0].control["loss"]["loss"] / ways[0].control["loss"]["share"]
  assert (inputs[1] > inputs[0]) == (losses[1] > losses[0])


def test_a_weight_multiplies_the_losses_of_its_domain():
  loss, batch = jnp.array([1.0, 2.0, 4.0]), {"label": jnp.array([1, 0, -1])}
  assert domains.weigh(loss, batch, LossInputs()).tolist() == [1, 2, 4]
  inputs = LossInputs(weights={domains.WEIGHTS: jnp.array([0.5, 1.5])})
  assert domains.weigh(loss, batch, inputs).tolist() == [1.5, 1.0, 4.0]


def test_one_domain_or_an_autoencoder_has_no_adaptive_weights(path):
  for wrong in (
    config(path / "flat"),
    toy(data={"balance": "adaptive"}),
  ):
    with pytest.raises(UserError, match="data.balance"):
      check(wrong)

"""The training state."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from support.programs import denoiser, integer_state, program

from jaxgen.train.state import from_trees, is_finite, to_trees
from jaxgen.trees import named


def test_averages_start_at_the_parameters():
  state = denoiser(1).fresh_state()
  assert state.ema_profiles.keys() == {"0.05", "0.1"}
  for average in (state.ema, *state.ema_profiles.values()):
    jax.tree.map(np.testing.assert_array_equal, average, state.params)
  assert not any(int(x) for x in (state.step, state.images, state.skipped))


def test_a_state_is_a_function_of_the_seed():
  one, same, other = (
    named(program(1, seed=seed).fresh_state().params) for seed in (0, 0, 1)
  )
  assert all((one[k] == same[k]).all() for k in one)
  assert not all((one[k] == other[k]).all() for k in one)


@pytest.mark.parametrize("make", [program, denoiser])
def test_a_state_survives_the_way_into_a_checkpoint_and_back(make):
  state = integer_state(make(1))
  trees = to_trees(state)
  assert trees.keys() == {"state", "ema"} and "ema" not in trees["state"]
  assert all(trees["state"].values())  # no entry for what is empty
  found = from_trees(trees)
  assert jax.tree.structure(found) == jax.tree.structure(state)
  jax.tree.map(np.testing.assert_array_equal, found, state)


@pytest.mark.parametrize("field", ["params", "ema", "opt_state"])
def test_one_number_that_is_not_finite_is_found(field):
  state = program(1).fresh_state()
  assert bool(is_finite(state))
  tree = getattr(state, field)
  leaves, structure = jax.tree.flatten(tree)
  index = next(i for i, x in enumerate(leaves) if x.dtype == jnp.float32)
  leaves[index] = leaves[index].ravel().at[-1].set(jnp.nan)
  bad = dataclasses.replace(state, **{field: structure.unflatten(leaves)})
  assert not bool(is_finite(bad))

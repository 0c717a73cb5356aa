import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen.config.optimizer import OptimizerConfig
from jaxgen.errors import UserError
from jaxgen.train import optimizer

OPTIONS = OptimizerConfig()


def with_(**changes):
  return dataclasses.replace(OPTIONS, **changes)


PARAMS: dict[str, Any] = {
  "dense": {"kernel": jnp.ones((6, 4)), "bias": jnp.ones((4,))},
  "blocks": {"kernel": jnp.ones((3, 6, 4)), "scale": jnp.ones((3, 6))},
  "position_in": jnp.ones((5, 6)),
}


def test_muon_orthogonalises_kernels_and_nothing_else():
  tx = optimizer.build(with_(name="muon", clip_norm=0.0, weight_decay=0.0))
  noise = iter(jax.random.split(jax.random.key(0), 10))
  grads = jax.tree.map(
    lambda p: jax.random.normal(next(noise), p.shape), PARAMS
  )
  updates: Any = tx.update(grads, tx.init(PARAMS), PARAMS)[0]
  kernels = [updates["dense"]["kernel"], *updates["blocks"]["kernel"]]
  for kernel in kernels:
    values = jnp.linalg.svd(kernel, compute_uv=False)
    assert values.max() / values.min() < 2  # all about one
  for leaf in (updates["dense"]["bias"], updates["position_in"]):
    size = jnp.abs(leaf)  # Adam's first step: the sign, one size for all
    np.testing.assert_allclose(size, size.mean(), rtol=1e-3)


@pytest.mark.parametrize("name", ["muon", "adamw"])
def test_weight_decay_falls_on_kernels_alone(name):
  tx = optimizer.build(with_(name=name, weight_decay=0.5))
  zeros = jax.tree.map(jnp.zeros_like, PARAMS)
  updates, _ = tx.update(zeros, tx.init(PARAMS), PARAMS)
  for path, leaf in jax.tree.leaves_with_path(updates):
    expected = -0.5 if path[-1].key == "kernel" else 0.0
    np.testing.assert_allclose(leaf, expected, atol=1e-6)


def test_gradients_are_clipped_by_their_global_norm():
  """Seen through the first moment of AdamW, (1 - b1) times the gradient."""
  grads = jax.tree.map(lambda p: 100 * p, PARAMS)
  for clip, norm in ((1.0, 1.0), (0.0, None)):
    tx = optimizer.build(with_(name="adamw", clip_norm=clip))
    _, state = tx.update(grads, tx.init(PARAMS), PARAMS)
    moments = [
      x
      for k, x in jax.tree.leaves_with_path(state)
      if ".mu" in jax.tree_util.keystr(k)
    ]
    found = np.sqrt(sum(float((x**2).sum()) for x in moments))
    found /= 1 - OPTIONS.b1
    full = np.sqrt(sum(float((x**2).sum()) for x in jax.tree.leaves(grads)))
    assert found == pytest.approx(norm or full, rel=1e-3)


@pytest.mark.parametrize("field", ["name", "schedule"])
def test_an_unknown_name_is_refused(field):
  with pytest.raises(UserError, match=f"optimizer.{field}='nonsense'"):
    with_(**{field: "nonsense"})


@pytest.mark.parametrize("name", ["muon", "adamw"])
def test_each_player_has_moments_clipping_and_a_rate_of_its_own(name):
  """The updates of each are those of its tree alone, though the gradients of
  one are a thousand times larger."""
  config = with_(name=name, clip_norm=1.0, weight_decay=0.1)
  alone = optimizer.build(config)
  factors = {"generator": 1.0, "discriminator": 0.25}
  both = optimizer.build(config, tuple(factors.items()))
  params = dict.fromkeys(factors, PARAMS)
  grads = {
    "generator": PARAMS,
    "discriminator": jax.tree.map(lambda p: 1e3 * p, PARAMS),
  }
  state, own = both.init(params), {k: alone.init(PARAMS) for k in factors}
  for _ in range(2):
    updates: Any
    updates, state = both.update(grads, state, params)
    for player, factor in factors.items():
      want, own[player] = alone.update(grads[player], own[player], PARAMS)
      want = jax.tree.map(lambda x, f=factor: f * x, want)
      jax.tree.map(np.testing.assert_array_equal, updates[player], want)

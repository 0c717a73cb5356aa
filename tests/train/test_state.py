import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxgen.config.defaults import autoencoder
from jaxgen.config.optimizer import OptimizerConfig
from jaxgen.train.schedule import Schedule
from jaxgen.train.state import create, ema_decay, make_step

OPTIONS = OptimizerConfig(**autoencoder().optimizer)
PLAIN = dataclasses.replace(
  OPTIONS, schedule="constant", warmup_images=0, learning_rate=0.1
)


def loss(params, batch, key):
  """Linear, so that the gradient is the mean of the batch."""
  return jnp.mean(batch["x"] @ params["w"]), {}


def step(options=PLAIN, accumulate=1, tx=None):
  tx = tx or optax.scale(-1.0)
  state = create({"w": jnp.ones((3,))}, tx)
  update = make_step(
    loss,
    tx,
    options,
    batch_size=4,
    accumulate=accumulate,
    key=jax.random.key(0),
  )
  pace = Schedule(
    begin=0.0, planned=0.0, total=1000.0, rise=options.warmup_images
  )
  return state, jax.jit(functools.partial(update, pace=pace))


def test_a_step_goes_down_the_gradient_by_the_learning_rate():
  state, update = step()
  x = jnp.arange(12.0).reshape(4, 3)
  new, metrics = update(state, {"x": x})
  np.testing.assert_allclose(new.params["w"], 1 - 0.1 * x.mean(0), rtol=1e-6)
  assert int(new.step) == 1 and int(new.images) == 4
  assert metrics["gradient_norm"] == pytest.approx(
    float(jnp.linalg.norm(x.mean(0))), rel=1e-6
  )


def test_the_average_starts_at_the_parameters_and_halves_every_halflife():
  """Parameters that jump once: the average covers half the way after one
  half-life, in images, whatever the batch size."""
  options = dataclasses.replace(OPTIONS, ema_halflife=400, ema_ramp=1e9)
  for batch in (1, 4, 40, 400):
    ema = 0.0
    for k in range(400 // batch):
      decay = ema_decay(options, batch, jnp.uint32((k + 1) * batch))
      ema = decay * ema + (1 - decay) * 1.0
    assert ema == pytest.approx(0.5, abs=1e-4)
  state, _ = step()
  np.testing.assert_array_equal(state.ema["w"], state.params["w"])


def test_the_average_is_young_in_a_young_run():
  options = dataclasses.replace(OPTIONS, ema_halflife=1000, ema_ramp=0.05)
  early = ema_decay(options, 10, jnp.uint32(200))
  assert early == pytest.approx(0.5, rel=1e-5)  # half-life 5% of 200
  off = dataclasses.replace(OPTIONS, ema_halflife=0)
  assert ema_decay(off, 10, jnp.uint32(200)) == 0.0


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("accumulate", [1, 2])
def test_an_update_that_is_not_finite_changes_nothing_and_is_counted(
  bad, accumulate
):
  state, update = step(accumulate=accumulate, tx=optax.adam(1.0))
  state, _ = update(state, {"x": jnp.ones((4, 3))})
  poisoned = jnp.ones((4, 3)).at[2, 1].set(bad)
  new, metrics = update(state, {"x": poisoned})
  for name in ("params", "ema", "opt_state"):
    for a, b in zip(
      jax.tree.leaves(getattr(new, name)),
      jax.tree.leaves(getattr(state, name)),
      strict=True,
    ):
      np.testing.assert_array_equal(a, b)
  assert int(new.skipped) == int(metrics["skipped"]) == 1
  assert int(new.step) == 2 and int(new.images) == 8
  after, _ = update(new, {"x": jnp.ones((4, 3))})
  assert int(after.skipped) == 1
  assert (after.params["w"] != new.params["w"]).all()

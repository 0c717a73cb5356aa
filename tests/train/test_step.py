"""One update of the training state."""

import dataclasses
import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from support.configs import ROOT
from support.programs import (
  ROUNDING,
  denoiser,
  distance,
  first_batch,
  gradient,
)
from support.staged import two_stages

from jaxgen.config.files import load_experiment
from jaxgen.config.optimizer import OptimizerConfig
from jaxgen.config.stages import Stage
from jaxgen.data import pipeline
from jaxgen.images import normalize, resize
from jaxgen.tasks import families
from jaxgen.tasks.task import Task
from jaxgen.train.schedule import Schedule, stage_schedule
from jaxgen.train.state import TrainState
from jaxgen.train.step import (
  ema_decay,
  gradients,
  loss_inputs,
  make_update,
  split,
)
from jaxgen.train.transfer import transfer_state
from jaxgen.typing import LossInputs

CONFIG = OptimizerConfig()
PLAIN = dataclasses.replace(
  CONFIG, schedule="constant", warmup_images=0, learning_rate=0.1
)


def linear(params, batch, keys, inputs):
  """Linear, so that the gradient is the mean of the batch."""
  return jnp.mean(batch["x"] @ params["w"]), {}


def toy_task() -> Task:
  """A task of which training needs the loss alone."""
  nothing: Any = lambda *_, **__: {}  # noqa: E731
  return Task(
    model=None,
    init=lambda key: {"w": jnp.ones((3,))},
    loss=linear,
    evaluate=nothing,
    preview=nothing,
    preview_rows=(),
    batch_fields=("x",),
    metric="psnr",
    latent_shape=(3,),
    codec=nothing,
  )


def toy_state(transform) -> TrainState:
  zero, params = jnp.zeros((), jnp.uint32), {"w": jnp.ones((3,))}
  return TrainState(
    step=zero,
    images=zero,
    skipped=zero,
    params=params,
    ema=params,
    opt_state=transform.init(params),
    ema_profiles={},
    control={},
  )


def step(config=PLAIN, accumulate=1, tx=None):
  tx = tx or optax.scale(-1.0)
  update = make_update(
    toy_task(),
    config,
    tx,
    stage=Stage(batch_size=4, accumulate=accumulate),
    fade_from=0,
    key=jax.random.key(0),
  )
  schedule = Schedule(
    begin=0.0, planned=0.0, total=1000.0, warmup=config.warmup_images
  )
  return toy_state(tx), jax.jit(functools.partial(update, schedule=schedule))


def test_a_step_goes_down_the_gradient_by_the_learning_rate():
  state, update = step()
  x = jnp.arange(12.0).reshape(4, 3)
  new, metrics = update(state, {"x": x})
  np.testing.assert_allclose(new.params["w"], 1 - 0.1 * x.mean(0), rtol=1e-6)
  assert int(new.step) == 1 and int(new.images) == 4
  assert metrics["gradient_norm"] == pytest.approx(
    float(jnp.linalg.norm(x.mean(0))), rel=1e-6
  )


def test_frozen_parameters_reach_the_loss_and_stay():
  """Also those of an update that is not finite."""

  def loss(params, batch, keys, inputs):
    return linear(params, batch, keys, inputs)[0] * inputs.frozen["scale"], {}

  task, tx = dataclasses.replace(toy_task(), loss=loss), optax.scale(-1.0)
  frozen = {"scale": jnp.float32(3.0)}
  state = dataclasses.replace(toy_state(tx), frozen=frozen)
  assert loss_inputs(task, state).frozen == frozen
  update = make_update(
    task,
    PLAIN,
    tx,
    stage=Stage(batch_size=4, accumulate=2),
    fade_from=0,
    key=jax.random.key(0),
  )
  schedule = Schedule(begin=0.0, planned=0.0, total=1000.0)
  for x, factor in ((1.0, 0.3), (np.inf, 0.0)):
    new, _ = jax.jit(update)(state, {"x": jnp.full((4, 3), x)}, schedule)
    np.testing.assert_allclose(new.params["w"], 1 - factor, rtol=1e-6)
    assert new.frozen == frozen


def test_the_average_halves_every_halflife():
  """Parameters that jump once: the average covers half the way after one
  half-life, in images, whatever the batch size."""
  config = dataclasses.replace(CONFIG, ema_halflife=400, ema_ramp=1e9)
  for batch in (1, 4, 40, 400):
    ema = 0.0
    for k in range(400 // batch):
      decay = ema_decay(config, batch, jnp.uint32((k + 1) * batch))
      ema = decay * ema + (1 - decay) * 1.0
    assert ema == pytest.approx(0.5, abs=1e-4)


def test_the_average_is_young_in_a_young_run():
  config = dataclasses.replace(CONFIG, ema_halflife=1000, ema_ramp=0.05)
  early = ema_decay(config, 10, jnp.uint32(200))
  assert early == pytest.approx(0.5, rel=1e-5)  # half-life 5% of 200
  off = dataclasses.replace(CONFIG, ema_halflife=0)
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


def test_microbatches_are_strided():
  """So that a batch sharded over devices is split without moving data."""
  found = split({"x": np.arange(6)}, 3)["x"]
  np.testing.assert_array_equal(found, [[0, 3], [1, 4], [2, 5]])


def test_noise_and_gradients_are_the_same_for_any_microbatch():
  p = denoiser(1, **{"model.dropout": 0.0})
  batch = first_batch(p)
  want = gradient(p)(batch)
  assert distance(gradient(p, parts=4)(batch), want) < ROUNDING


def test_gradients_of_a_vae_are_the_same_for_any_microbatch():
  path = f"{ROOT}/configs/rocks_ae.py:smoke"
  experiment = load_experiment(path, ["--config.model.variational=True"])
  names = {"rock_type": tuple("abcdefgh")}
  task = families.build(experiment, names, resolution=16)
  params = jax.jit(task.init)(jax.random.key(0))
  rng = np.random.default_rng(0)
  batch = {
    "image": rng.integers(0, 256, (8, 16, 16, 3), np.uint8),
    "mask": rng.integers(0, 6, (8, 16, 16)),
    "rock_type": rng.integers(0, 8, 8),
  }
  batch = jax.tree.map(jnp.asarray, batch)

  @functools.partial(jax.jit, static_argnums=1)
  def run(params, parts):
    key, inputs = jax.random.key(1), LossInputs()
    return gradients(
      task.loss, params, batch, key=key, inputs=inputs, parts=parts
    )

  (one, whole), (four, parts) = run(params, 1), run(params, 4)
  assert float(one["loss"]) == pytest.approx(float(four["loss"]), rel=1e-5)
  for a, b in zip(jax.tree.leaves(whole), jax.tree.leaves(parts), strict=True):
    np.testing.assert_allclose(a, b, atol=1e-5)


def test_detail_fades_in_from_the_stage_before():
  """The loss of a stage's first step is that of means, enlarged; after the
  fade that of the images themselves."""
  images = {"stages.images": (64, 128)}
  first, fading = two_stages(**images, **{"stages.fade_images": (0, 32)})
  plain = two_stages(**images)[1]
  tiles = pipeline.fixed_tiles(fading.source("train"), 32)
  tiles = pipeline.stack(tiles)["image"]
  state = transfer_state(first.fresh_state(), first, fading)
  small = resize(resize(normalize(tiles), 16), 24)

  def mse(program):
    update = jax.jit(program.plain_update)
    schedule = stage_schedule(program.experiment, 1)

    def after(images, seen):
      at = dataclasses.replace(state, images=np.uint32(seen))
      return float(update(at, {"image": images}, schedule)[1]["mse"])

    return after

  faded, whole = mse(fading), mse(plain)
  for share in (0.0, 0.5, 1.0):
    mixed = (1 - share) * small + share * normalize(tiles)
    found, want = faded(tiles, 64 + 32 * share), whole(mixed, 64)
    assert found == pytest.approx(want, rel=1e-5)
  assert faded(tiles, 64) < 0.999 * faded(tiles, 96)

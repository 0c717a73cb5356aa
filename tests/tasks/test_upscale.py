"""Upscalers: scores beside bicubic interpolation, and a loss that learns."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from support.configs import toy_denoiser
from support.toy_upscaler import random_like, toy_upscaler

from jaxgen import bicubic
from jaxgen.config.parse import parse
from jaxgen.data.degraded import LOW
from jaxgen.errors import UserError
from jaxgen.tasks import families
from jaxgen.typing import LossInputs

SIDE = 32
PAIRS = {"source": "folder", "degradation": "pairs", "lows": "small"}


@pytest.fixture(scope="module")
def task():
  return families.build(parse(toy_upscaler()), {})


@pytest.fixture(scope="module")
def batch():
  """Smooth images and their reductions, 8 bits."""
  rng = np.random.default_rng(0)
  noise = rng.normal(size=(8, SIDE // 2, SIDE // 2, 1)).astype(np.float32)
  smooth = bicubic.resize(noise, SIDE, SIDE)
  image = np.clip(127 + 60 * smooth, 0, 255).astype(np.uint8)
  return {"image": image, LOW: bicubic.reduce(image, 2)}


def keys(n):
  return jax.random.split(jax.random.key(0), n)


def test_an_untrained_model_has_the_scores_of_bicubic_interpolation(
  task, batch
):
  params = task.init(jax.random.key(0))
  scores = task.evaluate(params, batch, LossInputs())
  for name in ("psnr", "psnr_y", "ssim"):
    np.testing.assert_array_equal(scores[name], scores[f"bicubic_{name}"])
  other = task.evaluate(random_like(params), batch, LossInputs())
  assert (other["psnr"] != other["bicubic_psnr"]).all()


def test_the_loss_is_the_mean_of_its_images(task, batch):
  params = random_like(task.init(jax.random.key(0)))
  loss = lambda b: task.loss(params, b, keys(len(b["image"])), LossInputs())[0]  # noqa: E731
  parts = [
    loss({k: v[s] for k, v in batch.items()}) for s in np.split(np.arange(8), 2)
  ]
  assert loss(batch) == pytest.approx(np.mean(parts), rel=1e-5)


def test_training_gains_on_bicubic_interpolation(task, batch):
  params = task.init(jax.random.key(0))
  optimizer = optax.adam(3e-3)

  @jax.jit
  def update(params, state):
    loss = lambda p: task.loss(p, batch, keys(8), LossInputs())[0]  # noqa: E731
    changes, state = optimizer.update(jax.grad(loss)(params), state)
    return optax.apply_updates(params, changes), state

  state = optimizer.init(params)
  for _ in range(60):
    params, state = update(params, state)
  scores = task.evaluate(params, batch, LossInputs())
  assert jnp.mean(scores["psnr"] - scores["bicubic_psnr"]) > 1


def test_the_preview_has_a_row_for_each_label(task, batch):
  params = task.init(jax.random.key(0))
  rows = task.preview(params, batch, keys(8), density=None, inputs=LossInputs())
  assert len(rows) == len(task.preview_rows)
  np.testing.assert_array_equal(rows[1], rows[2])


@pytest.mark.parametrize(
  "data, message",
  [
    ({"factor": 1}, "data.factor=1"),
    ({"factor": 5}, "data.factor=5"),
    ({"degradation": "pairs"}, "data.lows=''"),
    ({"lows": "small"}, "data.lows='small'.*bicubic"),
    ({"degradation": "pairs", "lows": "small"}, "data.source=textures"),
    (PAIRS | {"crop_size": 64}, "data.crop_size=64"),
    (PAIRS | {"crop": "whole"}, "data.crop=whole"),
    ({"degradation": "realistic", "channels": 4}, "data.channels=4"),
  ],
)
def test_other_data_are_refused(data, message):
  config = toy_upscaler()
  config.data.update(data)
  with pytest.raises(UserError, match=message):
    parse(config)


def test_a_denoiser_has_no_degradation():
  with pytest.raises(UserError, match="^data.degradation=realistic: "):
    parse(toy_denoiser(data={"degradation": "realistic"}))

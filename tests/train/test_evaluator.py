"""Evaluation of held-out metrics."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from support.programs import program, random_params

from jaxgen import pictures
from jaxgen.data import pipeline
from jaxgen.tasks.hint import Hint
from jaxgen.train.evaluator import SHOWN, Evaluator
from jaxgen.train.preview import previewer
from jaxgen.typing import LossInputs


def evaluator(p, num, batch, *, task=None):
  source, task = p.source("validation"), task or p.task
  return Evaluator(task, source, p.layout, num=num, batch=batch)


def test_scores_are_means_over_tiles_whatever_the_batch():
  p = program(1)
  params = random_params(p)
  tiles = pipeline.stack(pipeline.fixed_tiles(p.source("validation"), 10))
  each = jax.jit(p.task.evaluate)(params, tiles, LossInputs())
  for batch in (4, 10, 16):
    found = evaluator(p, 10, batch)(params)
    for name in ("psnr", "mse"):
      want = float(np.mean(each[name]))
      assert found[name] == pytest.approx(want, rel=1e-5)


def test_the_hint_of_another_image_is_the_same_whatever_the_batch():
  """It is one of all tiles, not of the batch or its padding."""
  p = program(1)
  hint = Hint(image=lambda batch, frozen: batch["image"] / 255.0, channels=1)

  def evaluate(params, batch, inputs):
    others = hint.tell_others(batch, {})
    if not others:
      return {"alone": jnp.ones(len(batch["image"]))}
    own = hint.tell(hint.image(batch, {}))
    apart = jnp.abs(own["hint"] - others["hint"])[..., 0]
    return {"apart": jnp.mean(apart, (1, 2))}

  task = dataclasses.replace(p.task, evaluate=evaluate, hint=hint)
  tiles = pipeline.stack(pipeline.fixed_tiles(p.source("validation"), 5))
  x = tiles["image"][..., 0] / 255.0
  want = np.abs(x - np.roll(x, 1, axis=0)).mean()
  for batch in (1, 4, 8):
    found = evaluator(p, 5, batch, task=task)({})
    assert found == {"apart": pytest.approx(want, rel=1e-4)}
  assert evaluator(p, 1, 4, task=task)({}) == {"alone": 1}


def test_inputs_of_the_loss_reach_the_evaluation_and_previews():
  p = program(1)
  shape = p.evaluator.shown["image"].shape

  def evaluate(params, batch, inputs):
    ones = jnp.ones(len(batch["image"]))
    return {"seen": ones * inputs.images, "frozen": ones * inputs.frozen["a"]}

  def preview(params, batch, keys, *, density, inputs):
    return jnp.full((1, *shape), inputs.frozen["a"])

  task = dataclasses.replace(
    p.task,
    evaluate=evaluate,
    preview=preview,
    preview_rows=("frozen",),
    draws_latents=False,
  )
  inputs = LossInputs(images=jnp.uint32(7), frozen={"a": jnp.float32(-1.0)})
  source = p.source("validation")
  held = Evaluator(task, source, p.layout, num=10, batch=4)
  assert held({}, inputs) == {"seen": 7, "frozen": -1}
  picture = previewer(task, held, None, p.layout, seed=0)
  found = picture({}, inputs)[pictures.HEAD + 6 :, :]
  assert (found[pictures.GAP :, pictures.GAP :][:64, :64] == 0).all()


def test_the_tiles_shown_are_spread_over_those_evaluated():
  p = program(1)
  found = evaluator(p, 20, 8)
  tiles = pipeline.stack(pipeline.fixed_tiles(p.source("validation"), 20))
  spread = np.linspace(0, 19, SHOWN).round().astype(int)
  shown = np.asarray(found.shown["image"])
  np.testing.assert_array_equal(shown, tiles["image"][spread])
  assert found.num == 20

"""Laws of devices: where a run is computed does not change what it computes.

Gradients are compared, not parameters after many updates: Adam and Muon divide
by the size of a gradient, so that a rounding of 1e-8 in one near zero can turn
an update round.
"""

import pathlib

import jax
import numpy as np
import pytest

import jaxgen
from jaxgen.config import load_config
from jaxgen.data import pipeline
from jaxgen.train import state as training
from jaxgen.train.checkpoint import Checkpoints
from jaxgen.train.heldout import HeldOut
from jaxgen.train.setup import make_plan

CONFIG = pathlib.Path(__file__).parents[2] / "configs/textures_patch_ae.py"
ROUNDING = (
  1e-5  # of a leaf's norm; float32 sums in another order differ by 1e-6
)
OVER_8 = [False, True]  # train.fsdp


def plan(devices, **changes):
  """The smoke config's, on the first so many devices."""
  changes = {"model.encoder_depth": 1, "model.decoder_depth": 1} | changes
  flags = [f"--config.{key}={value}" for key, value in changes.items()]
  config = load_config(f"{CONFIG}:smoke", flags)
  return make_plan(config, jax.devices()[:devices])


def place(p, params):
  return jax.device_put(params, jax.tree.map(sharding, p.shapes().params))


def sharding(leaf):
  return leaf.sharding


def numbers(p):
  """Parameters with no zeros, so that no gradient is zero."""
  rng = np.random.default_rng(0)
  return jax.tree.map(
    lambda x: rng.normal(0, 0.1, x.shape).astype(x.dtype), p.shapes().params
  )


def batch(p):
  options = p.data
  found = pipeline.batches(p.source("train", 0), options, batch_size=32)
  return {"image": next(found)["image"]}


def gradient(p, images, parts=1, key=0):
  """Of the loss, as a training step on the plan's devices computes it."""
  loss = p.task(0).loss
  compute = jax.jit(
    lambda params, x, k: training.gradients(loss, params, x, k, parts),
    out_shardings=p.layout.replicated,
  )
  params = place(p, numbers(p))
  _, grads = compute(params, p.layout.put(images), jax.random.key(key))
  return jax.tree.map(np.asarray, grads)


def distance(a, b):
  """The largest difference of two leaves, relative to the leaf."""
  norm = np.linalg.norm
  apart = jax.tree.map(lambda x, y: norm(x - y) / norm(y), a, b)
  return max(jax.tree.leaves(apart))


@pytest.mark.parametrize("fsdp", OVER_8)
def test_the_gradient_is_the_same_on_1_and_8_devices(fsdp):
  """Dropout included: its noise belongs to the image, not to the device."""
  one = plan(1, **{"model.dropout": 0.3})
  eight = plan(8, **{"model.dropout": 0.3, "train.fsdp": fsdp})
  split = [
    not s.is_fully_replicated
    for s in jax.tree.leaves(jax.tree.map(sharding, eight.shapes().params))
  ]
  assert any(split) == fsdp
  images = batch(one)
  want = gradient(one, images)
  assert distance(gradient(eight, images), want) < ROUNDING


def test_one_wrong_image_shows_in_the_gradient():
  """What the tolerance of the other tests is worth."""
  p = plan(8)
  images = batch(p)
  wrong = {"image": images["image"].copy()}
  wrong["image"][5] = wrong["image"][6]
  assert distance(gradient(p, wrong), gradient(p, images)) > 1000 * ROUNDING


def test_accumulation_gives_the_gradient_of_the_whole_batch():
  p = plan(8)
  images = batch(p)
  want = gradient(p, images)
  assert distance(gradient(p, images, parts=4), want) < ROUNDING
  assert distance(gradient(plan(1), images, parts=8), want) < ROUNDING


def microbatches_differ(p):
  """Two microbatches of the same images: is the mean of their gradients not
  that of the first?"""
  half = batch(p)["image"][:16]
  twice = {"image": np.repeat(half, 2, axis=0)}  # microbatches are strided
  first = gradient(p, {"image": half})
  return distance(gradient(p, twice, parts=2), first) > 1000 * ROUNDING


def test_each_microbatch_has_noise_of_its_own(monkeypatch):
  assert microbatches_differ(plan(8, **{"model.dropout": 0.5}))
  assert not microbatches_differ(plan(8))  # nothing else tells them apart
  monkeypatch.setattr(training.jax.random, "fold_in", lambda key, index: key)
  assert not microbatches_differ(plan(8, **{"model.dropout": 0.5}))


@pytest.mark.parametrize("fsdp", OVER_8)
def test_a_few_updates_are_the_same_on_1_and_8_devices(fsdp):
  """Parameters, relative to the way they went; the loose tolerance is for the
  optimizer's first steps (see above)."""
  images = batch(plan(1))
  ends = []
  for p in (plan(1), plan(8, **{"train.fsdp": fsdp})):
    state = p.fresh()
    start = jax.tree.map(np.asarray, state.params)
    shardings = jax.tree.map(sharding, p.shapes())
    step = jax.jit(p.step(0), out_shardings=(shardings, p.layout.replicated))
    for _ in range(3):
      state, metrics = step(state, p.layout.put(images))
    moved = jax.tree.map(lambda a, b: np.asarray(a) - b, state.params, start)
    ends.append((moved, metrics))
  (want, one), (got, eight) = ends
  assert distance(got, want) < 1e-2
  for name in ("loss", "gradient_norm"):
    assert float(eight[name]) == pytest.approx(float(one[name]), rel=1e-4)


def test_held_out_metrics_and_the_bank_are_the_same_on_1_and_8_devices():
  """45 tiles: the last batch is filled up, and the filling does not count."""
  found = []
  for p in (plan(1), plan(8)):
    params = place(p, numbers(p))
    heldout = HeldOut(
      p.task(0), p.source("validation", 0), p.layout, num=45, batch=16
    )
    assert heldout.num == 45
    found.append((heldout(params), p.bank(0).latents(params, 40)))
  (one, latents), (eight, latents_8) = found
  assert eight == pytest.approx(one, rel=1e-5)
  np.testing.assert_allclose(latents_8, latents, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("there, back", [(8, 1), (1, 8)])
def test_a_checkpoint_fits_any_number_of_devices(tmp_path, there, back):
  """Saved on one number of devices and restored on another, bit by bit."""
  source, target = (
    plan(n, **{"train.fsdp": n > 1, "optimizer.name": "adamw"})
    for n in (there, back)
  )
  rng = np.random.default_rng(1)
  want = jax.tree.map(
    lambda x: rng.integers(0, 2**16, x.shape).astype(x.dtype), source.shapes()
  )
  state = jax.device_put(want, jax.tree.map(sharding, source.shapes()))
  with_scores = {"psnr": 1.0}
  for p, is_source in ((source, True), (target, False)):
    store = Checkpoints(tmp_path, metric="psnr")
    if is_source:
      store.save(state, {"stage": 0, "data": "x"}, with_scores)
    else:
      got, meta = store.restore(p.shapes())
    store.close()
  assert meta == {"stage": 0, "data": "x"}
  jax.tree.map(np.testing.assert_array_equal, got, want)
  places = jax.tree.map(sharding, got), jax.tree.map(sharding, target.shapes())
  assert jax.tree.leaves(places[0]) == jax.tree.leaves(places[1])
  spread = [len(s.device_set) for s in jax.tree.leaves(places[0])]
  assert set(spread) == {back}


def test_samples_do_not_depend_on_devices_or_batch_size(trained):
  """Other shapes are summed in another order, so a value on the edge between
  two of the 256 levels can fall on either side."""
  want = jaxgen.load(trained).sample(12, seed=3, batch=16).astype(int)
  one = jaxgen.load(trained, devices=jax.devices()[:1])
  for run, batch_size in ((one, 12), (one, 5), (jaxgen.load(trained), 8)):
    got = run.sample(12, seed=3, batch=batch_size)
    assert np.abs(got - want).max() <= 1
    assert np.mean(got != want) < 1e-3

"""What the laws of devices and of processes have in common.

Gradients are compared, not parameters after many updates: Adam and Muon divide
by the size of a gradient, so that a rounding of 1e-8 in one near zero can turn
an update round.
"""

import pathlib

import jax
import numpy as np

from jaxgen.config.files import load_config
from jaxgen.data import pipeline
from jaxgen.train.evaluator import Evaluator
from jaxgen.train.plan import Plan, make_plan
from jaxgen.train.state import TrainState, gradients

ROOT = pathlib.Path(__file__).parents[2]
CONFIG = ROOT / "configs/textures_patch_ae.py"
SMALL = {"model.encoder_depth": 1, "model.decoder_depth": 0}  # to compile
# Relative to a leaf's norm. Sums of float32 in another order differ by 1e-6,
# one wrong image of 32 by 0.1.
ROUNDING = 1e-5
VISIBLE = 1e-2


def plan(devices: int | None, **changes) -> Plan:
  """The smoke config's, on the first so many devices."""
  return make_plan(config(**changes), jax.devices()[:devices])


def config(**changes):
  flags = [
    f"--config.{key}={value}" for key, value in (SMALL | changes).items()
  ]
  return load_config(f"{CONFIG}:smoke", flags)


def denoiser(devices: int | None, **changes) -> Plan:
  """The toy denoiser's, with dropout, on the first so many devices."""
  flags = [f"--config.{key}={value}" for key, value in changes.items()]
  found = load_config(f"{ROOT}/tests/support/toy_edm.py", flags)
  found.model.dropout = 0.3
  return make_plan(found, jax.devices()[:devices])


def shardings(tree):
  return jax.tree.map(lambda x: x.sharding, tree)


def numbers(p: Plan):
  """Parameters that are nowhere zero, as a network's are that has learnt."""
  rng = np.random.default_rng(0)
  shapes = p.shapes().params
  values = jax.tree.map(lambda x: rng.normal(0, 0.1, x.shape), shapes)
  values = jax.tree.map(lambda v, x: v.astype(x.dtype), values, shapes)
  return jax.device_put(values, shardings(shapes))


def integers(p: Plan) -> TrainState:
  """A state with another number in every place, as NumPy arrays."""
  rng = np.random.default_rng(1)
  draw = lambda x: rng.integers(0, 2**16, x.shape).astype(x.dtype)  # noqa: E731
  return jax.tree.map(draw, p.shapes())


def first_batch(p: Plan, process: int = 0, processes: int = 1):
  """The first 32 training images, or a process's share of them."""
  found = pipeline.batches(
    p.source("train", 0),
    p.data,
    batch_size=32,
    process=process,
    processes=processes,
  )
  batch = next(found)
  return {name: batch[name] for name in p.task(0).inputs}


def gradient(p: Plan, parts: int = 1):
  """Images to the gradient of the loss at `numbers`, computed as a training
  step on the plan's devices computes it."""
  loss = p.task(0).loss
  compute = jax.jit(
    lambda params, x, key: gradients(loss, params, x, key, parts)[1],
    out_shardings=p.layout.replicated,
  )

  def of(images):
    found = compute(numbers(p), p.layout.put(images), jax.random.key(0))
    return jax.tree.map(np.asarray, found)

  return of


def distance(a, b) -> float:
  """The largest difference of two leaves, relative to the leaf."""
  norm = np.linalg.norm
  apart = jax.tree.map(lambda x, y: norm(x - y) / norm(y), a, b)
  return float(max(jax.tree.leaves(apart)))


def held_out(p: Plan) -> dict[str, float]:
  """Of 45 tiles, so that the last batch is filled up."""
  source = p.source("validation", 0)
  heldout = Evaluator(p.task(0), source, p.layout, num=45, batch=16)
  assert heldout.num == 45
  return heldout(numbers(p))


def latents(p: Plan) -> np.ndarray:
  """The bank's first 40, which end inside a batch."""
  return p.bank(0).latents(numbers(p), 40)

"""What the laws of devices and of processes have in common.

Gradients are compared, not parameters after many updates: Adam and Muon divide
by the size of a gradient, so that a rounding of 1e-8 in one near zero can turn
an update round.
"""

import pathlib
from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from jaxgen.config.files import load_config
from jaxgen.config.parse import parse
from jaxgen.data import pipeline
from jaxgen.train.evaluator import Evaluator
from jaxgen.train.programs import stage_programs
from jaxgen.train.stage import StageProgram
from jaxgen.train.state import TrainState
from jaxgen.train.step import gradients
from jaxgen.typing import Batch, LossInputs, Params

ROOT = pathlib.Path(__file__).parents[2]
CONFIG = ROOT / "configs/textures_patch_ae.py"
DENOISER = ROOT / "tests/support/toy_edm.py"
FEW_STEPS = ROOT / "tests/support/toy_ect.py"
GROWING = ROOT / "configs/rocks_edm_progressive.py"
SMALL = {"model.encoder_depth": 1, "model.decoder_depth": 0}  # to compile
# Relative to a leaf's norm. Sums of float32 in another order differ by 1e-6,
# one wrong image of 32 by 0.1.
ROUNDING = 1e-5
VISIBLE = 1e-2


def config(**changes: Any) -> Any:
  """The smoke config of the autoencoder, smaller still."""
  return load(f"{CONFIG}:smoke", SMALL | changes)


def load(path: str | pathlib.Path, changes: dict[str, Any]) -> Any:
  """A config file with other values of fields."""
  flags = [f"--config.{key}={value}" for key, value in changes.items()]
  return load_config(str(path), flags)


def stages(devices: int | None, /, **changes: Any) -> list[StageProgram]:
  """The stages of `config`, on the first so many devices."""
  return of_config(config(**changes), devices)


def of_config(config: Any, devices: int | None) -> list[StageProgram]:
  """The stages of any config, on the first so many devices."""
  return stage_programs(parse(config), devices=jax.devices()[:devices])


def program(devices: int | None, /, **changes: Any) -> StageProgram:
  """The first stage of `config`, on the first so many devices."""
  return stages(devices, **changes)[0]


def denoiser(devices: int | None, /, **changes: Any) -> StageProgram:
  """The toy denoiser's, with dropout, on the first so many devices."""
  changes = {"model.dropout": 0.3} | changes
  return of_config(load(DENOISER, changes), devices)[0]


def few_steps(devices: int | None, /, **changes: Any) -> StageProgram:
  """The same of the toy few-step model."""
  changes = {"model.dropout": 0.3, "data.num_tiles": 512} | changes
  return of_config(load(FEW_STEPS, changes), devices)[0]


def growing(**changes: Any) -> list[StageProgram]:
  """The stages of a denoiser that grows, on one device."""
  return of_config(load(f"{GROWING}:smoke", changes), 1)


def shardings(tree: Any) -> Any:
  """The sharding of each leaf."""
  return jax.tree.map(lambda x: x.sharding, tree)


def on_host(tree: Any) -> Any:
  """The leaves as NumPy arrays."""
  return jax.tree.map(np.asarray, tree)


def random_params(p: StageProgram) -> Params:
  """Parameters that are nowhere zero, as those of a trained network are."""
  rng = np.random.default_rng(0)
  shapes = p.state_shapes.params
  values = jax.tree.map(lambda x: rng.normal(0, 0.1, x.shape), shapes)
  values = jax.tree.map(lambda v, x: v.astype(x.dtype), values, shapes)
  return jax.device_put(values, shardings(shapes))


def integer_state(p: StageProgram) -> TrainState:
  """A state with another number in every place, as NumPy arrays."""
  rng = np.random.default_rng(1)
  draw = lambda x: rng.integers(0, 2**16, x.shape).astype(x.dtype)  # noqa: E731
  return jax.tree.map(draw, p.state_shapes)


def first_batch(p: StageProgram, process: int = 0, processes: int = 1) -> Any:
  """The first 32 training images, or a process's share of them."""
  found = pipeline.batches(
    p.source("train"),
    p.experiment.data,
    batch_size=32,
    keep=p.task.batch_fields,
    process=process,
    processes=processes,
  )
  return next(found)


def gradient(p: StageProgram, parts: int = 1) -> Callable[[Batch], Params]:
  """Images to the gradient of the loss at `random_params`, computed as a
  training step on the program's devices computes it."""
  params, inputs = random_params(p), frozen_inputs(p)

  def of_loss(
    params: Params, batch: Batch, key: jax.Array, inputs: LossInputs
  ) -> Params:
    return gradients(
      p.task.loss, params, batch, key=key, inputs=inputs, parts=parts
    )[1]

  compute = jax.jit(of_loss, out_shardings=p.layout.replicated)
  return lambda images: on_host(
    compute(params, p.layout.put(images), jax.random.key(0), inputs)
  )


def frozen_inputs(p: StageProgram) -> LossInputs:
  """The inputs of the loss at step 0, on the devices."""
  frozen = p.companions.frozen(p.task)
  return LossInputs(frozen=jax.device_put(frozen, p.shardings.frozen))


def distance(a: Any, b: Any) -> float:
  """The largest difference of two leaves, relative to the leaf."""
  norm = np.linalg.norm
  apart = jax.tree.map(lambda x, y: norm(x - y) / norm(y), a, b)
  return float(max(jax.tree.leaves(apart)))


def held_out(p: StageProgram) -> dict[str, float]:
  """Scores of 45 tiles, so that the last batch is filled up."""
  source = p.source("validation")
  evaluator = Evaluator(p.task, source, p.layout, num=45, batch=16)
  assert evaluator.num == 45
  return evaluator(random_params(p), frozen_inputs(p))


def latents(p: StageProgram) -> np.ndarray:
  """The first 40 of the latent cache, which end inside a batch."""
  assert p.latent_cache is not None
  return p.latent_cache.latents(random_params(p), 40)

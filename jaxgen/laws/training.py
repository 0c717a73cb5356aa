"""Laws of batches, checkpoints, EMAs of weights and latent densities."""

from __future__ import annotations

import pathlib
import tempfile

import jax
import jax.numpy as jnp
import numpy as np

from jaxgen import rng
from jaxgen.config.data import DataConfig
from jaxgen.config.optimizer import OptimizerConfig
from jaxgen.data import pipeline
from jaxgen.data.sources import build as build_source
from jaxgen.latents import density
from jaxgen.laws.law import Law
from jaxgen.train import optimizer
from jaxgen.train.state import TrainState, from_trees, to_trees
from jaxgen.workdir import ema_profiles
from jaxgen.workdir.checkpoint_recovery import restore_newest
from jaxgen.workdir.checkpoints import Checkpoints


def _density_covariance() -> float:
  """Largest error of the covariance of 50,000 samples, relative to the largest
  covariance of the latents."""
  mix = np.random.default_rng(0).normal(size=(4, 4)) / 2
  latents = np.random.default_rng(1).normal(size=(20_000, 4)) @ mix
  fitted = density.fit(latents, "gaussian")
  keys = rng.per_sample(rng.stream(0, "law"), jnp.arange(50_000))
  drawn = np.asarray(density.draw(fitted, "gaussian", keys))
  expected = np.cov(latents.T)
  error = np.abs(np.cov(drawn.T) - expected).max()
  return float(error / np.abs(expected).max())


def _batch_differences() -> float:
  """Number of pixels that differ between the batch of one process and those of
  two processes."""
  options = DataConfig(source="rocks", num_tiles=16, threads=0, cache_mb=64)
  source = build_source(options, "train", 32)
  whole = next(pipeline.batches(source, options, batch_size=8))["image"]
  parts = [
    next(
      pipeline.batches(source, options, batch_size=8, process=i, processes=2)
    )["image"]
    for i in range(2)
  ]
  return float((np.concatenate(parts) != whole).sum())


def _checkpoint_differences() -> float:
  """Number of values that differ between a saved and a restored state."""
  params = {"w": jax.random.normal(jax.random.key(0), (8, 8))}
  zero = jnp.zeros((), jnp.uint32)
  state = TrainState(
    step=zero,
    images=zero,
    skipped=zero,
    params=params,
    ema=params,
    opt_state=optimizer.build(OptimizerConfig()).init(params),
    ema_profiles={},
    control={},
  )
  place = lambda x: jax.ShapeDtypeStruct(  # noqa: E731
    x.shape, x.dtype, sharding=x.sharding
  )
  with tempfile.TemporaryDirectory() as folder:
    store = Checkpoints(pathlib.Path(folder), metric="psnr")
    store.save(0, to_trees(state), metadata={"stage": 0})
    store.wait()
    shapes = to_trees(jax.tree.map(place, state))
    restored = restore_newest(store, lambda _: shapes)
    store.close()
  assert restored is not None
  trees, _ = restored
  differ = lambda a, b: int((a != b).sum())  # noqa: E731
  counts = jax.tree.map(differ, state, from_trees(trees))
  return float(sum(jax.tree.leaves(counts)))


def _ramp_ema() -> float:
  """The power-function EMA of t = 1 ... 10,000, divided by 10,000."""
  ema, steps = 0.0, 10_000
  for i in range(1, steps + 1):
    keep = ema_profiles.decay(0.1, 1, i)
    ema = keep * ema + (1 - keep) * i
  return ema / steps


def _reconstruction() -> float:
  """The distance between a profile and its reconstruction."""
  profiles = [
    ema_profiles.Profile(sigma_rel=x, images=n)
    for n in (1000, 2000, 3000)
    for x in (0.05, 0.10)
  ]
  return ema_profiles.combine(profiles, profiles[4])[1]


EDM2 = "Karras et al. 2024, eq. 126"

LAWS = (
  Law(
    name="gamma of sigma_rel 0.05",
    source=EDM2,
    expected=16.9722,
    tolerance=1e-4,
    measure=lambda: ema_profiles.gamma(0.05),
  ),
  Law(
    name="gamma of sigma_rel 0.10",
    source=EDM2,
    expected=6.9372,
    tolerance=1e-4,
    measure=lambda: ema_profiles.gamma(0.10),
  ),
  Law(
    name="EMA profile of a ramp",
    source="closed form",
    expected=7.9372 / 8.9372,
    tolerance=1e-3,
    measure=_ramp_ema,
  ),
  Law(
    name="EMA profile - its reconstruction",
    source="closed form",
    expected=0,
    tolerance=1e-5,
    measure=_reconstruction,
  ),
  Law(
    name="covariance of samples of a latent density",
    source="closed form, relative",
    expected=0,
    tolerance=0.03,
    measure=_density_covariance,
  ),
  Law(
    name="pixels that differ in batches of 1 and 2 processes",
    source="determinism",
    expected=0,
    tolerance=0,
    measure=_batch_differences,
  ),
  Law(
    name="numbers that differ in a restored checkpoint",
    source="determinism",
    expected=0,
    tolerance=0,
    measure=_checkpoint_differences,
  ),
)

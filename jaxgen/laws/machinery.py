"""Laws of metrics, priors, data and checkpoints."""

from __future__ import annotations

import pathlib
import tempfile
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxgen import rng
from jaxgen.config.data import DataConfig
from jaxgen.data import pipeline
from jaxgen.data.sources import build as build_source
from jaxgen.latents import density
from jaxgen.laws.law import law
from jaxgen.metrics.distribution import frechet, kid
from jaxgen.metrics.images import similarity
from jaxgen.train.state import TrainState, from_trees, to_trees
from jaxgen.workdir import ema_profiles
from jaxgen.workdir.checkpoint_recovery import restore_newest
from jaxgen.workdir.checkpoints import Checkpoints


def _psnr() -> float:
  """Of a difference of 0.1 on [0, 1]: 20 dB."""
  x = jnp.full((1, 16, 16, 1), -0.4)
  return float(similarity(x, x + 0.2)["psnr"][0])


def _ssim() -> float:
  from skimage.metrics import structural_similarity

  x = np.random.default_rng(0).uniform(0, 1, (32, 32)).astype(np.float32)
  y = np.clip(x + 0.1, 0, 1)
  as_image = lambda v: 2 * jnp.asarray(v)[None, ..., None] - 1  # noqa: E731
  ours = similarity(as_image(x), as_image(y))["ssim"][0]
  options: Any = {"gaussian_weights": True, "sigma": 1.5, "data_range": 1.0}
  options |= {"use_sample_covariance": False}
  theirs: Any = structural_similarity(x, y, **options)
  return float(ours) - float(theirs)


def _prior_covariance() -> float:
  """Largest error of the covariance of 50,000 draws, relative to the truth."""
  mix = np.random.default_rng(0).normal(size=(4, 4)) / 2
  latents = np.random.default_rng(1).normal(size=(20_000, 4)) @ mix
  prior = density.fit(latents, "gaussian")
  keys = rng.per_sample(rng.stream(0, "law"), jnp.arange(50_000))
  drawn = np.asarray(density.draw(prior, "gaussian", keys))
  want = np.cov(latents.T)
  return float(np.abs(np.cov(drawn.T) - want).max() / np.abs(want).max())


def _batches_differ() -> float:
  """Numbers that differ between one process's batch and two shares of it."""
  options = DataConfig(source="rocks", num_tiles=16, threads=0, cache_mb=64)
  source = build_source(options, "train", 32)
  whole = next(pipeline.batches(source, options, batch_size=8))["image"]
  shares = [
    next(
      pipeline.batches(source, options, batch_size=8, process=i, processes=2)
    )["image"]
    for i in range(2)
  ]
  return float((np.concatenate(shares) != whole).sum())


def _checkpoint_differs() -> float:
  """Numbers that a checkpoint gives back otherwise than they were saved."""
  import optax

  params = {"w": jax.random.normal(jax.random.key(0), (8, 8))}
  zero = jnp.zeros((), jnp.uint32)
  state = TrainState(
    step=zero,
    images=zero,
    skipped=zero,
    params=params,
    ema=params,
    opt_state=optax.adam(1.0).init(params),
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
  off = jax.tree.map(differ, state, from_trees(trees))
  return float(sum(jax.tree.leaves(off)))


def _ramp_average() -> float:
  """The power-function EMA of t = 1 ... 10,000, as a share of 10,000."""
  ema, steps = 0.0, 10_000
  for i in range(1, steps + 1):
    keep = ema_profiles.decay(0.1, 1, i)
    ema = keep * ema + (1 - keep) * i
  return ema / steps


def _reconstruction() -> float:
  """The distance of a profile from its own reconstruction."""
  profiles = [
    ema_profiles.Profile(sigma_rel=x, images=n)
    for n in (1000, 2000, 3000)
    for x in (0.05, 0.10)
  ]
  return ema_profiles.combine(profiles, profiles[4])[1]


def _frechet() -> float:
  """Of N(0, 1) and N(3, 4) on each of two axes: 2 (3^2 + (2 - 1)^2)."""
  x = np.array([[1.0, 1], [1, -1], [-1, 1], [-1, -1]]) * np.sqrt(3 / 4)
  return frechet(x, 3 + 2 * x)


def _kid() -> float:
  """Of {0, 1} and {2, -1}: 1 - 1 - (1 + 1 + 27 + 0) / 2."""
  return kid(np.array([[0.0], [1.0]]), np.array([[2.0], [-1.0]]))


EDM2 = "Karras et al. 2024, eq. 126"

LAWS = (
  law(
    "gamma of sigma_rel 0.05",
    EDM2,
    16.9722,
    1e-4,
    lambda: ema_profiles.gamma(0.05),
  ),
  law(
    "gamma of sigma_rel 0.10",
    EDM2,
    6.9372,
    1e-4,
    lambda: ema_profiles.gamma(0.10),
  ),
  law(
    "EMA profile of a ramp", "closed form", 7.9372 / 8.9372, 1e-3, _ramp_average
  ),
  law("EMA profile, reconstructed", "closed form", 0, 1e-5, _reconstruction),
  law("Frechet distance", "closed form, Gaussians", 20, 1e-6, _frechet),
  law("KID of four points", "definition", -14.5, 1e-9, _kid),
  law("PSNR of a difference of 0.1", "definition, dB", 20, 1e-3, _psnr),
  law("SSIM - scikit-image's", "Wang et al. 2004", 0, 1e-4, _ssim),
  law(
    "covariance of the prior",
    "closed form, relative",
    0,
    0.03,
    _prior_covariance,
  ),
  law("batch of 1 and 2 processes", "determinism", 0, 0, _batches_differ),
  law("checkpoint, saved and read", "determinism", 0, 0, _checkpoint_differs),
)

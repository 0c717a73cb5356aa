"""Laws of metrics, priors, data and checkpoints."""

from __future__ import annotations

import pathlib
import tempfile
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxgen import priors, rng
from jaxgen.data import pipeline
from jaxgen.data.build import build as build_source
from jaxgen.data.source import DataOptions
from jaxgen.laws.law import law
from jaxgen.metrics.images import similarity
from jaxgen.train.checkpoint import Checkpoints
from jaxgen.train.state import create


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
  prior = priors.fit(latents, "gaussian")
  keys = rng.per_sample(rng.stream(0, "law"), jnp.arange(50_000))
  drawn = np.asarray(priors.draw(prior, "gaussian", keys))
  want = np.cov(latents.T)
  return float(np.abs(np.cov(drawn.T) - want).max() / np.abs(want).max())


def _batches_differ() -> float:
  """Numbers that differ between one process's batch and two shares of it."""
  options = DataOptions(source="rocks", num_tiles=16, threads=0, cache_mb=64)
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
  state = create(params, optax.adam(1.0))
  place = lambda x: jax.ShapeDtypeStruct(  # noqa: E731
    x.shape, x.dtype, sharding=x.sharding
  )
  with tempfile.TemporaryDirectory() as folder:
    store = Checkpoints(pathlib.Path(folder), metric="psnr")
    store.save(state, {"stage": 0}, None)
    store.wait()
    found = store.restore(jax.tree.map(place, state))
    store.close()
  assert found is not None
  off = jax.tree.map(lambda a, b: int((a != b).sum()), state, found[0])
  return float(sum(jax.tree.leaves(off)))


LAWS = (
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

"""Sampling by denoisers of latents: exact for Gaussian latents; edits, and
refusals of what latents cannot do."""

import dataclasses
import pathlib
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from support import companions as stubs
from support.configs import toy

from jaxgen.config.parse import parse
from jaxgen.diffusion.edm import per_image
from jaxgen.errors import UserError
from jaxgen.parallel.sharding import Layout, make_mesh
from jaxgen.runs.companions import digest
from jaxgen.sample import latent_sampling
from jaxgen.sample.autoencoder import AutoencoderRun
from jaxgen.tasks.companion import Companions
from jaxgen.typing import DenoiseFn

NUM = 60_000
VARIANCES = np.array([1.2, 0.6, 0.3, 0.2, 0.1, 0.08, 0.05, 0.03])
FAST: Any = {"sampler": "euler", "steps": 2}


def autoencoder_of(codec) -> AutoencoderRun:
  """A loaded run of a companion."""
  config = toy(
    model={"patch_size": 4, "latent_dim": stubs.D, "width": 16},
    stages={"resolution": (stubs.SIDE,)},
  )
  return AutoencoderRun(
    workdir=pathlib.Path("ae"),
    experiment=parse(config),
    names={},
    layout=Layout(mesh=make_mesh(jax.devices()[:1])),
    task=codec.task,
    params=codec.params,
    step=codec.step,
    stage=0,
    sigma_rel=None,
  )


def correlated(num: int) -> np.ndarray:
  """Latents `(num, D)` with the variances in directions of their own."""
  rng = np.random.default_rng(5)
  axes = np.linalg.qr(rng.normal(size=(stubs.D, stubs.D)))[0]
  z = rng.normal(size=(num, stubs.D)) * np.sqrt(VARIANCES) @ axes.T
  return z.astype(np.float32)


def gaussian(covariance: np.ndarray) -> DenoiseFn:
  """The exact denoiser of vectors with mean 0 and a covariance."""
  values, axes = np.linalg.eigh(covariance)
  values, axes = (x.astype(np.float32) for x in (values, axes))

  def denoise(x, sigma, cond=None):
    variance = jnp.asarray(values).reshape(1, 1, 1, -1)
    gain = variance / (variance + per_image(sigma) ** 2)
    return ((x @ axes) * gain) @ axes.T

  return denoise


@pytest.mark.parametrize("how", ["channel", "whiten"])
def test_the_exact_denoiser_of_gaussian_latents_samples_their_covariance(how):
  codec, z = stubs.linear(), correlated(20_000)
  autoencoder = autoencoder_of(codec)
  autoencoder._cache[latent_sampling.training_latents,] = z
  run = stubs.run_of(codec, latent={"normalize": how})
  assert run.task.space is not None
  numbers = run.task.space.fit(z.reshape(-1, 1, 1, stubs.D))
  forward = numbers["forward"].astype(float)
  exact = gaussian(forward.T @ np.cov(z.T) @ forward)
  run = dataclasses.replace(
    run,
    companions=Companions(runs=run.companions.runs, numbers=numbers),
    task=dataclasses.replace(run.task, denoiser=lambda params: exact),
  )
  options: Any = {"batch": 32_768, "seed": 1}
  drawn = run.sample(NUM, sampler="heun", steps=64, **options)
  found = covariance(codec, drawn)
  expected = covariance(codec, autoencoder.sample(NUM, **options))
  error = np.linalg.norm(found - expected) / np.linalg.norm(expected)
  assert error < 0.02  # by the numbers of samples 0.012


def covariance(codec, images: np.ndarray) -> np.ndarray:
  """Of the latents of images."""
  flat = images.reshape(len(images), -1) / 127.5 - 1
  return np.cov((flat @ codec.params["basis"]).T)


def test_a_denoiser_of_other_latents_is_no_prior():
  run = stubs.run_of(stubs.linear())
  autoencoder = autoencoder_of(stubs.linear())
  with pytest.raises(UserError, match="^prior=run: expected latent diffusion"):
    autoencoder.sample(2, method="diffusion", prior=run)
  with pytest.raises(UserError, match="^method='diffusion': expected prior"):
    autoencoder.sample(2, method="diffusion")
  with pytest.raises(UserError, match="^prior: expected method='diffusion'"):
    autoencoder.sample(2, prior=run)


def test_a_denoiser_of_the_same_latents_is_a_prior():
  autoencoder = autoencoder_of(stubs.linear())
  known = digest(autoencoder.experiment, autoencoder.params)
  codec = dataclasses.replace(stubs.linear(), digest=known)
  run = stubs.run_of(codec)
  found = autoencoder.sample(3, method="diffusion", prior=run, seed=2, **FAST)
  np.testing.assert_array_equal(found, run.sample(3, seed=2, **FAST))


def mask() -> np.ndarray:
  """One cell and a part of its neighbor."""
  found = np.zeros((stubs.SIDE, stubs.SIDE), bool)
  found[2:4, 2:5] = True
  return found


def test_known_pixels_are_unchanged_but_for_one_cell_around_the_mask():
  run, images, new = stubs.run_of(stubs.halved()), stubs.images(2), mask()
  result = run.inpaint(images, new, seed=1, **FAST)
  near = np.zeros_like(new)
  near[1:5, 1:6] = True
  np.testing.assert_array_equal(result[:, ~near], images[:, ~near])
  assert (result[:, new] != images[:, new]).mean() > 0.9
  # halfway from the known to the new: the pixel beside the mask
  assert (result[:, 1, 2:5] != images[:, 1, 2:5]).any()


def test_new_pixels_do_not_depend_on_what_was_there():
  run, images = stubs.run_of(stubs.halved()), stubs.images(2)
  other = images.copy()
  other[:, mask()] = 255 - other[:, mask()]
  found = [run.inpaint(x, mask(), seed=1, **FAST) for x in (images, other)]
  np.testing.assert_array_equal(found[0], found[1])


def test_new_pixels_depend_on_known_cells():
  run, images = stubs.run_of(stubs.halved()), stubs.images(1)
  other = images.copy()
  other[:, :, 6:] = 255 - other[:, :, 6:]
  found = [run.inpaint(x, mask(), seed=1, **FAST) for x in (images, other)]
  assert (found[0][:, mask()] != found[1][:, mask()]).any()


@pytest.mark.parametrize(
  ("codec", "kind"),
  [
    (stubs.linear(), "vectors"),
    (stubs.small_autoencoder(latent="tokens"), "tokens"),
  ],
)
def test_latents_without_places_are_not_inpainted(codec, kind):
  model = {} if kind == "vectors" else {"patch_size": 1}
  run = stubs.run_of(codec, model=model)
  with pytest.raises(UserError, match=f"^mask: .* {kind} without places"):
    run.inpaint(stubs.images(1), mask())


def test_canvases_larger_than_a_tile_are_refused():
  run = stubs.run_of(stubs.halved())
  large = np.zeros((1, 2 * stubs.SIDE, stubs.SIDE, 1), np.uint8)
  for attempt in (
    lambda: run.outpaint(stubs.images(1), 2 * stubs.SIDE, stubs.SIDE),
    lambda: run.edit(large),
    lambda: run.inpaint(large, np.ones(large.shape[1:3], bool)),
  ):
    with pytest.raises(UserError, match="whose denoiser works on latents"):
      attempt()


def test_interpolation_walks_between_latents():
  run, images = stubs.run_of(stubs.halved()), stubs.images(2)
  path = run.interpolate(images[0], images[1], 3)
  assert path.shape == (3, *stubs.SHAPE)


def test_photon_counts_are_not_restored_by_a_denoiser_of_latents():
  run = stubs.run_of(stubs.halved())
  with pytest.raises(UserError, match="^restore: expected a run of pixels"):
    run.restore(np.ones(stubs.SHAPE[:2]), gain=1.0, read_noise=1.0)


def test_a_weak_run_has_the_same_latents():
  run = stubs.run_of(stubs.linear())
  other = dataclasses.replace(stubs.linear(), digest="c" * 32)
  with pytest.raises(UserError, match="^weak=run: expected a run in the"):
    run.sample(1, weak=stubs.run_of(other), guidance=2.0, **FAST)

"""The loss of an autoencoder, plain or variational."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from support.configs import ROOT, toy_vae

from jaxgen.config.files import load_experiment
from jaxgen.config.losses import KLConfig, LossConfig
from jaxgen.config.parse import parse
from jaxgen.errors import UserError
from jaxgen.images import normalize, resize
from jaxgen.losses.reconstruction import l1, mse
from jaxgen.tasks import families
from jaxgen.tasks.reconstruction import (
  Reconstruction,
  check_equivariance,
  controller,
  draw,
)
from jaxgen.typing import LossInputs

VAE = f"{ROOT}/configs/rocks_ae.py:smoke"


def test_terms_add_up_to_the_loss():
  flags = ["--config.model.variational=True", "--config.kl.beta=0.25"]
  experiment = load_experiment(VAE, flags)
  names = {"rock_type": ("a", "b")}
  task = families.build(experiment, names, resolution=16)
  rng = np.random.default_rng(0)
  batch = {
    "image": rng.integers(0, 256, (4, 16, 16, 3), np.uint8),
    "mask": rng.integers(0, 6, (4, 16, 16)),
    "rock_type": rng.integers(0, 2, 4),
  }
  batch = jax.tree.map(jnp.asarray, batch)
  params = jax.jit(task.init)(jax.random.key(0))
  keys = jax.random.split(jax.random.key(1), 4)
  inputs = LossInputs(weights={"kl": jnp.float32(0.5)})
  loss, found = jax.jit(task.loss)(params, batch, keys, inputs)
  parts = {k: float(v) for k, v in found.items() if k.startswith("weighted/")}
  names = {"mse", "segmentation", "classification", "kl"}
  assert {k.removeprefix("weighted/") for k in parts} == names
  assert sum(parts.values()) == pytest.approx(float(loss), rel=1e-5)
  constant = float(loss) - 0.25 * float(found["kl/cost"])
  assert float(found["loss_constant"]) == pytest.approx(constant, rel=1e-5)
  assert parts["weighted/segmentation"] == pytest.approx(
    0.05 * float(found["loss/segmentation"]), rel=1e-5
  )


def test_without_a_controller_the_weight_is_that_of_the_config():
  kl, loss = {"beta": 0.25}, {"log_mse": 0.0, "mse": 1.0}
  config = toy_vae(kl=kl, loss=loss, model={"variational": True})
  task = families.build(parse(config), {})
  params = jax.jit(task.init)(jax.random.key(0))
  batch = {"image": jnp.zeros((2, 32, 32, 1))}
  keys = jax.random.split(jax.random.key(1), 2)
  _, found = jax.jit(task.loss)(params, batch, keys, LossInputs())
  assert float(found["kl/beta"]) == 0.25


def test_draws_have_the_posterior_s_mean_and_variance():
  """Each image's by its own key: in another order the same draws."""
  mean = jnp.tile(jnp.array([[1.0, -2.0]]), (20_000, 1))
  log_variance = jnp.tile(jnp.array([[0.0, -2.0]]), (20_000, 1))
  keys = jax.random.split(jax.random.key(0), 20_000)
  found = draw(mean, log_variance, keys)
  np.testing.assert_allclose(found.mean(0), mean[0], atol=0.03)
  std = jnp.exp(log_variance[0] / 2)
  np.testing.assert_allclose(found.std(0), std, rtol=0.03)
  back = draw(mean, log_variance, keys[::-1])
  np.testing.assert_array_equal(back[::-1], found)
  assert draw(mean, None, keys) is mean


def test_a_share_of_a_logarithm_is_refused():
  with pytest.raises(UserError, match="loss.log_mse"):
    controller(LossConfig(), KLConfig(adaptive=True))


def test_the_controller_is_moved_by_the_share_in_the_loss():
  kl = KLConfig(beta=1e-3, adaptive=True)
  moves = controller(LossConfig(log_mse=0.0, mse=1.0), kl)
  state = moves.initial_state()
  images = jnp.uint32(0)
  assert float(moves.weights(state, images)["kl"]) == pytest.approx(1e-3)
  for share, grows in ((0.001, True), (0.5, False)):
    metrics = {
      "kl/beta": jnp.float32(1.0),
      "kl/cost": jnp.float32(share),
      "loss": jnp.float32(1.0),
    }
    new = moves.update(state, metrics, images=images, batch=1_000)
    assert (float(new["beta"]) > 1e-3) == grows
  assert moves.report(state, images).keys() == {
    "kl/beta_adapted",
    "kl/share_smoothed",
    "kl/floor",
  }


class AreaAverages:
  """A codec without parameters that is exactly equivariant: areas of 2 x 2
  pixels are averaged, and repeated."""

  def apply(self, variables, x, train=False, *, method, rngs=None) -> Any:
    if method == "posterior":
      return resize(x, x.shape[1] // 2), None
    image = x.repeat(2, 1).repeat(2, 2)
    return {"image": image} if method == "outputs" else image


def equivariance_loss(model, config, batch):
  loss = Reconstruction(model=model, config=config)
  keys = jax.random.split(jax.random.key(0), len(batch["image"]))
  return loss({}, batch, keys, LossInputs())


def test_of_an_equivariant_codec_the_term_is_the_error_of_halved_images():
  pixels = np.random.default_rng(0).integers(0, 256, (3, 16, 16, 3), np.uint8)
  x = jnp.asarray(pixels)
  config = LossConfig(log_mse=0.0, mse=2.0, l1=0.5, equivariance=0.25)
  total, found = equivariance_loss(AreaAverages(), config, {"image": x})
  small = resize(normalize(x), 8)
  again = AreaAverages().apply({}, resize(small, 4), method="decode")
  wanted = jnp.mean(2 * mse(again, small) + 0.5 * l1(again, small))
  term = float(found["loss/equivariance"])
  assert term == pytest.approx(float(wanted), rel=1e-6)
  plain = dataclasses.replace(config, equivariance=0.0)
  before, metrics = equivariance_loss(AreaAverages(), plain, {"image": x})
  assert not any("equivariance" in name for name in metrics)
  assert float(total - before) == pytest.approx(0.25 * term, rel=1e-4)
  assert all(jnp.array_equal(found[k], v) for k, v in metrics.items())


def test_the_term_reaches_encoder_and_decoder_of_a_vae():
  """Also with one term of the images, all terms are logged."""
  loss = {"log_mse": 0.0, "mse": 1e-9, "equivariance": 1e9}
  model = {"variational": True, "downsampling_steps": 2}
  task = families.build(parse(toy_vae(model=model, loss=loss)), {})
  params = jax.jit(task.init)(jax.random.key(0))
  x = jax.random.uniform(jax.random.key(1), (2, 32, 32, 1))
  keys = jax.random.split(jax.random.key(2), 2)
  run = lambda p: task.loss(p, {"image": x}, keys, LossInputs())  # noqa: E731
  gradient, found = jax.jit(jax.grad(run, has_aux=True))(params)
  assert {"loss/mse", "loss/equivariance"} <= found.keys()
  for part in ("encoder", "decoder"):
    leaves = jax.tree.leaves(gradient[part])
    assert max(float(jnp.max(jnp.abs(g))) for g in leaves) > 0
  assert task.loss_name == "loss (MSE + scale equivariance + KL)"


@pytest.mark.parametrize(
  ("model", "latent_shape"),
  [
    ("conv_autoencoder", (64,)),
    ("conv_autoencoder", (2, 2, 8)),
    ("conv_autoencoder", (5, 5, 8)),
    ("patch_autoencoder", (4, 4, 8)),
  ],
)
def test_latents_that_cannot_be_halved_are_refused(model, latent_shape):
  config = LossConfig(equivariance=0.25)
  with pytest.raises(UserError, match="^loss.equivariance=0.25: .*latent_dim"):
    check_equivariance(config, model=model, latent_shape=latent_shape, side=32)


def test_halved_images_are_not_smaller_than_the_window_of_ssim():
  config = LossConfig(equivariance=0.25, ssim=1.0)
  shape = {"model": "conv_autoencoder", "latent_shape": (4, 4, 8)}
  check_equivariance(config, **shape, side=32)
  with pytest.raises(UserError, match="^loss.equivariance=0.25 .*loss.ssim"):
    check_equivariance(config, **shape, side=16)

"""The `Task` of the autoencoders."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from support.configs import toy, toy_vae

from jaxgen.config.losses import LossConfig
from jaxgen.config.parse import parse
from jaxgen.data.findings import Findings
from jaxgen.errors import UserError
from jaxgen.images import normalize
from jaxgen.latents import density
from jaxgen.tasks import autoencoder, families
from jaxgen.typing import LossInputs

INPUTS = LossInputs()


def build(config, names=None):
  return families.build(parse(config), names or {})


def noise(seed, n):
  """Keys of `n` images."""
  return jax.random.split(jax.random.key(seed), n)


def test_the_task_reconstructs_what_it_evaluates():
  task = build(toy())
  params = jax.jit(task.init)(jax.random.key(0))
  images = np.random.default_rng(0).integers(0, 256, (4, 32, 32, 1), np.uint8)
  batch = {"image": jnp.asarray(images)}
  latents = np.random.default_rng(1).normal(size=(64, 16))
  prior = density.fit(latents, density.PREVIEW)
  keys = noise(0, 4)
  originals, rebuilt, new = task.preview(
    params, batch, keys, density=prior, inputs=INPUTS
  )
  np.testing.assert_allclose(originals, normalize(batch["image"]))
  codec = task.codec(params)
  drawn = density.draw(prior, density.PREVIEW, keys)
  np.testing.assert_allclose(codec.decode(drawn), new, atol=1e-5)
  latents = codec.encode(originals)
  assert latents.shape == (4, *task.latent_shape)
  assert codec.latent_shape == task.latent_shape
  np.testing.assert_allclose(codec.decode(latents), rebuilt, atol=1e-6)
  mse = jnp.mean((jnp.clip(rebuilt, -1, 1) - originals) ** 2, (1, 2, 3)) / 4
  scores = task.evaluate(params, batch, INPUTS)
  np.testing.assert_allclose(scores["mse"], mse, rtol=1e-5)
  _, metrics = task.loss(params, batch, noise(0, 4), INPUTS)
  assert metrics["mse"] == pytest.approx(
    float(jnp.mean((rebuilt - originals) ** 2)) / 4, rel=1e-5
  )


def test_dropout_noise_comes_from_the_key_and_is_off_in_evaluation():
  task = build(toy(model={"dropout": 0.5}))
  params = jax.tree.map(
    lambda p: p + 0.02, jax.jit(task.init)(jax.random.key(0))
  )
  batch = {"image": jax.random.uniform(jax.random.key(1), (2, 32, 32, 1))}
  loss = lambda k: float(  # noqa: E731
    task.loss(params, batch, noise(k, 2), INPUTS)[0]
  )
  assert loss(0) == loss(0) != loss(1)
  one, two = (task.evaluate(params, batch, INPUTS)["mse"] for _ in range(2))
  np.testing.assert_array_equal(one, two)


def test_what_is_read_of_a_batch_follows_from_the_terms():
  heads = {"segmentation": 0.1, "classification": 0.1, "label": "kind"}
  config = toy_vae(loss=heads, model={"num_seg_classes": 3})
  task = build(config, {"kind": ("a", "b")})
  assert task.batch_fields == ("image", "mask", "kind")
  assert task.draws_latents and build(toy()).batch_fields == ("image",)


@pytest.mark.parametrize("adaptive", [False, True])
def test_only_a_variational_model_has_a_controller(adaptive):
  kl = {"adaptive": adaptive}
  loss = {"log_mse": 0.0, "mse": 1.0}
  for variational in (False, True):
    model = {"variational": variational}
    task = build(toy_vae(kl=kl, loss=loss, model=model))
    assert (task.controller is not None) == variational
    images = jnp.zeros((2, 32, 32, 1))
    codec = task.codec(jax.jit(task.init)(jax.random.key(0)))
    assert (codec.posterior is not None) == variational
    drawn = codec.encode(images, noise(1, 2))
    differs = bool((drawn != codec.encode(images)).any())
    assert differs == variational


@pytest.mark.parametrize(
  ("sections", "named"),
  [
    ({"loss": {"classification": 0.1}}, "loss.classification"),
    ({"loss": {"label": "kind"}}, "loss.classification"),
    ({"loss": {"label": "hue", "classification": 0.1}}, "loss.label.*'hue'"),
    ({"loss": {"segmentation": 0.1}}, "model.num_seg_classes"),
    ({"model": {"num_seg_classes": 3}}, "loss.segmentation"),
  ],
)
def test_terms_and_data_that_do_not_fit_are_named(sections, named):
  with pytest.raises(UserError, match=named):
    build(toy_vae(**sections), {"kind": ("a", "b")})


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_a_perceptual_network_takes_the_channels(channels):
  config = toy_vae(data={"channels": channels}, loss={"lpips_alex": 0.1})
  check = build(config).check_data
  if channels in (1, 3):
    check([{}])
    return
  with pytest.raises(UserError, match="loss.lpips_alex.*data.channels"):
    check([{}])


@pytest.mark.parametrize("top", [2, 3])
def test_masks_have_the_labels_that_the_model_has(top):
  config = toy_vae(loss={"segmentation": 0.1}, model={"num_seg_classes": 3})
  mask = np.full((4, 4), 255)
  mask[0] = top
  image = np.zeros((4, 4, 1), np.uint8)
  check = build(config).check_data
  with pytest.raises(UserError, match="data.masks"):
    check([{"image": image}])
  if top < 3:
    check([{"image": image, "mask": mask}])
  else:
    with pytest.raises(UserError, match="model.num_seg_classes=3"):
      check([{"image": image, "mask": mask}])


@pytest.mark.parametrize(
  "labels", [(0, 1), (0, 1, 2), (0, 1, 3), (0, 1, 2, 255)]
)
def test_every_label_that_the_loss_needs_occurs(labels):
  config = toy_vae(loss={"segmentation": 0.1}, model={"num_seg_classes": 3})
  element = {
    "image": np.zeros((4, 4, 1), np.uint8),
    "mask": np.zeros((4, 4), np.int32),
  }
  check = build(config).check_data
  shares = dict.fromkeys(labels, 1 / len(labels))
  findings = Findings(masks=shares, train_masks=shares)
  if {0, 1, 2} <= {*labels}:
    check([element], findings)
    return
  with pytest.raises(UserError, match="model.num_seg_classes=3"):
    check([element], findings)


def test_the_loss_is_named():
  """A single term by its name, several as a sum."""
  name = lambda variational=False, **terms: autoencoder.loss_name(  # noqa: E731
    LossConfig(**terms), variational=variational
  )
  assert name() == "log MSE"
  assert name(log_mse=0.0, l1=0.5) == "L1"
  assert name(lpips_alex=1.0) == "loss (log MSE + LPIPS)"
  assert name(True, log_mse=0.0, mse=1.0) == "loss (MSE + KL)"

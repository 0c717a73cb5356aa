"""Hints: what networks are told of them, and whether it matters."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from support.configs import toy_denoiser

from jaxgen.config.diffusion import DiffusionConfig
from jaxgen.config.parse import parse
from jaxgen.diffusion import edm
from jaxgen.errors import UserError
from jaxgen.images import normalize, resize
from jaxgen.tasks import denoising_scores, families, hint_images
from jaxgen.tasks.companion import NONE
from jaxgen.tasks.denoising_loss import Denoising
from jaxgen.tasks.hint import Hint
from jaxgen.tasks.space import pixels
from jaxgen.train.transfer import transfer_params
from jaxgen.typing import LossInputs

NAMES = {"rock": ("a", "b", "c")}
LEVEL = "hint_noise"


def keys(n, seed=0):
  return jax.random.split(jax.random.key(seed), n)


def constant(**fields):
  """Hints of ones, made from nothing."""
  image = lambda batch, frozen: jnp.ones((len(batch["image"]), 4, 4, 2))  # noqa: E731
  return Hint(image=image, channels=2, **fields)


def built(**hint):
  found = hint_images.build(parse(config(hint)), NONE, 16)
  assert found is not None
  return found


def config(hint, **diffusion):
  return toy_denoiser(
    data={"channels": 3},
    stages={"resolution": (16,)},
    hint=hint,
    diffusion={"conditions": ("rock",)} | diffusion,
  )


def test_an_absent_hint_is_not_a_gray_one():
  hint, gray = constant(), jnp.zeros((2, 4, 4, 2))
  told = hint.tell(gray)["hint"]
  assert told.shape == (2, 4, 4, 3)
  np.testing.assert_array_equal(told[..., -1], 1)
  absent = hint.tell(gray + 1, present=jnp.array([False, True]))["hint"]
  np.testing.assert_array_equal(absent[0], 0)  # its presence, too
  np.testing.assert_array_equal(absent[1], 1)


def test_a_share_of_the_hints_is_dropped():
  n, share = 20_000, 0.3
  told = constant(drop_prob=share).draw(jnp.ones((n, 1, 1, 2)), keys(n))
  dropped = np.asarray(told["hint"] == 0).all((1, 2, 3))
  assert set(np.unique(told["hint"])) == {0, 1}
  error = np.sqrt(share * (1 - share) / n)
  assert abs(dropped.mean() - share) < 3 * error
  all_told = constant().draw(jnp.ones((99, 1, 1, 2)), keys(99))["hint"]
  assert (all_told == 1).all()


def test_the_loss_drops_hints():
  """A denoiser that answers with the presence of its hint errs by its share."""
  n, share = 400, 0.3
  presence: Any = lambda x, sigma, cond: cond["hint"][..., -1:]  # noqa: E731
  loss = Denoising(
    config=DiffusionConfig(),
    denoiser=lambda params, key=None: presence,
    space=pixels((4, 4, 1)),
    hint=constant(drop_prob=share),
  )
  batch: Any = {"image": jnp.zeros((n, 4, 4, 1))}
  mse = 4 * loss({}, batch, keys(n), LossInputs())[1]["mse"]
  assert abs(float(mse) - (1 - share)) < 3 * np.sqrt(share * (1 - share) / n)


def test_the_noise_on_a_hint_is_told():
  """As a fraction of the highest, log-uniform from a hundredth; nothing is told
  of an absent hint."""
  n, noise = 4000, 0.5
  told = constant(drop_prob=0.25, noise=noise).draw(
    jnp.zeros((n, 8, 8, 2)), keys(n)
  )
  present = np.asarray(told["hint"][:, 0, 0, -1]) == 1
  level = np.asarray(told[LEVEL][:, 0])
  np.testing.assert_array_equal(np.isnan(level), ~present)
  log = np.log(level[present])
  assert log.min() >= np.log(0.01) - 1e-5 and log.max() <= 1e-5
  assert abs(log.mean() - np.log(0.1)) < 0.1
  std = np.asarray(told["hint"][present][..., :2]).std((1, 2, 3))
  ratio = std / (noise * level[present])
  assert abs(ratio.mean() - 1) < 0.01 and ratio.std() < 0.1
  assert not np.asarray(told["hint"])[~present].any()
  assert LEVEL not in constant().draw(jnp.zeros((2, 4, 4, 2)), keys(2))
  exact = constant(noise=noise).tell(jnp.ones((2, 4, 4, 2)))
  np.testing.assert_array_equal(exact[LEVEL], np.zeros((2, 1)))


def test_low_resolution_is_there_and_back():
  x = jnp.asarray(np.random.default_rng(0).integers(0, 256, (2, 16, 16, 3)))
  batch = {"image": x.astype(jnp.uint8)}
  hint = built(kind="lowres", factor=4).image(batch, {})
  expected = resize(resize(normalize(batch["image"]), 4), 16)
  np.testing.assert_allclose(hint, expected, atol=1e-5)
  wide = jnp.concatenate([batch["image"]] * 2, 2)
  wide = built(kind="lowres", factor=4).image({"image": wide}, {})
  np.testing.assert_allclose(wide[:, :, :8], hint[:, :, :8], atol=1e-5)


def test_segments_have_a_channel_for_each_class():
  mask = jnp.array([[[0, 1], [255, -1]]])
  found = hint_images._segments(2, {"mask": mask}, {})
  np.testing.assert_array_equal(found[0, 0], np.eye(2))
  np.testing.assert_array_equal(found[0, 1], 0)


def test_images_that_belong_to_others_are_hints():
  options = config({"kind": "image"})
  options.data.update(source="folder", hints="sketches", hint_channels=1)
  task = families.build(parse(options), NAMES)
  assert task.hint is not None and task.hint.channels == 1
  assert task.batch_fields == ("image", "hint", "rock")
  batch: Any = {"hint": np.array([[[[0]], [[255]]]], np.uint8)}
  told = task.hint.tell(task.hint.image(batch, {}))["hint"]
  np.testing.assert_array_equal(told[0, :, 0], [[-1, 1], [1, 1]])


def test_edges_are_where_the_luma_changes():
  image = np.full((1, 16, 16, 3), -1, np.float32)
  image[:, :, 8:] = 1
  both = np.concatenate([image, image.swapaxes(1, 2)])
  found = built(kind="edges").image({"image": jnp.asarray(both)}, {})
  assert found.shape == (2, 16, 16, 1)
  np.testing.assert_allclose(found[0, :, 7:9], np.tanh(2), atol=1e-5)
  np.testing.assert_array_equal(np.delete(found[0], [7, 8], 1), 0)
  np.testing.assert_array_equal(found[1], found[0].swapaxes(0, 1))


def test_the_hint_gap_is_that_of_the_formula():
  """y = h + e with e ~ N(0, s^2): the best denoiser errs by a s^2, with a =
  sigma^2 / (s^2 + sigma^2); with the hint h' by a^2 |h - h'|^2 more."""
  options, s, side = DiffusionConfig(), 0.3, 64
  rng = np.random.default_rng(0)
  h = 0.2 * rng.normal(size=(128, 1, 1, 1)) + np.zeros((1, side, side, 1))
  e = s * rng.normal(size=h.shape)
  y = h + e - e.mean((1, 2, 3), keepdims=True)
  batch: Any = {k: np.float32(v) for k, v in (("image", y), ("h", h))}
  hint = Hint(image=lambda batch, frozen: batch["h"], channels=1, field="h")

  def denoise(x, sigma, cond: Any = None):
    told = cond["hint"][..., :1]
    gain = s**2 / (s**2 + edm.per_image(sigma) ** 2)
    return told + gain * (x - told)

  means = denoising_scores.evaluate(
    options,
    pixels((side, side, 1)),
    denoise,
    jax.tree.map(jnp.asarray, hint.with_others(batch)),
    hint=hint,
    frozen={},
  )
  scores = denoising_scores.summarize({k: np.mean(v) for k, v in means.items()})
  sigma = denoising_scores.held_out_sigmas(options)
  a, weight = sigma**2 / (s**2 + sigma**2), edm.weight(sigma)
  apart = np.mean((h - np.roll(h, 1, axis=0)) ** 2)
  loss = float(jnp.mean(weight * a * s**2))
  gap = float(jnp.mean(weight * a**2)) * apart / loss
  assert scores["loss"] == pytest.approx(loss, rel=5e-3)
  assert scores["hint_gap"] == pytest.approx(gap, abs=1e-3)
  assert set(scores) == {"loss", "psnr", "hint_gap"}


def test_a_loss_with_hints_draws_what_it_drew_without():
  """The same noise, levels and dropped labels: a network that ignores hints has
  the same loss."""
  plain = families.build(parse(config({})), NAMES)
  hinted = families.build(parse(config({"kind": "edges"})), NAMES)
  params = jax.tree.map(lambda x: x + 0.02, plain.init(jax.random.key(0)))
  fresh = jax.eval_shape(hinted.init, jax.random.key(0))
  more = transfer_params(params, fresh, hinted.model.rules(plain.model))
  rng = np.random.default_rng(0)
  batch = {
    "image": jnp.asarray(rng.integers(0, 256, (8, 16, 16, 3), np.uint8)),
    "rock": jnp.arange(8) % 3,
  }
  losses = [
    jax.jit(task.loss)(p, batch, keys(8), LossInputs())[0]
    for task, p in ((plain, params), (hinted, more))
  ]
  np.testing.assert_allclose(losses[1], losses[0], rtol=1e-6)


def test_a_task_says_what_it_reads():
  task = families.build(parse(config({"kind": "edges"})), NAMES)
  assert task.evaluates_at_start and task.batch_fields == ("image", "rock")
  assert not families.build(parse(config({})), NAMES).evaluates_at_start


@pytest.mark.parametrize(
  ("elements", "says"),
  [
    ([{"image": np.zeros((4, 4, 1))}], "hint.kind=segments"),
    ([{"mask": np.full((4, 4), 3)}], "hint.num_classes=3"),
  ],
)
def test_masks_must_fit(elements, says):
  options = config({"kind": "segments", "num_classes": 3})
  options.data.source = "rocks"
  with pytest.raises(UserError, match=says):
    hint_images.check_data(parse(options), elements)
  hint_images.check_data(parse(options), [{"mask": np.array([[2, 255]])}])


def test_the_task_of_segments_reads_masks():
  options = config({"kind": "segments", "num_classes": 3})
  options.data.source = "rocks"
  task = families.build(parse(options), NAMES)
  assert task.batch_fields == ("image", "mask", "rock")
  assert task.hint is not None and task.hint.channels == 3

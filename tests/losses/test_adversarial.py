"""The adversarial loss: who learns from what, and what the penalties are."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen.losses import adversarial

RNG = np.random.default_rng(0)
REAL, FAKE = (
  jnp.float32(RNG.normal(size=(2, 6, 4, 3))),
  jnp.float32(RNG.normal(size=(2, 6, 4, 3))),
)
SLOPE = jnp.float32([0.5, -2.0, 1.0])
SQUARED = 5.25  # of its norm


def curved(params, images):
  """Logits that depend on parameters and images in every derivative."""
  return jnp.tanh(params * images).sum(3) ** 2 + params * images[..., 0]


def pixelwise(slope, images):
  return images @ slope


def whole(kernel, images):
  return jnp.einsum("bhwc,hwc->b", images, kernel)


def norm(tree):
  return float(sum(jnp.abs(x).sum() for x in jax.tree.leaves(tree)))


def gradients(loss):
  """Norms of the gradients at the discriminator and at generated images."""
  found = jax.jit(jax.grad(loss, argnums=(0, 1)))(jnp.float32(0.7), FAKE)
  return tuple(map(norm, found))


def of_generator(params, fake):
  return adversarial.terms(curved, params, real=REAL, fake=fake).generator


def of_discriminator(params, fake):
  return adversarial.terms(curved, params, real=REAL, fake=fake).discriminator


def of_penalty(params, fake):
  return adversarial.penalty(curved, params, real=REAL, fake=fake)


def test_each_player_learns_from_its_own_loss():
  at_params, at_images = gradients(of_generator)
  assert at_params == 0 and at_images > 1e-3
  for loss in (of_discriminator, of_penalty):
    at_params, at_images = gradients(loss)
    assert at_params > 1e-3 and at_images == 0


def test_players_that_agree_have_the_same_loss():
  """Where no pair differs both are log 2, and they are each other's mirror."""
  equal = adversarial.terms(curved, jnp.float32(0.7), real=REAL, fake=REAL)
  assert equal.generator == equal.discriminator == pytest.approx(np.log(2))
  ahead = adversarial.terms(pixelwise, SLOPE, real=REAL + 1, fake=REAL)
  gap = float(SLOPE.sum())
  assert ahead.gap == pytest.approx(gap, rel=1e-5)
  assert ahead.discriminator == pytest.approx(np.log1p(np.exp(-gap)))
  assert ahead.generator == pytest.approx(np.log1p(np.exp(gap)))


@pytest.mark.parametrize("height", [1, 6])
def test_the_penalty_of_a_linear_discriminator_is_its_squared_slope(height):
  """For any images; with logits of pixels for any size of them."""
  real, fake = REAL[:, :height], FAKE[:, :height]
  found = adversarial.penalty(pixelwise, SLOPE, real=real, fake=fake)
  assert found == pytest.approx(SQUARED, rel=1e-5)
  kernel = jnp.float32(RNG.normal(size=real.shape[1:]))
  found = adversarial.penalty(whole, kernel, real=real, fake=fake)
  assert found == pytest.approx(float((kernel**2).sum()), rel=1e-5)


def test_the_penalty_is_the_mean_of_both_kinds_of_images():
  quadratic = lambda scale, x: scale * (x**2).sum((1, 2, 3)) / 2  # noqa: E731
  found = adversarial.penalty(quadratic, jnp.float32(3.0), real=REAL, fake=FAKE)
  squares = [float((x**2).sum()) / len(x) for x in (REAL, FAKE)]
  assert found == pytest.approx(9 * np.mean(squares), rel=1e-5)

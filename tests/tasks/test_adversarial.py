"""Upscalers with a discriminator: dynamics, and what stays as it is."""

import types
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from support.toy_upscaler import random_like, toy_upscaler

from jaxgen.config.adversarial import AdversarialConfig
from jaxgen.config.parse import parse
from jaxgen.data.degraded import LOW
from jaxgen.tasks import families
from jaxgen.tasks.adversarial import DISCRIMINATOR, Adversarial
from jaxgen.tasks.task import GENERATOR
from jaxgen.typing import LossInputs

KEY = jax.random.key(0)
HALVES = slice(0, 2), slice(2, 4)


def toy(**adversarial):
  """A task of a discriminator of 4 features."""
  config = toy_upscaler()
  config.adversarial.update({"width": 4} | adversarial)
  return families.build(parse(config), {})


@pytest.fixture(scope="module")
def task():
  return toy(weight=0.5, gamma=0.1)


@pytest.fixture(scope="module")
def params(task):
  """Random ones of both players."""
  return random_like(jax.eval_shape(task.init, KEY), scale=0.2)


@pytest.fixture(scope="module")
def batch():
  rng = np.random.default_rng(0)
  draw = lambda side: rng.integers(0, 256, (4, side, side, 1), np.uint8)  # noqa: E731
  return {"image": draw(32), LOW: draw(16)}


def dirac(**options):
  """The Dirac-GAN of Mescheder et al. 2018 (arXiv:1801.04406, section 2): the
  data are 0, the generator says theta, the discriminator is linear."""
  shape = (1, 1, 1, 1)
  generator = types.SimpleNamespace(
    enlarge=lambda theta, batch: jnp.reshape(theta, shape),
    compare=lambda fake, real: (jnp.zeros(()), {}),
  )
  linear = types.SimpleNamespace(
    apply=lambda variables, x: variables["params"] * x[..., 0]
  )
  loss = Adversarial(
    generator=generator,
    discriminator=linear,
    config=AdversarialConfig(**options),
    batch_size=1,
  )
  return loss, {"image": jnp.zeros(shape)}


def eigenvalues(step, **options) -> Any:
  """Of the flow down the gradient of the whole loss, at its fixed point; by
  differences, since derivatives of the flow do not pass stopped gradients. On
  either axis the flow is linear."""
  loss, batch = dirac(**options)

  @jax.jit
  def flow(players):
    theta, psi = players
    params = {GENERATOR: theta, DISCRIMINATOR: psi}
    inputs = LossInputs(images=jnp.uint32(step))
    found = jax.grad(lambda p: loss(p, batch, KEY, inputs)[0])(params)
    return -jnp.stack([found[GENERATOR], found[DISCRIMINATOR]])

  np.testing.assert_allclose(flow(jnp.zeros(2)), 0, atol=1e-7)
  matrix = np.stack([flow(axis) for axis in jnp.eye(2)], axis=1)
  return np.sort_complex(np.linalg.eigvals(matrix).astype(complex))


def expected(weight, gamma):
  """The roots of x^2 + 2 gamma x + weight / 4."""
  root = np.sqrt(complex(gamma**2 - weight / 4))
  return np.sort_complex(np.array([-gamma - root, -gamma + root]))


@pytest.mark.parametrize("weight, gamma", [(1.0, 0.2), (0.3, 1.0), (2.0, 0.5)])
def test_the_dirac_gan_converges_by_its_penalty(weight, gamma):
  found = eigenvalues(0, weight=weight, gamma=gamma)
  np.testing.assert_allclose(found, expected(weight, gamma), atol=1e-5)
  assert (found.real < 0).all()


def test_without_a_penalty_it_circles():
  """In the steps between penalties, which are as large as they are rare."""
  options = {"weight": 1.0, "gamma": 0.2, "penalty_every": 3}
  for step in (1, 2):
    found = eigenvalues(step, **options)
    np.testing.assert_allclose(found, [-0.5j, 0.5j], atol=1e-6)
  found = eigenvalues(3, **options)
  np.testing.assert_allclose(found, expected(1.0, 0.6), atol=1e-5)


def test_all_terms_are_means_of_their_images(task, params, batch):
  """So that microbatches change nothing."""
  keys = jax.random.split(KEY, 2)

  @jax.jit
  def terms(part):
    total, metrics = task.loss(params, part, keys, LossInputs())
    return {"loss": total, **metrics}

  halves = [terms({k: v[s] for k, v in batch.items()}) for s in HALVES]
  found = jax.tree.map(float, terms(batch))
  mean = jax.tree.map(lambda *x: float(np.mean(x)), *halves)
  assert found == pytest.approx(mean, rel=1e-4)
  assert all(found.values()) and len(found) == 7


def test_an_untrained_discriminator_leaves_the_generator_to_its_own_loss(
  task, batch
):
  params, plain = jax.jit(task.init)(KEY), toy()
  keys = jax.random.split(KEY, 4)

  def slope(loss, place):
    total = lambda p: loss(place(p), batch, keys, LossInputs())[0]  # noqa: E731
    return jax.jit(jax.grad(total))(params[GENERATOR])

  jax.tree.map(
    np.testing.assert_array_equal,
    params[GENERATOR],
    jax.jit(plain.init)(KEY),
  )
  jax.tree.map(
    lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-8),
    slope(task.loss, lambda p: task.with_sampled(params, p)),
    slope(plain.loss, lambda p: p),
  )


def test_without_a_weight_there_is_no_discriminator():
  """Whatever the other fields are."""
  plain, other = toy(), toy(gamma=9.0, penalty_every=7, rate_factor=3.0)
  assert not plain.rate_factors and plain.loss == other.loss
  params = jax.jit(plain.init)(KEY)
  jax.tree.map(np.testing.assert_array_equal, params, jax.jit(other.init)(KEY))
  assert plain.sampled(params) is params and GENERATOR not in params


def test_samplers_and_evaluations_take_the_generator_alone(task, params, batch):
  sampled = task.sampled(params)
  scores = task.evaluate(sampled, batch, LossInputs())
  plain = toy().evaluate(sampled, batch, LossInputs())
  jax.tree.map(np.testing.assert_array_equal, scores, plain)
  assert task.with_sampled(params, sampled) == params

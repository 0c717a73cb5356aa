"""Few-step models: their losses and scores. The closed forms are laws."""

import dataclasses
import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from support import companions
from support.configs import toy_denoiser, toy_few_steps

from jaxgen.config.parse import parse
from jaxgen.diffusion import edm
from jaxgen.diffusion.few_steps import NEXT_LEVEL
from jaxgen.laws import few_steps as laws
from jaxgen.tasks import families
from jaxgen.tasks.consistency_loss import Curriculum
from jaxgen.trees import named
from jaxgen.typing import LossInputs

SIDE, N = 8, 8
NAMES = {"kind": ("a", "b", "c")}
INPUTS = LossInputs()


def config(maker=toy_few_steps, **sections):
  small = {
    "data": {"source": "rocks", "channels": 1},
    "stages": {"resolution": (SIDE,)},
    "model": {"patch_size": 4, "width": 16, "dropout": 0.3},
    "diffusion": {"conditions": ("kind",)},
  }
  return maker(
    **{k: small.get(k, {}) | sections.get(k, {}) for k in {*small, *sections}}
  )


@functools.cache
def build(method="ect", **few) -> Any:
  experiment = parse(config(consistency={"method": method} | few))
  return families.build(experiment, NAMES)


@functools.cache
def denoiser() -> Any:
  return families.build(parse(config(toy_denoiser)), NAMES)


def batch(n=N, seed=0):
  rng = np.random.default_rng(seed)
  images = rng.normal(0, 0.5, (n, SIDE, SIDE, 1)).clip(-1, 1)
  return {"image": jnp.asarray(images, jnp.float32), "kind": jnp.arange(n) % 3}


def keys(n=N, seed=0):
  return jax.random.split(jax.random.key(seed), n)


@pytest.mark.parametrize("method", ["ect", "mean_flow"])
def test_a_denoiser_s_weights_answer_as_there(method):
  """Bitwise, whatever level of a step's end is told."""
  task, teacher = build(method), denoiser()
  old = companions.random_params(teacher)
  fresh = jax.jit(task.init)(jax.random.key(0))
  assert (named(fresh).keys() != named(old).keys()) == (method == "mean_flow")
  params = _over(fresh, old)
  x, sigma = batch()["image"], jnp.linspace(0.1, 9, N)
  cond = {"kind": jnp.arange(N) % 3}
  want = teacher.denoiser(old)(x, sigma, cond)
  told = {**cond, NEXT_LEVEL: sigma / 2}
  np.testing.assert_array_equal(task.denoiser(params)(x, sigma, told), want)
  np.testing.assert_array_equal(task.denoiser(params)(x, sigma, cond), want)


def _over(fresh, old):
  """Fresh parameters with those that another network has."""
  if not isinstance(fresh, dict):
    return old
  return {k: _over(v, old[k]) if k in old else v for k, v in fresh.items()}


def test_a_flow_map_is_told_where_a_step_ends():
  task = build("mean_flow")
  params = companions.random_params(task)
  x, sigma = batch()["image"], jnp.full(N, 2.0)
  denoise = jax.jit(task.denoiser(params))
  ends = [
    denoise(x, sigma, {NEXT_LEVEL: jnp.full(N, r)}) for r in (2.0, 0.5, 0.0)
  ]
  assert (jnp.abs(ends[1] - ends[2]) > 1e-4).any()
  same = task.denoiser(params)(x, sigma)
  np.testing.assert_allclose(ends[0], same, atol=1e-5)


def test_no_gradient_flows_through_the_second_call():
  """Nor is the data's part of it used: parameters that answer below a level
  alone get no gradient."""
  task = build()
  cut = 0.3

  def of(params, key=None):
    def denoise(x, sigma, cond=None):
      above, below = params
      return jnp.where(edm.per_image(sigma) > cut, above, below) * x

    return denoise

  loss = dataclasses.replace(
    task.loss,
    denoiser=of,
    examples=dataclasses.replace(
      task.loss.examples, level=lambda key: jnp.asarray(1.5 * cut)
    ),
    curriculum=Curriculum(factor=8.0, steps=1, start=0, total=1),
  )
  params = jnp.asarray([0.5, 0.9])
  of_params = jax.jit(
    jax.value_and_grad(lambda p: loss(p, batch(), keys(), INPUTS)[0])
  )
  value, slopes = of_params(params)
  assert slopes[0] != 0 and slopes[1] == 0
  assert of_params(params.at[1].set(0.1))[0] != value  # it is used


def test_both_calls_have_the_same_noise_and_dropout():
  """As the gap closes, so does the difference, in spite of dropout; divided by
  the gap it stays finite."""
  task = build()
  params = companions.random_params(task)

  @jax.jit
  def loss(gap):
    each = task.loss.each
    example = task.loss.examples(batch(), keys(), {})
    return each(params, example, keys()[0], gap)

  losses = [float(jnp.max(loss(gap))) for gap in (0.02, 0.01)]
  assert losses[1] < 1.5 * losses[0]


@pytest.mark.parametrize("method", ["ect", "mean_flow"])
def test_an_image_s_loss_does_not_depend_on_its_batch(method):
  """Without dropout, whose key is that of the batch."""
  task = build(method, power=0.0)
  params = companions.random_params(task)
  loss = dataclasses.replace(
    task.loss, denoiser=lambda p, key=None: task.denoiser(p)
  )
  of = jax.jit(lambda b, k: loss(params, b, k, INPUTS)[0])
  whole = of(batch(), keys())
  parts = [
    of({k: v[s] for k, v in batch().items()}, keys()[s])
    for s in (slice(0, 4), slice(4, 8))
  ]
  assert whole == pytest.approx(np.mean(parts), rel=1e-4)


def test_the_gap_is_a_function_of_the_images_seen():
  curriculum = Curriculum(factor=2.0, steps=4, start=100, total=500)
  seen = [0, 99, 100, 199, 200, 400, 499, 500, 10_000]
  gaps = [float(curriculum.gap(jnp.uint32(x))) for x in seen]
  assert gaps == [1, 1, 0.5, 0.5, 0.25, 1 / 16, 1 / 16, 1 / 16, 1 / 16]
  task = build(curriculum=2)
  params, total = companions.random_params(task), task.loss.curriculum.total
  late = LossInputs(images=jnp.uint32(total - 1))
  metrics = task.loss(params, batch(), keys(), late)[1]
  assert metrics["consistency/gap"] == 0.25


def test_pretraining_is_that_of_a_denoiser():
  """The lower level is 0, where the data are the target; all levels of a flow
  map are equal."""
  task = build(pretrain_images=64)
  example = task.loss.examples(batch(), keys(), {})
  zero = lambda p, key=None: lambda x, sigma, cond=None: 0 * x  # noqa: E731
  loss = dataclasses.replace(task.loss, denoiser=zero)
  found = loss.each({}, example, keys()[0], loss.curriculum.gap(0))
  norms = jnp.sqrt(jnp.sum(example.y**2, (1, 2, 3)))
  np.testing.assert_allclose(found, norms / example.sigma, rtol=1e-5)
  flow = build("mean_flow", pretrain_images=64).loss
  t, r = flow._levels(example.sigma, keys(), jnp.asarray(1.0))
  np.testing.assert_array_equal(t, r)


def test_the_levels_of_a_flow_map():
  flow = build("mean_flow").loss
  sigma = jnp.exp(jax.random.normal(jax.random.key(1), (4000,)))
  t, r = flow._levels(sigma, keys(4000), jnp.asarray(0.75))
  assert (r <= t).all() and (t >= sigma).all()
  assert (r == t).mean() == pytest.approx(0.75, abs=0.03)
  assert (r == 0).mean() == pytest.approx(0.125, abs=0.03)


def exact_scores(side, std, n, factor=1.0):
  """The scores of a consistency function of Gaussian pixels, whose one-call
  samples are too narrow by a factor."""
  task = families.build(parse(config(stages={"resolution": (side,)})), NAMES)

  def denoise(x, sigma, cond=None):
    exact = std / jnp.hypot(std, edm.per_image(sigma))
    return exact * jnp.where(edm.per_image(sigma) > 1, factor, 1.0) * x

  task = dataclasses.replace(task, denoiser=lambda params: denoise)
  rng = np.random.default_rng(0)
  images = rng.normal(0, std, (n, side, side, 1)).astype(np.float32)
  evaluate = build_evaluate(task, denoise)
  data = {"image": jnp.asarray(images), "kind": jnp.zeros(n, jnp.int32)}
  return task, evaluate, data


def build_evaluate(task, denoise):
  scores = task.summarize.__self__
  return jax.jit(lambda b: scores.evaluate(denoise, b, frozen={}))


def means(metrics):
  return {k: np.asarray(v).mean(0) for k, v in metrics.items()}


def test_scores_of_gaussian_pixels():
  """The spread is that of the samples in each octave; the energy distance to
  other samples of the data is near 0, and finds samples that are too narrow."""
  task, evaluate, data = exact_scores(SIDE, 0.3, 512)
  good = task.summarize(means(evaluate(data)))
  assert good["std"] == pytest.approx(1, abs=0.02)
  octaves = [v for k, v in good.items() if k.startswith("std_octave")]
  assert len(octaves) == 2 and np.allclose(octaves, 1, atol=0.06)
  assert good["energy_db"] == pytest.approx(-10 * np.log10(good["energy_2"]))
  narrow = exact_scores(SIDE, 0.3, 512, factor=0.8)
  bad = narrow[0].summarize(means(narrow[1](data)))
  assert bad["std"] == pytest.approx(0.8, abs=0.02)
  assert bad["energy_1"] > 3 * good["energy_1"]
  assert bad["energy_2"] == pytest.approx(good["energy_2"], rel=0.2)


def test_scores_do_not_depend_on_the_batches():
  task, evaluate, data = exact_scores(SIDE, 0.3, 32)
  whole = task.summarize(means(evaluate(data)))
  halves = [evaluate({k: v[i::2] for k, v in data.items()}) for i in range(2)]
  joined = jax.tree.map(lambda *x: np.concatenate(x), *halves)
  assert task.summarize(means(joined)) == pytest.approx(whole, rel=1e-4)


def test_two_calls_have_the_spread_of_the_law():
  """By way of the sampler: the second call does not mend narrowness."""
  stage = 3
  gap = 2.0 ** -(stage + 1)

  def denoise(x, sigma, cond=None):
    a = jnp.stack([laws.gain(80.0, gap), laws.gain(0.8, gap)])
    return jnp.where(edm.per_image(sigma) > 1, a[0], a[1]) * x

  scores = build().summarize.__self__
  spaced = dataclasses.replace(scores.space, shape=(64, 64, 1))
  wide = dataclasses.replace(scores, space=spaced)
  for calls, want in ((1, laws.one_step_spread(3)), (2, 0.931)):
    x = wide._sample(denoise, {}, keys(32), calls)
    assert np.std(x) / 0.5 == pytest.approx(want, rel=0.01)

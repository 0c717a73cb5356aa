"""ControlNets: what they start as, what they learn, and what steers."""

import functools
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from support import companions as stubs
from support import controls

from jaxgen.config.diffusion import DiffusionConfig
from jaxgen.diffusion import edm
from jaxgen.errors import UserError
from jaxgen.tasks import control, denoising_scores
from jaxgen.tasks.companion import with_base
from jaxgen.tasks.denoising_loss import Denoising
from jaxgen.tasks.hint import Hint
from jaxgen.tasks.space import pixels
from jaxgen.trees import named
from jaxgen.typing import LossInputs

KEYS = jax.random.split(jax.random.key(0), 4)


@pytest.fixture(scope="module", params=["unet", "dit"])
def made(request) -> Any:
  """A base, the task of a ControlNet on it, and the frozen parameters."""
  base = controls.base(request.param)
  task = controls.control_task(base)
  return base, task, controls.leaning(base).frozen(task)


@functools.cache
def program(task):
  """The answers to one noisy batch."""
  x = jax.random.normal(jax.random.key(3), (4, stubs.SIDE, stubs.SIDE, 1))
  sigma = jnp.linspace(0.1, 2.0, 4)
  return jax.jit(
    lambda p, f, cond: task.denoiser(with_base(p, f))(x, sigma, cond)
  )


def denoise(task, params, frozen, cond):
  return np.asarray(program(task)(params, frozen, cond))


def told(task, scale: Any = 1.0) -> dict[str, Any]:
  """Labels, the hints of a batch, and the scale."""
  batch = controls.batch()
  hint = task.hint.tell(task.hint.image(batch, {}))
  scale = jnp.broadcast_to(jnp.asarray(scale, jnp.float32), (4,))
  return {"kind": batch["kind"], "control_scale": scale, **hint}


def of_base(base):
  labels = {"kind": controls.batch()["kind"]}
  return denoise(base.task, base.params, {}, labels)


def test_it_starts_as_its_base(made):
  base, task, frozen = made
  params = controls.started(task, frozen)
  steered = denoise(task, params, frozen, told(task))
  np.testing.assert_array_equal(steered, of_base(base))
  copied, known = named(params), named(frozen["base"])
  same = set(copied) & set(known)
  assert {x for x in copied if "zero" not in x and "hint" not in x} == same
  for name in same:
    np.testing.assert_array_equal(copied[name], known[name])
  zeros = [v for k, v in copied.items() if "zero" in k]
  assert zeros and not any(np.any(x) for x in zeros)


def test_without_a_hint_it_is_its_base(made):
  """Also among images with one, and at a scale of 0."""
  base, task, frozen = made
  params, cond = stubs.random_params(task), told(task)
  expected, steered = of_base(base), denoise(task, params, frozen, cond)
  apart = np.abs(steered - expected).max((1, 2, 3))
  assert (apart > 1e-3).all()
  none = denoise(task, params, frozen, {"kind": cond["kind"]})
  np.testing.assert_array_equal(none, expected)
  off = denoise(task, params, frozen, told(task, 0.0))
  np.testing.assert_array_equal(off, expected)
  first = cond["hint"].at[0].set(0)  # absent
  some = denoise(task, params, frozen, {**cond, "hint": first})
  np.testing.assert_array_equal(some[0], expected[0])
  np.testing.assert_array_equal(some[1:], steered[1:])


def test_the_scale_is_that_of_each_image(made):
  _, task, frozen = made
  params = stubs.random_params(task)
  scale = jnp.array([0.0, 0.5, 1.0, 2.0])
  mixed = denoise(task, params, frozen, told(task, scale))
  halves = told(task, 0.5)
  np.testing.assert_array_equal(
    mixed[1], denoise(task, params, frozen, halves)[1]
  )
  plain = denoise(task, params, frozen, told(task))
  np.testing.assert_array_equal(mixed[2], plain[2])
  assert np.abs(mixed[3] - plain[3]).max() > 1e-3


def test_what_learns_in_which_step(made):
  """First the layers that are zero and lead out; then the copy and the zero
  layer of the hint; then what is before that."""
  _, task, frozen = made
  batch, inputs = controls.batch(), LossInputs(frozen=frozen)
  gradient = jax.jit(jax.grad(lambda p: task.loss(p, batch, KEYS, inputs)[0]))
  params, learning = controls.started(task, frozen), []
  for _ in range(3):
    found = gradient(params)
    learning.append({k for k, v in named(found).items() if np.any(v)})
    params = jax.tree.map(lambda p, g: p - 0.1 * g, params, found)
  every = set(named(params))
  out = {x for x in every if x.startswith("zero_")}
  hint = {x for x in every if x.startswith("hint/conv")}
  assert learning[0] == out
  missing = every - learning[1] - hint
  assert all("condition_" in x or "resolution" in x for x in missing), missing
  assert not hint & learning[1] and hint <= learning[2]


def test_no_gradient_reaches_the_base(made):
  _, task, frozen = made
  batch = controls.batch()

  def loss(frozen):
    inputs = LossInputs(frozen=frozen)
    return task.loss(stubs.random_params(task), batch, KEYS, inputs)[0]

  found = jax.tree.leaves(jax.jit(jax.grad(loss))(frozen))
  assert found and not any(np.any(x) for x in found)


def test_the_hint_gap_begins_at_zero(made):
  _, task, frozen = made
  batch = task.hint.with_others(controls.batch())
  inputs = LossInputs(frozen=frozen)
  for params, begins in (
    (controls.started(task, frozen), True),
    (stubs.random_params(task), False),
  ):
    means = jax.jit(task.evaluate)(params, batch, inputs)
    scores = task.summarize({k: np.mean(v) for k, v in means.items()})
    assert (scores["hint_gap"] == 0) == begins


class Gain(nn.Module):
  """A base that scales its input, and adds what controls it."""

  @nn.compact
  def __call__(self, x, c_noise, cond=None, train=False, *, controls=()):
    gain = self.param("gain", nn.initializers.zeros, ())
    return sum(controls, gain * x)


class Linear(nn.Module):
  """A ControlNet of two numbers."""

  @nn.compact
  def __call__(self, x, c_noise, cond, train=False):
    a, b = self.param("ab", nn.initializers.zeros, (2,))
    return (a * x + b * cond["hint"][..., :1],)


def test_the_hint_gap_of_a_linear_control_is_that_of_the_formula():
  """y = h + e with e ~ N(0, s^2): the best answer errs by a s^2, with a =
  sigma^2 / (s^2 + sigma^2), and with another hint h' by a^2 |h - h'|^2 more."""
  s, t, level, side = 0.3, 0.4, 0.5, 32
  config = DiffusionConfig(P_mean=float(np.log(level)), P_std=1e-4)
  rng = np.random.default_rng(0)
  h = t * rng.normal(size=(64, side, side, 1))
  y = h + s * rng.normal(size=h.shape)
  batch: Any = {
    k: jnp.asarray(v, jnp.float32) for k, v in (("image", y), ("h", h))
  }
  hint = Hint(image=lambda batch, frozen: batch["h"], channels=1, field="h")

  def denoiser(params, key=None):
    return control._denoiser(Linear(), Gain(), config, params, key)

  space, frozen = pixels((side, side, 1)), {"base": {"gain": jnp.zeros(())}}
  loss = Denoising(config=config, denoiser=denoiser, space=space, hint=hint)
  rule, inputs = optax.adam(0.05), LossInputs(frozen=frozen)
  keys = jax.random.split(jax.random.key(0), (200, 64))

  def step(carry, keys):
    params, state = carry
    grads = jax.grad(lambda p: loss(p, batch, keys, inputs)[0])(params)
    updates, state = rule.update(grads, state)
    return (optax.apply_updates(params, updates), state), None

  start = {"ab": jnp.zeros(2)}
  train = jax.jit(lambda p: jax.lax.scan(step, (p, rule.init(p)), keys)[0][0])
  params = train(start)

  def gap(params):
    means = denoising_scores.evaluate(
      config,
      space,
      denoiser(with_base(params, frozen)),
      {k: jnp.asarray(v) for k, v in hint.with_others(batch).items()},
      hint=hint,
      frozen=frozen,
    )
    scores = denoising_scores.summarize(
      {k: np.mean(v) for k, v in means.items()}
    )
    return scores["hint_gap"], scores["loss"]

  a, weight = level**2 / (s**2 + level**2), edm.weight(jnp.array(level))
  apart = np.mean((h - np.roll(h, 1, axis=0)) ** 2)
  found, error = gap(params)
  assert error == pytest.approx(float(weight) * a * s**2, rel=0.02)
  assert found == pytest.approx(a * apart / s**2, rel=0.03)
  assert gap(start)[0] == 0


def test_latents_are_steered_by_hints_of_images():
  codec = stubs.halved()
  base = controls.base("unet", codec=codec)
  task = controls.control_task(base, codec=codec)
  frozen = controls.leaning(base, codec).frozen(task)
  batch, inputs = controls.batch(), LossInputs(frozen=frozen)
  assert task.latent_shape == (4, 4, 1) and task.model.hint_factor == 2
  loss = jax.jit(task.loss)
  params = controls.started(task, frozen)
  values = [
    loss(p, batch, KEYS, inputs)[0] for p in (params, stubs.random_params(task))
  ]
  plain = jax.jit(base.task.loss)(base.params, batch, KEYS, inputs)[0]
  assert values[0] == plain and abs(values[1] - plain) > 1e-3
  preview = jax.eval_shape(
    lambda p: task.preview(p, batch, KEYS, density=None, inputs=inputs),
    params,
  )
  assert preview.shape == (len(task.preview_rows), 4, 8, 8, 1)


@pytest.mark.parametrize(
  ("changes", "says"),
  [
    ({"model": {"width": 16}}, "model.width=16, but 8 there"),
    ({"model": {"attention": (True,)}}, "model.attention"),
    ({"stages": {"resolution": (16,)}}, "stages.resolution=16, but 8 there"),
    ({"data": {"channels": 3}}, "data.channels=3, but 1 there"),
    ({"diffusion": {"sigma_data": 0.4}}, "diffusion.sigma_data=0.4"),
    ({"diffusion": {"conditions": ()}}, "diffusion.conditions="),
  ],
)
def test_a_base_that_does_not_fit_is_refused(changes, says):
  base = controls.base("unet")
  with pytest.raises(UserError) as error:
    controls.control_task(base, **changes)
  assert str(error.value).startswith("control.base=runs/base: ")
  assert says in str(error.value)


def test_a_base_with_hints_or_other_latents_is_refused():
  codec, other = stubs.halved(), stubs.identity()
  hinted = controls.base("unet", hint={"kind": "edges"})
  with pytest.raises(UserError, match="hint.kind=edges"):
    controls.control_task(hinted)
  with pytest.raises(UserError, match="expected latent.run"):
    controls.control_task(controls.base("unet", codec=codec))
  with pytest.raises(UserError, match="latent.run=runs/ae is not"):
    controls.control_task(controls.base("unet"), codec=other)


@pytest.mark.parametrize(("side", "places"), [(64, 8), (32, 32), (48, 12)])
def test_hints_are_halved_to_the_features(side, places):
  assert control.hint_factor(side, places) == side // places


@pytest.mark.parametrize(("side", "places"), [(48, 16), (33, 16)])
def test_sides_that_are_no_power_of_2_are_refused(side, places):
  with pytest.raises(UserError, match=f"stages.resolution={side}"):
    control.hint_factor(side, places)

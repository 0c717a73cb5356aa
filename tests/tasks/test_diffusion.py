import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from support.configs import toy_denoiser

from jaxgen.config.diffusion import DiffusionConfig
from jaxgen.config.parse import parse
from jaxgen.diffusion import edm
from jaxgen.errors import UserError
from jaxgen.tasks import families
from jaxgen.tasks.denoising_loss import _log_uncertainty, draw_sigmas
from jaxgen.tasks.denoising_scores import held_out_sigmas, noise_of
from jaxgen.typing import LossInputs

INPUTS = LossInputs()
NAMES = {"rock": ("a", "b", "c"), "zoom": ("near", "far")}


def config(**diffusion):
  options = {"conditions": ("rock", "zoom")} | diffusion
  return toy_denoiser(stages={"resolution": (16,)}, diffusion=options)


def build(names=NAMES, **diffusion):
  return families.build(parse(config(**diffusion)), names)


@pytest.fixture(scope="module")
def task():
  return build()


def batch(n=8):
  rng = np.random.default_rng(0)
  return {
    "image": jnp.asarray(rng.integers(0, 256, (n, 16, 16, 1), np.uint8)),
    "rock": jnp.arange(n) % 3,
    "zoom": jnp.arange(n) % 2,
  }


def noise(seed, n):
  """Keys of `n` images."""
  return jax.random.split(jax.random.key(seed), n)


def test_the_loss_starts_at_one(task):
  """Per pixel, whatever the noise, on data of the standard deviation said."""
  rng = np.random.default_rng(0)
  images = rng.normal(0, 0.5, (256, 16, 16, 1)).astype(np.float32)
  params = jax.jit(task.init)(jax.random.key(0))
  data = batch(256) | {"image": jnp.asarray(images)}
  loss, _ = task.loss(params, data, noise(1, 256), INPUTS)
  assert loss == pytest.approx(1, abs=0.02)


def test_the_uncertainty_becomes_the_error_of_each_level():
  """Of a network that says nothing, D = c_skip x, on data of deviation s:
  e^u = weight (c_skip^2 sigma^2 + (1 - c_skip)^2 s^2)."""
  task = build(uncertainty=True)
  params, s = jax.jit(task.init)(jax.random.key(0)), 0.15
  assert params["uncertainty"].ndim == 1 and not params["uncertainty"].any()
  rng = np.random.default_rng(0)
  images = rng.normal(0, s, (64, 16, 16, 1)).astype(np.float32)
  data, tx = batch(64) | {"image": jnp.asarray(images)}, optax.adam(0.05)

  @jax.jit
  def step(i, u, state):
    def loss(u):
      return task.loss(params | {"uncertainty": u}, data, noise(i, 64), INPUTS)[
        0
      ]

    updates, state = tx.update(jax.grad(loss)(u), state)
    return optax.apply_updates(u, updates), state

  u = params["uncertainty"]
  state = tx.init(u)
  for i in range(300):
    u, state = step(i, u, state)
  sigma = jnp.array([0.1, 0.3, 1.0])
  skip = edm.scalings(sigma).c_skip
  error = skip**2 * sigma**2 + (1 - skip) ** 2 * s**2
  want = edm.weight(sigma) * error
  found = jnp.exp(_log_uncertainty({"uncertainty": u}, sigma))
  np.testing.assert_allclose(found, want, rtol=0.15)
  evaluated = task.evaluate(params | {"uncertainty": u}, data, INPUTS)["loss"]
  plain = task.evaluate(params, data, INPUTS)["loss"]
  np.testing.assert_array_equal(evaluated, plain)


def test_noise_and_levels_come_from_the_key(task):
  params = jax.jit(task.init)(jax.random.key(0))
  found = jax.jit(task.loss)
  loss = lambda k: float(  # noqa: E731
    found(params, batch(), noise(k, 8), INPUTS)[0]
  )
  assert loss(0) == loss(0) != loss(1)


def test_held_out_noise_belongs_to_the_image(task):
  """Not to its place in a batch; another image has another noise."""
  params = jax.tree.map(
    lambda p: p + 0.02, jax.jit(task.init)(jax.random.key(0))
  )
  whole = task.evaluate(params, batch(), INPUTS)
  assert whole["psnr"].shape == whole["loss"].shape == (8,)
  back = task.evaluate(params, jax.tree.map(lambda v: v[::-1], batch()), INPUTS)
  np.testing.assert_allclose(back["loss"][::-1], whole["loss"], rtol=1e-4)
  flat = jnp.zeros((1, 16, 16, 1))
  noises = [
    noise_of(flat.at[0, 0, 0, 0].set(v), jnp.zeros((), int), (16, 16, 1))
    for v in (0.0, 1e-3)
  ]
  assert jnp.abs(noises[0] - noises[1]).max() > 1
  assert abs(noises[0].std() - 1) < 0.2


def test_the_preview_shows_originals_denoised_and_new_images(task):
  params = jax.jit(task.init)(jax.random.key(0))
  keys = jax.random.split(jax.random.key(0), 8)
  rows = task.preview(params, batch(), keys, density=None, inputs=INPUTS)
  assert rows.shape == (3, 8, 16, 16, 1) and jnp.isfinite(rows).all()


def test_levels_are_drawn_as_the_config_says():
  options = DiffusionConfig()
  log = np.log(draw_sigmas(options, jax.random.key(0), 50_000))
  assert abs(log.mean() + 1.2) < 0.03 and abs(log.std() - 1.2) < 0.03
  held = np.log(held_out_sigmas(options))
  assert abs(held.mean() + 1.2) < 1e-5 and (np.diff(held) > 0).all()
  uniform = DiffusionConfig(noise_distribution="log_uniform")
  found = np.log(draw_sigmas(uniform, jax.random.key(0), 50_000))
  assert found.std() > 2.5
  same = np.log(held_out_sigmas(uniform))
  np.testing.assert_array_equal(same, held)


@pytest.mark.parametrize(
  ("change", "says"),
  [
    ({"sigma_min": 90.0}, "diffusion.sigma_min=90.0"),
    ({"sigma_data": 0.0}, "diffusion.sigma_data"),
    ({"noise_distribution": "normal"}, "diffusion.noise_distribution"),
    ({"P_std": 0.0}, "diffusion.P_std"),
    ({"P_mean": float("nan")}, "diffusion.P_mean"),
    ({"cond_drop_prob": 1.0}, "diffusion.cond_drop_prob"),
    ({"preview_steps": 0}, "diffusion.preview_steps"),
  ],
)
def test_bad_options_are_named(change, says):
  with pytest.raises(UserError, match=says):
    build(**change)


def test_a_condition_that_the_data_do_not_have_is_named():
  with pytest.raises(UserError, match="diffusion.conditions: .*'zoom'.* rock"):
    build({"rock": ("a", "b", "c")})

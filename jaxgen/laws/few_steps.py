"""Laws of few-step models, for pixels that are independent and normal.

For N(0, s^2) the best linear answer is a(t) x. Easy consistency tuning has

    a(t) = a(r) (s^2 + t r) / (s^2 + t^2),      a(0) = 1,

at the lower level r of t: samples by one call are too narrow by an amount that
the gap between t and r determines. A flow map has, with rho(t)^2 = s^2 + t^2,

    D(x, t, r) = x (1 - t (1 - rho(r) / rho(t)) / (t - r)).
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxgen.config.consistency import ConsistencyConfig
from jaxgen.config.diffusion import DiffusionConfig
from jaxgen.diffusion import edm, few_steps, samplers, sampling
from jaxgen.diffusion.few_steps import NEXT_LEVEL
from jaxgen.laws.law import Law
from jaxgen.tasks.consistency_loss import Curriculum, MeanFlow, Tuning
from jaxgen.tasks.examples import Example, Examples
from jaxgen.tasks.space import pixels
from jaxgen.typing import Array, Conditions, DenoiseFn, LossInputs, Params

STD, TOP, MIDDLE = 0.5, 80.0, 0.8
STEEPNESS, FACTOR = 8.0, 2.0
LOWEST = 1e-6  # of levels; a is 1 there
SPREADS = (0.597, 0.678, 0.862, 0.937, 0.970, 0.985, 0.993, 0.996)
TWO_STEP_SPREADS = {3: 0.931, 4: 0.967, 5: 0.984, 7: 0.996}
SIDE, IMAGES = 32, 128  # of the images of a batch
PASSES, AVERAGED = 64, 48  # Newton steps, and the last of them
SQUARED = 1e3  # constant of the pseudo-Huber distance that makes it a square
ECT, MEAN_FLOW = "arXiv:2406.14548", "arXiv:2505.13447"


@functools.partial(jax.jit, static_argnums=2)
def gain(t: Array | float, gap: Array | float, std: float = STD) -> Array:
  """a(t) by the recursion."""

  def step(carry: tuple[Array, Array]) -> tuple[Array, Array]:
    t, log = carry
    r = few_steps.lower_level(t, gap, steepness=STEEPNESS)
    return r, log + jnp.log((std**2 + t * r) / (std**2 + t**2))

  start = jnp.asarray(t, jnp.float32), jnp.zeros(())
  found = jax.lax.while_loop(lambda x: x[0] > LOWEST, step, start)
  return jnp.exp(found[1])


def one_step_spread(stage: int) -> float:
  """Standard deviation of samples by one call over that of the data, when the
  gap is FACTOR^-(stage + 1)."""
  gap = FACTOR ** -(stage + 1)
  return float(gain(TOP, gap)) * float(np.hypot(STD, TOP)) / STD


def two_step_spread(stage: int) -> float:
  """The same of samples by two calls, the second at MIDDLE."""
  gap = FACTOR ** -(stage + 1)
  first = one_step_spread(stage) * STD
  return float(gain(MIDDLE, gap)) * float(np.hypot(first, MIDDLE)) / STD


def _spread_deviation() -> float:
  found = [one_step_spread(stage) for stage in range(len(SPREADS))]
  return float(np.abs(np.subtract(found, SPREADS)).max())


def _two_step_deviation() -> float:
  found = {k: two_step_spread(k) for k in TWO_STEP_SPREADS}
  return max(abs(found[k] - TWO_STEP_SPREADS[k]) for k in found)


def levels(gap: float) -> np.ndarray:
  """Levels of which each is the lower one of that before it, from TOP to the
  last above 0."""
  found = [TOP]
  while found[-1] > 0:
    lower = few_steps.lower_level(
      jnp.asarray(found[-1]), gap, steepness=STEEPNESS
    )
    found.append(float(lower))
  return np.asarray(found[:-1], np.float32)


def linear_denoiser(known: np.ndarray) -> Any:
  """A denoiser with one parameter for each of the known levels."""

  def of(params: Params, key: Array | None = None) -> DenoiseFn:
    def denoise(x: Array, sigma: Array, cond: Conditions = None) -> Array:
      apart = jnp.abs(jnp.log(sigma)[:, None] - jnp.log(known)[None])
      return edm.per_image(params[jnp.argmin(apart, 1)]) * x

    return denoise

  return of


def tuning(gap: float, known: np.ndarray) -> Tuning:
  """The loss of `linear_denoiser` at a gap, at levels that are equally
  likely."""
  examples = Examples(
    config=DiffusionConfig(sigma_data=STD),
    space=pixels((SIDE, SIDE, 1)),
    level=lambda key: jax.random.choice(key, jnp.asarray(known)),
  )
  return Tuning(
    config=ConsistencyConfig(steepness=STEEPNESS, huber=SQUARED),
    denoiser=linear_denoiser(known),
    examples=examples,
    curriculum=Curriculum(factor=1 / gap, steps=1, start=0, total=1),
  )


@functools.cache
def tuned_gains(gap: float = 0.25) -> tuple[np.ndarray, np.ndarray]:
  """a at `levels`, as the loss of few-step models has its minimum for it, and
  by the recursion. The minimum is found by Newton steps of each parameter."""
  known = levels(gap)
  task = tuning(gap, known)

  def newton(params: Array, key: Array) -> tuple[Array, Array]:
    keys = jax.random.split(key, IMAGES + 1)
    drawn = STD * jax.random.normal(keys[-1], (IMAGES, SIDE, SIDE, 1))
    loss = lambda a: task(a, {"image": drawn}, keys[:-1], LossInputs())[0]  # noqa: E731
    slope, curvature = jax.jvp(
      jax.grad(loss), (params,), (jnp.ones_like(params),)
    )
    new = params - slope / curvature
    return new, new

  start = jnp.asarray(STD**2 / (STD**2 + known**2))
  keys = jax.random.split(jax.random.key(0), PASSES)
  each = jax.jit(lambda: jax.lax.scan(newton, start, keys)[1])()
  exact = [float(gain(float(t), gap)) for t in known]
  return np.asarray(each)[-AVERAGED:].mean(0), np.asarray(exact)


def _tuned_deviation() -> float:
  """Largest deviation of the tuned a from the recursion, in standard
  deviations of the samples by one call from each level."""
  found, exact = tuned_gains()
  noisy = np.hypot(STD, levels(0.25)) / STD
  return float((np.abs(found - exact) * noisy).max())


def flow_map_denoiser(std: float = STD) -> DenoiseFn:
  """The exact flow map of N(0, std^2), told `NEXT_LEVEL`."""

  def denoise(x: Array, sigma: Array, cond: Conditions = None) -> Array:
    r = sigma if cond is None else cond[NEXT_LEVEL]
    apart = jnp.where(sigma > r, sigma - r, 1.0)
    ratio = jnp.hypot(std, r) / jnp.hypot(std, sigma)
    mean = std**2 / (std**2 + sigma**2)
    factor = jnp.where(sigma > r, 1 - sigma * (1 - ratio) / apart, mean)
    return edm.per_image(factor) * x

  return denoise


def _identity_deviation() -> float:
  """Largest deviation of a flow map's target from it along the marginal path,
  relative to the data."""
  t = jnp.asarray([80.0, 80.0, 3.0, 1.0, 0.5, 0.5])
  r = jnp.asarray([0.0, 0.8, 0.3, 0.0, 0.5, 0.1])
  x = jax.random.normal(jax.random.key(0), (6, 4, 4, 1))
  x = x * edm.per_image(jnp.hypot(STD, t))
  y = edm.per_image(STD**2 / (STD**2 + t**2)) * x
  unit = (x - y) / edm.per_image(t)
  denoise = flow_map_denoiser()
  d, target = few_steps.mean_flow_target(
    lambda x, t: denoise(x, t, {NEXT_LEVEL: r}), y, unit, t=t, r=r
  )
  return float(jnp.abs(target - d).max()) / STD


def _minimizer_deviation() -> float:
  """Newton's step from the exact flow map, in the factor that multiplies it."""
  examples: Any = None  # the levels are given
  loss = MeanFlow(
    config=ConsistencyConfig(method="mean_flow", power=0.0),
    denoiser=_scaled(flow_map_denoiser()),
    examples=examples,
    sigma_data=STD,
  )
  keys = jax.random.split(jax.random.key(0), 2)
  shape = (256, SIDE, SIDE, 1)
  t = jnp.tile(jnp.asarray([3.0, 1.0, 0.5, 0.3]), 64)
  r = jnp.tile(jnp.asarray([0.5, 0.0, 0.5, 0.1]), 64)
  y = STD * jax.random.normal(keys[0], shape)
  unit = jax.random.normal(keys[1], shape)
  example = Example(y, t, unit, {})

  def mean(scale: Array) -> Array:
    return jnp.mean(loss.each(scale, example, keys[0], t=t, r=r))

  one = jnp.ones(())
  slope, curvature = jax.jvp(jax.grad(mean), (one,), (one,))
  return float(slope / curvature)


def _scaled(denoise: DenoiseFn) -> Any:
  """A denoiser times its only parameter."""

  def of(params: Params, key: Array | None = None) -> DenoiseFn:
    return lambda x, sigma, cond=None: params * denoise(x, sigma, cond)

  return of


def _flow_deviation() -> float:
  """Largest deviation of two calls of the exact flow map from the flow."""
  x = TOP * jax.random.normal(jax.random.key(0), (2, 8, 8, 1))
  grid = np.array([TOP, MIDDLE, 0.0])
  end = sampling.sample(samplers.flow_map, flow_map_denoiser(), x, grid)
  return float(jnp.abs(end - x * STD / np.hypot(STD, TOP)).max())


def _boundary_deviation() -> float:
  """Largest deviation of f(x, 1e-5) from x, for a network that answers 1."""
  network = lambda x, c_noise, cond: jnp.ones_like(x)  # noqa: E731
  x = jax.random.normal(jax.random.key(0), (2, 4, 4, 1))
  f = edm.precondition(network)(x, jnp.full(2, 1e-5))
  return float(jnp.abs(f - x).max())


def _law(
  name: str,
  source: str,
  measure: Callable[[], float],
  tolerance: float,
) -> Law:
  """A law of a deviation."""
  return Law(
    name=f"few steps: {name}",
    source=source,
    expected=0,
    tolerance=tolerance,
    measure=measure,
  )


LAWS = (
  _law("f(x, 0) - x", "Song et al. 2023, eq. 5", _boundary_deviation, 2e-5),
  _law(
    "spread by one call at gaps 1/2 to 1/256 - known",
    "a(t) = a(r) (s^2 + t r) / (s^2 + t^2)",
    _spread_deviation,
    6e-4,
  ),
  _law(
    "spread by two calls - known",
    "a(m)^2 (std_1^2 + m^2)",
    _two_step_deviation,
    6e-4,
  ),
  _law("minimum of the loss - recursion", ECT, _tuned_deviation, 3e-3),
  _law("target of a flow map - the map", MEAN_FLOW, _identity_deviation, 5e-5),
  _law("minimum of its loss - the map", MEAN_FLOW, _minimizer_deviation, 5e-3),
  _law("two calls of a flow map - the flow", MEAN_FLOW, _flow_deviation, 1e-4),
)

"""Diffusion in the EDM form as a `Task`: learn to denoise at every level."""

from __future__ import annotations

import dataclasses
import functools
from typing import Annotated, Any, Literal

import jax
import jax.numpy as jnp
from jax.scipy.stats import norm

from jaxgen.config.fields import (
  Options,
  Positive,
  PositiveInt,
  Range,
  UnitInterval,
)
from jaxgen.diffusion import edm, guidance, samplers, sampling, sigmas
from jaxgen.errors import UserError
from jaxgen.images import normalize
from jaxgen.models.build import build
from jaxgen.models.conditioning import fourier_features
from jaxgen.models.progressive_unet import ProgressiveUNet
from jaxgen.tasks.task import Names, Task
from jaxgen.typing import Array, Batch, DenoiseFn, Metrics, Params

HELD_OUT_LEVELS = 4  # at which each held-out image is denoised
UNCERTAINTY = "uncertainty"  # its parameters, beside the network's
WAVES = 32
SHOWN_SIGMA = 0.5  # of the noise on the denoised images of a preview


@dataclasses.dataclass(frozen=True, kw_only=True)
class DiffusionOptions(Options, section="diffusion"):
  """Everything under `diffusion` in a config; see `jaxgen.config.defaults`."""

  sigma_data: Positive
  levels: Literal["log_normal", "log_uniform"]
  level_mean: Annotated[float, Range(-10, 10)]
  level_std: Positive
  sigma_min: Positive
  sigma_max: Positive
  conditions: tuple[str, ...]
  hide: UnitInterval
  uncertainty: bool = False
  preview_steps: PositiveInt

  def __post_init__(self):
    super().__post_init__()
    if self.sigma_min >= self.sigma_max:
      raise UserError(
        f"diffusion.sigma_min={self.sigma_min}: less than sigma_max="
        f"{self.sigma_max} is needed."
      )

  def draw(self, key: Array, num: int) -> Array:
    """Noise levels of training, `(num,)`."""
    if self.levels == "log_uniform":
      return sigmas.draw_log_uniform(
        key, num, sigma_min=self.sigma_min, sigma_max=self.sigma_max
      )
    return sigmas.draw_log_normal(
      key, num, mean=self.level_mean, std=self.level_std
    )

  def held_out(self) -> Array:
    """Noise levels of evaluation: in the middles of equal shares of a normal
    log sigma, whatever the training draws."""
    share = (jnp.arange(HELD_OUT_LEVELS) + 0.5) / HELD_OUT_LEVELS
    return jnp.exp(self.level_mean + self.level_std * norm.ppf(share))


def diffusion(config, resolution: int, names: Names, **fields: Any) -> Task:
  """The task of a config at one resolution; `names` of what the data know,
  `fields` of the model, instead of the config's."""
  options = DiffusionOptions.read(config.diffusion)
  for condition in options.conditions:
    known = ", ".join(names) or "nothing: there are no labels"
    if condition not in names:
      raise UserError(
        f"diffusion.conditions: no {condition!r} in the data; there is {known}."
      )
  sizes = tuple((x, len(names[x])) for x in options.conditions)
  channels = config.data.channels
  section = dict(config.model) | fields
  model: Any = build(
    section, resolution=resolution, channels=channels, sizes=sizes
  )
  if isinstance(model, ProgressiveUNet):
    model = model.clone(sigma_data=options.sigma_data)
  shape = (resolution, resolution, channels)

  def init(key: Array) -> Params:
    x, c_noise = jnp.zeros((1, *shape)), jnp.zeros(1)
    params = model.init(key, x, c_noise)["params"]
    extra = {UNCERTAINTY: jnp.zeros(WAVES)} if options.uncertainty else {}
    return params | extra

  def denoiser(params: Params, key: Array | None = None) -> DenoiseFn:
    def network(x: Array, c_noise: Array, cond: Any) -> Array:
      rngs = {} if key is None else {"dropout": key}
      variables, train = {"params": params}, key is not None
      return model.apply(variables, x, c_noise, cond, train, rngs=rngs)

    return edm.precondition(network, options.sigma_data)

  return Task(
    model=model,
    init=init,
    loss=lambda params, batch, keys, told=None: _loss(
      options, denoiser, params, batch, keys
    ),
    evaluate=lambda params, batch: _evaluate(options, denoiser(params), batch),
    preview=lambda params, batch, keys, _: _preview(
      options, denoiser(params), batch, keys
    ),
    denoiser=denoiser,
    faded=getattr(model, "faded", None),
    inputs=("image", *options.conditions),
    metric="psnr",
  )


def _loss(
  options: DiffusionOptions,
  denoiser: Any,
  params: Params,
  batch: Batch,
  keys: Array,
) -> tuple[Array, Metrics]:
  """Karras et al. 2022, eq. 2 with their weight; where `uncertainty` is on,
  Karras et al. 2024, eq. 14."""
  y = normalize(batch["image"])
  sigma, unit, cond = _draw(options, y, _conditions(options, batch), keys)
  noise = edm.per_image(sigma) * unit
  d = denoiser(params, keys[0])(y + noise, sigma, cond)
  error = _error(d, y)
  loss = edm.weight(sigma, options.sigma_data) * error
  if options.uncertainty:
    u = _log_uncertainty(params, sigma)
    loss = loss * jnp.exp(-u) + u
  return jnp.mean(loss), {"mse": jnp.mean(error) / 4}  # on [0, 1]


def _draw(
  options: DiffusionOptions, y: Array, cond: dict[str, Array], keys: Array
) -> tuple[Array, Array, dict[str, Array]]:
  """Noise levels `(b,)`, unit noise like `y`, and what is left of the
  conditions: each image's by its own key."""

  def one(key: Array, cond: dict[str, Array]) -> Any:
    of_level, of_noise, of_hiding = jax.random.split(key, 3)
    unit = jax.random.normal(of_noise, y.shape[1:])
    level = options.draw(of_level, 1)[0]
    left = guidance.drop_conditions(of_hiding, cond, drop_prob=options.hide)
    return level, unit, left

  return jax.vmap(one)(keys, cond)


def _log_uncertainty(params: Params, sigma: Array) -> Array:
  """u(sigma) `(b,)`, learnt: at its best e^u is the weighted error at sigma,
  so that all levels pull equally hard."""
  c_noise = edm.scalings(sigma).c_noise
  return fourier_features(c_noise, WAVES, highest=30.0) @ params[UNCERTAINTY]


def _error(x: Array, y: Array) -> Array:
  """Mean squared difference of each image, `(b,)`."""
  return jnp.mean((x - y) ** 2, axis=(1, 2, 3))


def _conditions(options: DiffusionOptions, batch: Batch) -> dict[str, Array]:
  return {name: batch[name] for name in options.conditions}


def _evaluate(
  options: DiffusionOptions, denoise: DenoiseFn, batch: Batch
) -> Metrics:
  """Means over the held-out levels: the loss, and the PSNR of the denoised
  image. The noise is a function of the image alone."""
  y, cond = normalize(batch["image"]), _conditions(options, batch)

  def at(level: Array, sigma: Array) -> Metrics:
    sigmas_ = jnp.full(len(y), sigma)
    noise = edm.per_image(sigmas_) * _noise_of(y, level)
    d = denoise(y + noise, sigmas_, cond)
    weight = edm.weight(sigmas_, options.sigma_data)
    clipped = _error(jnp.clip(d, -1, 1), y) / 4  # on [0, 1]
    psnr = -10 * jnp.log10(jnp.maximum(clipped, 1e-10))
    return {"loss": weight * _error(d, y), "psnr": psnr}

  levels = (jnp.arange(HELD_OUT_LEVELS), options.held_out())
  each = jax.lax.map(lambda x: at(*x), levels)
  return {k: jnp.mean(v, axis=0) for k, v in each.items()}


def _noise_of(images: Array, level: Array) -> Array:
  """Standard normal noise that depends on each image's pixels and the level."""
  bits = jax.lax.bitcast_convert_type(images, jnp.uint32)
  order = jnp.arange(images[0].size, dtype=jnp.uint32).reshape(images[0].shape)
  digests = jnp.sum(bits * (2 * order + 1), axis=(1, 2, 3), dtype=jnp.uint32)

  def draw(digest: Array) -> Array:
    key = jax.random.fold_in(jax.random.key(0), digest)
    return jax.random.normal(jax.random.fold_in(key, level), images.shape[1:])

  return jax.vmap(draw)(digests)


def _preview(
  options: DiffusionOptions, denoise: DenoiseFn, batch: Batch, keys: Array
) -> Array:
  """Held-out images, the same denoised, and new ones of the same conditions."""
  y, cond = normalize(batch["image"]), _conditions(options, batch)
  sigma = jnp.full(len(y), SHOWN_SIGMA)
  denoised = denoise(y + SHOWN_SIGMA * _noise_of(y, jnp.zeros(())), sigma, cond)
  grid = sigmas.karras(
    options.preview_steps,
    sigma_min=options.sigma_min,
    sigma_max=options.sigma_max,
  )
  start = sampling.initial_noise(keys, y.shape[1:], sigma=grid[0])
  bound = functools.partial(denoise, cond=cond)
  new = sampling.sample(samplers.heun, bound, start, grid)
  return jnp.stack([y, denoised, new])

"""The `Task` of EDM diffusion models: denoising at every noise level."""

from __future__ import annotations

import functools
from typing import Any

import jax
import jax.numpy as jnp
from jax.scipy.stats import norm

from jaxgen.config.diffusion import DiffusionConfig
from jaxgen.config.experiment import Experiment
from jaxgen.diffusion import edm, guidance, samplers, sampling, sigmas
from jaxgen.errors import UserError
from jaxgen.images import normalize
from jaxgen.models.build import build as build_model
from jaxgen.models.conditioning import fourier_features
from jaxgen.tasks import domains, noise_maps
from jaxgen.tasks.task import Task, identity_codec
from jaxgen.typing import (
  Array,
  Batch,
  ConditionNames,
  DenoiseFn,
  LossInputs,
  Metrics,
  Params,
)

HELD_OUT_LEVELS = 4  # noise levels per held-out image
UNCERTAINTY = "uncertainty"  # its parameters, next to the network's
FEATURES = 32  # Fourier features of the uncertainty
MAPS = 3  # stream of the keys of noise maps
SHOWN_SIGMA = 0.5  # noise level of the denoised images in previews
ROWS = (  # of previews
  "held-out tiles",
  f"these with noise of standard deviation {SHOWN_SIGMA} (black to white is 2),"
  " denoised",
  "new images, sampled from noise",
)


def conditions(experiment: Experiment) -> tuple[str, ...]:
  """The conditions of the denoiser, and the classes that are balanced."""
  adaptive = experiment.data.balance == "adaptive"
  used = (*experiment.diffusion.conditions, *(domains.LABEL,) * adaptive)
  return tuple(dict.fromkeys(used))


def build(
  experiment: Experiment, names: ConditionNames, *, stage: int, resolution: int
) -> Task:
  """The task of a denoiser at one resolution; see `families.build`."""
  config, channels = experiment.diffusion, experiment.data.channels
  _check_conditions(config, names)
  weighted = domains.adaptive_domains(experiment, names)
  model: Any = build_model(
    experiment.model_at(stage),
    resolution=resolution,
    channels=channels,
    remat=experiment.stages[stage].remat,
    condition_sizes=(
      *((x, len(names[x])) for x in config.conditions),
      *noise_maps.condition_sizes(config),
    ),
    sigma_data=config.sigma_data,
    cond_channels=channels if config.noise_map else 0,
  )
  shape = (resolution, resolution, channels)
  denoiser = functools.partial(_denoiser, model, config)

  def evaluate(params: Params, batch: Batch, inputs: LossInputs) -> Metrics:
    return _evaluate(config, denoiser(params), batch)

  def preview(
    params: Params,
    batch: Batch,
    keys: Array,
    *,
    density: Any,
    inputs: LossInputs,
  ) -> Array:
    return _preview(config, denoiser(params), batch, keys)

  return Task(
    model=model,
    init=functools.partial(_init, model, config, shape),
    loss=functools.partial(_loss, config, denoiser, domain_names=weighted),
    controller=domains.controller(weighted) if weighted else None,
    evaluate=evaluate,
    preview=preview,
    preview_rows=ROWS,
    denoiser=denoiser,
    set_fade=getattr(model, "set_fade", None),
    batch_fields=("image", *conditions(experiment)),
    metric="psnr",
    loss_name="denoising loss",
    latent_shape=shape,
    codec=functools.partial(identity_codec, shape),
  )


def _check_conditions(config: DiffusionConfig, names: ConditionNames) -> None:
  for condition in config.conditions:
    known = ", ".join(names) or "none, the data have no labels"
    if condition not in names:
      raise UserError(
        f"diffusion.conditions: {condition!r} is not in the data; available: "
        f"{known}."
      )


def _init(
  model: Any, config: DiffusionConfig, shape: tuple[int, ...], key: Array
) -> Params:
  params = model.init(key, jnp.zeros((1, *shape)), jnp.zeros(1))["params"]
  extra = {UNCERTAINTY: jnp.zeros(FEATURES)} if config.uncertainty else {}
  return params | extra


def _denoiser(
  model: Any, config: DiffusionConfig, params: Params, key: Array | None = None
) -> DenoiseFn:
  """The preconditioned network; `key` enables dropout, in training."""

  def network(x: Array, c_noise: Array, cond: Any) -> Array:
    rngs = {} if key is None else {"dropout": key}
    variables, train = {"params": params}, key is not None
    return model.apply(variables, x, c_noise, cond, train, rngs=rngs)

  return edm.precondition(
    network, config.sigma_data, noise_map=config.noise_map
  )


def _loss(
  config: DiffusionConfig,
  denoiser: Any,
  params: Params,
  batch: Batch,
  keys: Array,
  inputs: LossInputs,
  *,
  domain_names: tuple[str, ...] = (),
) -> tuple[Array, Metrics]:
  """The loss of Karras et al. 2022, eq. 2, with their weight; with
  `uncertainty`, that of Karras et al. 2024, eq. 14."""
  y = normalize(batch["image"])
  sigma, unit, cond = _draw(config, y, _conditions(config, batch), keys)
  x, levels = y + edm.per_image(sigma) * unit, sigma
  if config.noise_map:
    x, levels, cond = noise_maps.draw(
      config,
      denoiser(params),
      y,
      sigma=sigma,
      unit=unit,
      cond=cond,
      keys=jax.vmap(lambda key: jax.random.fold_in(key, MAPS))(keys),
    )
  d = denoiser(params, keys[0])(x, levels, cond)
  error = _error(d, y)
  loss = _weighted(config, d, y, levels=levels)
  sums = domains.metrics(loss, batch, domain_names)
  if config.noise_map:
    sigma = jnp.exp(jnp.mean(jnp.log(levels), (1, 2, 3)))
  if config.uncertainty:
    u = _log_uncertainty(params, sigma)
    loss = loss * jnp.exp(-u) + u
  loss = domains.weigh(loss, batch, inputs)
  return jnp.mean(loss), {"mse": jnp.mean(error) / 4, **sums}  # on [0, 1]


def draw_sigmas(config: DiffusionConfig, key: Array, num: int) -> Array:
  """Random noise levels for training, `(num,)`."""
  if config.noise_distribution == "log_uniform":
    return sigmas.draw_log_uniform(
      key, num, sigma_min=config.sigma_min, sigma_max=config.sigma_max
    )
  return sigmas.draw_log_normal(key, num, mean=config.P_mean, std=config.P_std)


def held_out_sigmas(config: DiffusionConfig) -> Array:
  """Noise levels for evaluation: evenly spaced quantiles of a normal log sigma,
  for any training distribution."""
  quantile = (jnp.arange(HELD_OUT_LEVELS) + 0.5) / HELD_OUT_LEVELS
  return jnp.exp(config.P_mean + config.P_std * norm.ppf(quantile))


def _draw(
  config: DiffusionConfig, y: Array, cond: dict[str, Array], keys: Array
) -> tuple[Array, Array, dict[str, Array]]:
  """Noise levels `(b,)`, unit noise shaped like `y`, and the conditions after
  dropping, each image's from its own key."""

  def draw_image(key: Array, cond: dict[str, Array]) -> Any:
    level_key, noise_key, drop_key = jax.random.split(key, 3)
    unit = jax.random.normal(noise_key, y.shape[1:])
    level = draw_sigmas(config, level_key, 1)[0]
    cond = guidance.drop_conditions(
      drop_key, cond, drop_prob=config.cond_drop_prob
    )
    return level, unit, cond

  return jax.vmap(draw_image)(keys, cond)


def _log_uncertainty(params: Params, sigma: Array) -> Array:
  """The learned u(sigma) `(b,)`: at its optimum e^u is the weighted error at
  sigma, so that all levels contribute equally."""
  c_noise = edm.scalings(sigma).c_noise
  return fourier_features(c_noise, FEATURES, highest=30.0) @ params[UNCERTAINTY]


def _error(x: Array, y: Array) -> Array:
  """Mean squared difference of each image, `(b,)`."""
  return jnp.mean((x - y) ** 2, axis=(1, 2, 3))


def _weighted(
  config: DiffusionConfig, x: Array, y: Array, *, levels: Array
) -> Array:
  """The weighted error of each image, `(b,)`, at noise levels or maps."""
  weight = edm.weight(levels, config.sigma_data)
  if levels.ndim == 1:
    return weight * _error(x, y)
  return jnp.mean(weight * (x - y) ** 2, axis=(1, 2, 3))


def _conditions(config: DiffusionConfig, batch: Batch) -> dict[str, Array]:
  return {name: batch[name] for name in config.conditions}


def _evaluate(
  config: DiffusionConfig, denoise: DenoiseFn, batch: Batch
) -> Metrics:
  """Means over the held-out levels: the loss, and the PSNR of the denoised
  image. The noise depends only on the image."""
  y, cond = normalize(batch["image"]), _conditions(config, batch)

  def at(level: Array, sigma: Array) -> Metrics:
    sigmas_ = jnp.full(len(y), sigma)
    noise = edm.per_image(sigmas_) * _noise_of(y, level)
    d = denoise(y + noise, sigmas_, cond)
    weight = edm.weight(sigmas_, config.sigma_data)
    clipped = _error(jnp.clip(d, -1, 1), y) / 4  # on [0, 1]
    psnr = -10 * jnp.log10(jnp.maximum(clipped, 1e-10))
    return {"loss": weight * _error(d, y), "psnr": psnr}

  levels = (jnp.arange(HELD_OUT_LEVELS), held_out_sigmas(config))
  each = jax.lax.map(lambda x: at(*x), levels)
  return {k: jnp.mean(v, axis=0) for k, v in each.items()}


def _noise_of(images: Array, level: Array) -> Array:
  """Standard normal noise, a function of each image's pixels and the level."""
  bits = jax.lax.bitcast_convert_type(images, jnp.uint32)
  order = jnp.arange(images[0].size, dtype=jnp.uint32)
  weights = 2 * order.reshape(1, *images.shape[1:]) + 1
  digests = jnp.sum(bits * weights, axis=(1, 2, 3), dtype=jnp.uint32)

  def draw(digest: Array) -> Array:
    key = jax.random.fold_in(jax.random.key(0), digest)
    return jax.random.normal(jax.random.fold_in(key, level), images.shape[1:])

  return jax.vmap(draw)(digests)


def _preview(
  config: DiffusionConfig, denoise: DenoiseFn, batch: Batch, keys: Array
) -> Array:
  """Held-out images, the same denoised, and new ones with equal conditions."""
  y, cond = normalize(batch["image"]), _conditions(config, batch)
  sigma = jnp.full(len(y), SHOWN_SIGMA)
  denoised = denoise(y + SHOWN_SIGMA * _noise_of(y, jnp.zeros(())), sigma, cond)
  grid = sigmas.karras(
    config.preview_steps,
    sigma_min=config.sigma_min,
    sigma_max=config.sigma_max,
  )
  start = sampling.initial_noise(keys, y.shape[1:], sigma=grid[0])
  bound = functools.partial(denoise, cond=cond)
  new = sampling.sample(samplers.heun, bound, start, grid)
  return jnp.stack([y, denoised, new])

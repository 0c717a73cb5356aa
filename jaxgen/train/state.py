"""The training state, and one step of it as a pure function."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import optax

from jaxgen import rng
from jaxgen.images import soften
from jaxgen.tasks.task import Control
from jaxgen.train import plateau
from jaxgen.train.optimizer import OptimizerOptions
from jaxgen.train.schedule import Schedule
from jaxgen.typing import Array, Batch, LossFn, Metrics, Params
from jaxgen.workdir import ema_profiles


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True, kw_only=True)
class TrainState:
  """All that a run is, but for its config and its place in the data."""

  step: Array  # uint32: finished updates, skipped ones included
  images: Array  # uint32: images seen
  skipped: Array  # uint32: updates left out because they were not finite
  params: Params
  ema: Params
  opt_state: Any
  ema_profiles: dict[str, Params]  # power-function EMAs, by their sigma_rel
  control: dict[str, Any]  # of the loss's weights and of the rate's plateaus


def create(
  params: Params,
  tx: optax.GradientTransformation,
  sigma_rels: tuple[float, ...] = (),
  control: dict[str, Any] | None = None,
) -> TrainState:
  """The state at step 0; all EMAs start from the parameters."""
  zero = jnp.zeros((), jnp.uint32)
  copy = lambda: jax.tree.map(jnp.copy, params)  # noqa: E731
  return TrainState(
    step=zero,
    images=zero,
    skipped=zero,
    params=params,
    ema=copy(),
    opt_state=tx.init(params),
    ema_profiles={str(sigma_rel): copy() for sigma_rel in sigma_rels},
    control=control or {},
  )


def to_trees(state: TrainState) -> dict[str, Any]:
  """The state as checkpoints hold it: `ema` apart, so that samplers read
  nothing else, and no entry for what is empty."""
  fields = dataclasses.fields(state)
  state_ = {field.name: getattr(state, field.name) for field in fields}
  ema = state_.pop("ema")
  for name in ("ema_profiles", "control"):
    if not state_[name]:
      del state_[name]
  return {"state": state_, "ema": ema}


def from_trees(trees: Mapping[str, Any]) -> TrainState:
  """The state out of the trees of a checkpoint."""
  empty: dict[str, Any] = {"ema_profiles": {}, "control": {}}
  return TrainState(**(empty | trees["state"]), ema=trees["ema"])


def finite(state: TrainState) -> Array:
  """Whether every number of a state is finite, as a boolean scalar."""
  leaves = [jnp.isfinite(x).all() for x in jax.tree.leaves(state)]
  return jnp.stack(leaves).all()


def split(batch: Any, parts: int) -> Any:
  """`(b, ...)` to `(parts, b / parts, ...)`: part k has images k, k + parts...

  Strided, so that a batch sharded over devices is split without moving data.
  """
  return jax.tree.map(
    lambda x: x.reshape(-1, parts, *x.shape[1:]).swapaxes(0, 1), batch
  )


def gradients(
  loss: LossFn, params: Params, batch: Batch, key: Array, parts: int
) -> tuple[Metrics, Params]:
  """Metrics and gradient of the mean loss, over `parts` microbatches; each
  image has noise of its own, the same for any number of parts."""

  def part(keys: Array, microbatch: Batch) -> tuple[Metrics, Params]:
    both = jax.value_and_grad(loss, has_aux=True)
    (value, metrics), grads = both(params, microbatch, keys)
    return {"loss": value, **metrics}, grads

  num = len(jax.tree.leaves(batch)[0])
  keys = rng.per_sample(key, jnp.arange(num))
  if parts == 1:
    return part(keys, batch)
  xs = split((keys, batch), parts)
  shapes = jax.eval_shape(lambda x: part(*jax.tree.map(lambda y: y[0], x)), xs)
  zeros = jax.tree.map(lambda s: jnp.zeros(s.shape, s.dtype), shapes)
  add = lambda total, x: (jax.tree.map(jnp.add, total, part(*x)), None)  # noqa: E731
  total, _ = jax.lax.scan(add, zeros, xs)
  return jax.tree.map(lambda x: x / parts, total)


def ema_decay(options: OptimizerOptions, batch: int, images: Array) -> Array:
  """Decay for one step: a half-life in images, at most a share `ema_ramp` of
  the images seen (Karras et al. 2022, table 7 and their ramp-up)."""
  halflife = jnp.minimum(images * options.ema_ramp, options.ema_halflife)
  return 0.5 ** (batch / jnp.maximum(halflife, 1e-8))


def _controlled(
  loss: LossFn, control: Control | None, state: TrainState, batch: int
) -> tuple[LossFn, Callable[[Metrics], dict[str, Any]]]:
  """The loss, told what it is to be told in this step, and metrics -> the new
  control."""
  if control is None:
    return loss, lambda metrics: state.control
  old = state.control["loss"]

  def learn(metrics: Metrics) -> dict[str, Any]:
    new = control.learn(old, metrics, state.images, batch)
    return state.control | {"loss": new}

  told = control.tell(old, state.images)
  return functools.partial(loss, told=told), learn


def make_step(
  loss: LossFn,
  tx: optax.GradientTransformation,
  options: OptimizerOptions,
  *,
  faded: Callable[[Params, Array], Params] | None = None,
  below: int = 0,
  control: Control | None = None,
  batch_size: int,
  accumulate: int,
  key: Array,
) -> Callable[[TrainState, Batch, Schedule], tuple[TrainState, Metrics]]:
  """One update as a function `(state, batch, pace) -> (state, metrics)`.

  `faded` sets by what share blocks that are new have faded in; or the detail of
  images fades in that `below` x `below` pixels do not hold. `control` moves the
  weights of the loss.

  An update whose loss or gradient is not finite leaves parameters, optimizer
  and average as they were, and is counted; the caller decides what it means.
  """

  def step(
    state: TrainState, batch: Batch, pace: Schedule
  ) -> tuple[TrainState, Metrics]:
    noise = jax.random.fold_in(key, state.step)
    if below:
      share = pace.faded(state.images)
      batch = {**batch, "image": soften(batch["image"], below, share)}
    goal, learn = _controlled(loss, control, state, batch_size)
    metrics, grads = gradients(goal, state.params, batch, noise, accumulate)
    norm = optax.global_norm(grads)
    middle = state.images.astype(jnp.float32) + batch_size / 2
    speed = pace.rate(options, middle) * plateau.factor(state.control)
    updates, opt_state = tx.update(grads, state.opt_state, state.params)
    params = jax.tree.map(lambda p, u: p + speed * u, state.params, updates)
    images = state.images + jnp.uint32(batch_size)
    if faded is not None:
      params = faded(params, pace.faded(images))
    seen = images.astype(jnp.float32)
    decay = ema_decay(options, batch_size, seen)
    towards = lambda old, share: optax.incremental_update(params, old, share)  # noqa: E731
    ema = towards(state.ema, 1.0 - decay)
    profiles = {
      sigma_rel: towards(
        old, 1.0 - ema_profiles.decay(float(sigma_rel), batch_size, seen)
      )
      for sigma_rel, old in state.ema_profiles.items()
    }
    good = jnp.isfinite(metrics["loss"]) & jnp.isfinite(norm)
    keep = lambda new, old: jnp.where(good, new, old)  # noqa: E731
    new = TrainState(
      step=state.step + jnp.uint32(1),
      images=images,
      skipped=state.skipped + jnp.uint32(~good),
      params=jax.tree.map(keep, params, state.params),
      ema=jax.tree.map(keep, ema, state.ema),
      opt_state=jax.tree.map(keep, opt_state, state.opt_state),
      ema_profiles=jax.tree.map(keep, profiles, state.ema_profiles),
      control=jax.tree.map(keep, learn(metrics), state.control),
    )
    extra = {"gradient_norm": norm, "learning_rate": speed}
    if control is not None:
      extra |= control.report(state.control["loss"], state.images)
    return new, {**metrics, **extra, "skipped": new.skipped}

  return step

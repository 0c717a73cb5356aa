"""One update of the train state, as a pure function."""

from __future__ import annotations

import dataclasses
import functools
from typing import Any, Protocol

import jax
import jax.numpy as jnp
import optax

from jaxgen import rng
from jaxgen.config.optimizer import OptimizerConfig
from jaxgen.config.stages import Stage
from jaxgen.images import blend_detail
from jaxgen.tasks.task import Task
from jaxgen.train import plateau
from jaxgen.train.schedule import Schedule
from jaxgen.train.state import TrainState
from jaxgen.typing import Array, Batch, LossFn, LossInputs, Metrics, Params
from jaxgen.workdir import ema_profiles


class UpdateFn(Protocol):
  """An update: state, batch and schedule to the new state and metrics."""

  def __call__(
    self, state: TrainState, batch: Batch, schedule: Schedule
  ) -> tuple[TrainState, Metrics]: ...


def split(batch: Any, parts: int) -> Any:
  """Split `(b, ...)` to `(parts, b / parts, ...)`: part k has images k, k +
  parts, ...

  The stride avoids moving data of a batch that is sharded over devices.
  """
  return jax.tree.map(
    lambda x: x.reshape(-1, parts, *x.shape[1:]).swapaxes(0, 1), batch
  )


def gradients(
  loss: LossFn,
  params: Params,
  batch: Batch,
  *,
  key: Array,
  inputs: LossInputs,
  parts: int,
) -> tuple[Metrics, Params]:
  """Metrics and gradient of the mean loss over `parts` microbatches; the noise
  of each image does not depend on their number."""

  def part(keys: Array, microbatch: Batch) -> tuple[Metrics, Params]:
    with_gradient = jax.value_and_grad(loss, has_aux=True)
    (value, metrics), grads = with_gradient(params, microbatch, keys, inputs)
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


def ema_decay(config: OptimizerConfig, batch: int, images: Array) -> Array:
  """Decay of the EMA for one step: its half-life in images is at most a
  fraction `ema_ramp` of the images seen (Karras et al. 2022, table 7)."""
  halflife = jnp.minimum(images * config.ema_ramp, config.ema_halflife)
  return 0.5 ** (batch / jnp.maximum(halflife, 1e-8))


def make_update(
  task: Task,
  config: OptimizerConfig,
  transform: optax.GradientTransformation,
  *,
  stage: Stage,
  fade_from: int,
  key: Array,
) -> UpdateFn:
  """The update function `(state, batch, schedule) -> (state, metrics)`.

  An update with a non-finite loss or gradient does not change parameters,
  optimizer and EMAs, and is counted as skipped; the caller handles it.

  Args:
    task: the task with the loss.
    config: options of the optimizer.
    transform: the optimizer, at learning rate 1.
    stage: batch size and microbatches.
    fade_from: resolution beyond which detail fades in; 0: no fade-in.
    key: key of the noise of all steps.
  """
  size = stage.batch_size

  def update(
    state: TrainState, batch: Batch, schedule: Schedule
  ) -> tuple[TrainState, Metrics]:
    if fade_from:
      batch = _fade_detail(batch, fade_from, schedule.fade(state.images))
    metrics, grads = gradients(
      task.loss,
      state.params,
      batch,
      key=jax.random.fold_in(key, state.step),
      inputs=loss_inputs(task, state),
      parts=stage.accumulate,
    )
    middle = state.images.astype(jnp.float32) + size / 2
    rate = schedule.rate(config, middle) * plateau.factor(state.control)
    metrics |= {"gradient_norm": optax.tree.norm(grads), "learning_rate": rate}
    new = _descend(state, grads, transform, rate=rate, size=size)
    if task.set_fade is not None:
      params = task.set_fade(new.params, schedule.fade(new.images))
      new = dataclasses.replace(new, params=params)
    control = _new_control(task, state, metrics, size)
    new = dataclasses.replace(
      new, control=control, **_new_emas(task, config, new, size)
    )
    new = _keep_unless(_is_good(metrics), new, state)
    if task.controller is not None:
      metrics |= task.controller.report(state.control["loss"], state.images)
    return new, {**metrics, "skipped": new.skipped}

  return update


def _fade_detail(batch: Batch, resolution: int, share: Array) -> Batch:
  """A batch of images with a share of the detail beyond a resolution."""
  return {**batch, "image": blend_detail(batch["image"], resolution, share)}


def _descend(
  state: TrainState,
  grads: Params,
  transform: optax.GradientTransformation,
  *,
  rate: Array,
  size: int,
) -> TrainState:
  """The state after a step of the optimizer, with the EMAs and controls of the
  old one."""
  updates, opt_state = transform.update(grads, state.opt_state, state.params)
  return dataclasses.replace(
    state,
    step=state.step + jnp.uint32(1),
    images=state.images + jnp.uint32(size),
    params=jax.tree.map(lambda p, u: p + rate * u, state.params, updates),
    opt_state=opt_state,
  )


def _is_good(metrics: Metrics) -> Array:
  """Whether loss and gradient are finite."""
  values = metrics["loss"], metrics["gradient_norm"]
  return jnp.isfinite(values[0]) & jnp.isfinite(values[1])


def loss_inputs(task: Task, state: TrainState) -> LossInputs:
  """The inputs of the loss in a step from `state`."""
  weights = {}
  if task.controller is not None:
    weights = task.controller.weights(state.control["loss"], state.images)
  return LossInputs(images=state.images, weights=weights, frozen=state.frozen)


def _new_control(
  task: Task, state: TrainState, metrics: Metrics, batch: int
) -> dict[str, Any]:
  if task.controller is None:
    return state.control
  new = task.controller.update(
    state.control["loss"], metrics, images=state.images, batch=batch
  )
  return state.control | {"loss": new}


def _new_emas(
  task: Task, config: OptimizerConfig, state: TrainState, batch: int
) -> dict[str, Any]:
  """The EMA and the EMA profiles, updated towards the parameters."""
  seen = state.images.astype(jnp.float32)
  towards = functools.partial(
    optax.incremental_update, task.sampled(state.params)
  )
  profiles = {
    name: towards(old, 1.0 - ema_profiles.decay(float(name), batch, seen))
    for name, old in state.ema_profiles.items()
  }
  ema = towards(state.ema, 1.0 - ema_decay(config, batch, seen))
  return {"ema": ema, "ema_profiles": profiles}


def _keep_unless(good: Array, new: TrainState, old: TrainState) -> TrainState:
  """The new state if an update is good, else the old one with new counters."""
  keep = lambda a, b: jnp.where(good, a, b)  # noqa: E731
  return dataclasses.replace(
    jax.tree.map(keep, new, old),
    step=new.step,
    images=new.images,
    skipped=old.skipped + jnp.uint32(~good),
    frozen=old.frozen,
  )

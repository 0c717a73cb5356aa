"""Files that a run writes: checkpoints, EMA snapshots, previews, latents."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping

import jax

from jaxgen.formats.png import write_png
from jaxgen.parallel.multihost import allgather, is_lead_host
from jaxgen.runs import numbers
from jaxgen.train.run import Run
from jaxgen.train.state import TrainState, to_trees
from jaxgen.typing import Params
from jaxgen.workdir.latents import read_cache, write_cache
from jaxgen.workdir.posthoc_ema import PosthocEMA


def save_checkpoint(
  run: Run, state: TrainState, scores: Mapping[str, float] | None
) -> None:
  """Start writing a checkpoint, and a snapshot of the EMA profiles if due."""
  _write_ema_snapshot(run, state)
  data = run.program.source("train").fingerprint
  leans_on = numbers.digests(run.program.companions)
  run.checkpoints.save(
    int(state.step),
    to_trees(state),
    metadata={
      "stage": run.stage,
      "data": data,
      **({"companions": leans_on} if leans_on else {}),
      **run.progress.to_metadata(),
    },
    scores={**scores, "stage": run.stage} if scores else None,
  )


def _write_ema_snapshot(run: Run, state: TrainState) -> None:
  """Write a permanent snapshot of the EMA profiles if due."""
  if not state.ema_profiles:
    return
  snapshots, images = PosthocEMA(run.workdir), int(state.images)
  due = is_lead_host() and snapshots.due(images, run.experiment.ends[-1])
  if allgather(due)[0]:
    gather = _gather(run.program.layout.replicated)
    profiles = jax.device_get(gather(state.ema_profiles))
    if is_lead_host():
      snapshots.write(int(state.step), profiles, images=images, stage=run.stage)


@functools.cache
def _gather(
  replicated: jax.sharding.NamedSharding,
) -> Callable[[dict[str, Params]], dict[str, Params]]:
  """A program that replicates sharded trees on every device."""
  return jax.jit(lambda x: x, out_shardings=replicated)


def write_preview(run: Run, state: TrainState) -> None:
  """Write a picture of held-out and generated images."""
  step, program = int(state.step), run.program
  picture = program.preview(state.ema, program.loss_inputs(state))
  if run.metrics is not None:
    suffix = f"_stage{run.stage + 1}" if len(run.programs) > 1 else ""
    path = run.workdir / "samples" / f"{step:08}{suffix}.png"
    write_png(path, picture)
    run.metrics.image(step, "preview", picture)


def write_latents(run: Run, state: TrainState) -> None:
  """Encode training tiles with the EMA weights and cache the latents."""
  program, step = run.programs[-1], int(state.step)
  cache = program.latent_cache
  if cache is None:
    return
  cached = read_cache(run.workdir, step, program.task.latent_shape)
  if not allgather(cached is not None)[0]:
    latents = cache.latents(state.ema)
    if is_lead_host():
      write_cache(run.workdir, step, latents)

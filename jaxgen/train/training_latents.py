"""The stored latents of training tiles, `latents/train-DIGEST.npz` in a run's
folder: epochs of cropped and flipped tiles, encoded once."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import math
import pathlib
from collections.abc import Mapping, Sequence

import jax
import numpy as np

from jaxgen import progress
from jaxgen.config.experiment import vars_of
from jaxgen.data import pipeline
from jaxgen.data.latents import LatentSource
from jaxgen.errors import UserError
from jaxgen.formats.npz import open_npz, write_npz
from jaxgen.parallel.multihost import allgather, is_lead_host, run_on_all
from jaxgen.tasks.latent_space import CODEC
from jaxgen.train.stage import StageProgram
from jaxgen.typing import Array, Batch, Params

STREAM = "latents"  # random stream of crops and flips
MAX_BYTES = 1 << 30
MOVING = ("path", "masks", "cache_mb", "threads", "workers")  # of data
Fields = Mapping[str, np.ndarray]


def with_stored(
  programs: Sequence[StageProgram], workdir: pathlib.Path
) -> list[StageProgram]:
  """Programs with stored latents, which are encoded if they are not in the
  workdir; to be called by all processes.

  Raises:
    UserError: they are too large.
  """
  first = programs[0]
  if not first.stored_shapes:
    return list(programs)
  run_on_all(lambda: check_size(first))
  path = workdir / "latents" / f"train-{digest(first)}.npz"
  if not allgather(_read(path, first) is not None)[0]:
    _write(path, encoded(first))
  fields = run_on_all(lambda: _read_again(path, first))
  source = first.source("train")
  stored = LatentSource(
    fields=fields,
    fingerprint=digest(first),
    label_names=source.label_names,
    attribute_names=source.attribute_names,
    findings=source.findings,
  )
  return [dataclasses.replace(x, stored=stored) for x in programs]


def check_size(program: StageProgram) -> None:
  """Raise a UserError if the stored latents are too large."""
  views, tiles = program.experiment.latent.views, len(program.source("train"))
  numbers = sum(math.prod(x) for x in program.stored_shapes.values())
  most = MAX_BYTES // (4 * numbers * tiles)
  if views > most:
    raise UserError(
      f"latent.views={views}: expected at most {most}, for"
      f" {MAX_BYTES >> 30} GiB of latents."
    )


def digest(program: StageProgram) -> str:
  """A hash of all that the stored latents depend on."""
  experiment = program.experiment
  data = vars_of(experiment.data).items()
  parts = (
    program.source("train").fingerprint,
    program.companions.runs[CODEC].digest,
    experiment.latent.views,
    sorted((k, v) for k, v in data if k not in MOVING),
    program.task.batch_fields,
  )
  return hashlib.sha256(repr(parts).encode()).hexdigest()[:16]


def encoded(program: StageProgram) -> Fields:
  """The fields of training batches `(n, ...)`: some epochs of the tiles."""
  space, shapes = program.task.space, program.stored_shapes
  assert space is not None and space.stored is not None
  encode, replicated = space.stored.encode, program.layout.replicated
  labels = [x for x in program.task.batch_fields if x not in shapes]

  def fields(params: Params, batch: Batch) -> Mapping[str, Array]:
    kept = {name: batch[name] for name in labels}
    return {**encode(params, batch["image"]), **kept}

  compiled = jax.jit(fields, out_shardings=replicated)
  codec = program.companions.runs[CODEC].params
  params = jax.device_put(codec, replicated)
  num = program.experiment.latent.views * len(program.source("train"))
  size, parts = program.evaluation_batch, []
  batches = _batches(program, ("image", *labels))
  with (
    contextlib.closing(batches),
    progress.loop("encoding training tiles", num) as advance,
  ):
    for _ in range(-(-num // size)):
      parts.append(jax.tree.map(np.asarray, compiled(params, next(batches))))
      advance(size)
  return {k: np.concatenate([x[k] for x in parts])[:num] for k in parts[0]}


def _batches(program: StageProgram, keep: tuple[str, ...]):
  """Batches of training tiles on the devices."""
  return pipeline.batches(
    program.source("train"),
    program.experiment.data,
    batch_size=program.evaluation_batch,
    stream=STREAM,
    keep=keep,
    process=jax.process_index(),
    processes=jax.process_count(),
    put=program.layout.put,
  )


def _write(path: pathlib.Path, fields: Fields) -> None:
  if is_lead_host():
    path.parent.mkdir(exist_ok=True)
    write_npz(path, **dict(fields))
  allgather(0)  # barrier: then all processes read the file


def _read(path: pathlib.Path, program: StageProgram) -> Fields | None:
  """The stored fields; None if the file is missing or damaged."""
  try:
    with open_npz(path) as file:
      return {name: file[name] for name in program.task.batch_fields}
  except Exception:  # numpy raises many types; latents can be recomputed
    return None


def _read_again(path: pathlib.Path, program: StageProgram) -> Fields:
  found = _read(path, program)
  if found is None:
    raise UserError(f"{path} cannot be read.")
  return found

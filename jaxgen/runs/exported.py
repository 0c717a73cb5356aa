"""Exported runs: the EMA weights of one checkpoint, in a folder that has all
that sampling needs and nothing of the training.

    FOLDER/model.safetensors             weights by leaf name, and their step
    FOLDER/config.json, conditions.json  as in the folder of a run
    FOLDER/latents/STEP.npz              latents of training tiles, of which an
                                         autoencoder draws new ones
    FOLDER/companions/                   runs that it leans on, exported too,
                                         and the numbers of its space
"""

from __future__ import annotations

import json
import pathlib
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from jaxgen.errors import UserError
from jaxgen.formats import safetensors_file
from jaxgen.trees import named

WEIGHTS = "model.safetensors"


class Exported(NamedTuple):
  """The contents of `model.safetensors`.

  Attributes:
    arrays: the EMA weights by leaf name.
    step: finished updates of their checkpoint.
    stage: its stage.
    companions: digests of what they were trained with; see `runs.numbers`.
  """

  arrays: Mapping[str, np.ndarray]
  step: int
  stage: int
  companions: Mapping[str, str]


def is_exported(folder: pathlib.Path) -> bool:
  """Whether a folder holds an exported run."""
  return (folder / WEIGHTS).is_file()


def write(folder: pathlib.Path, exported: Exported) -> None:
  """Write the weights of a run."""
  about = {
    "step": str(exported.step),
    "stage": str(exported.stage),
    "companions": json.dumps(dict(exported.companions)),
  }
  safetensors_file.write(folder / WEIGHTS, exported.arrays, about)


def read(folder: pathlib.Path) -> Exported:
  """The weights of an exported run.

  Raises:
    UserError: the file is damaged.
  """
  path = folder / WEIGHTS
  try:
    arrays, about = safetensors_file.read(path)
    step, stage = int(about["step"]), int(about["stage"])
    companions = dict(json.loads(about["companions"]))
  except (OSError, ValueError, KeyError, TypeError) as e:
    reason = f"{e} is missing" if isinstance(e, KeyError) else e
    raise UserError(f"{path} is damaged: {reason}.") from e
  return Exported(arrays, step, stage, companions)


def check_step(folder: pathlib.Path, exported: Exported, name: str) -> None:
  """Raise a UserError unless a checkpoint is the one that was exported."""
  if name not in ("best", "latest", str(exported.step)):
    raise UserError(
      f"{folder} has no checkpoint {name!r}: it was exported at step"
      f" {exported.step}."
    )


def fill(shapes: Any, exported: Exported, folder: pathlib.Path) -> Any:
  """The tree of shapes, with the exported weights in their place.

  Raises:
    UserError: the names, shapes or types are others.
  """
  import jax

  wanted = named(shapes)
  extra = sorted(set(exported.arrays) - set(wanted))
  missing = sorted(set(wanted) - set(exported.arrays))
  if extra or missing:
    what = f"no array {missing[0]}" if missing else f"the array {extra[0]}"
    raise UserError(
      f"{folder / WEIGHTS} does not fit its config: it has {what}"
      f" ({len(missing)} missing, {len(extra)} unknown)."
    )
  for name, shape in wanted.items():
    found = exported.arrays[name]
    if found.shape != shape.shape or found.dtype != shape.dtype:
      raise UserError(
        f"{folder / WEIGHTS} does not fit its config: {name}: expected"
        f" {shape.dtype} {shape.shape}, got {found.dtype} {found.shape}."
      )
  leaves = [exported.arrays[name] for name in wanted]
  return jax.tree.unflatten(jax.tree.structure(shapes), leaves)

"""The numbers of a run's space in its folder: `companions/numbers.npz`.

They are measured on training tiles before the first step, and never again: the
weights rely on them.
"""

from __future__ import annotations

import contextlib
import hashlib
import pathlib
from collections.abc import Mapping

import jax
import numpy as np

from jaxgen import progress
from jaxgen.errors import UserError
from jaxgen.formats.npz import open_npz, write_npz
from jaxgen.latents.cache import LatentCache
from jaxgen.parallel.multihost import allgather, is_lead_host, run_on_all
from jaxgen.runs import exported
from jaxgen.runs.companions import FOLDER, has_begun
from jaxgen.tasks.companion import Companions
from jaxgen.tasks.space import NUMBERS, Space
from jaxgen.tasks.task import Task
from jaxgen.workdir.checkpoint_reader import CheckpointReader

FILE = f"{NUMBERS}.npz"
Numbers = Mapping[str, np.ndarray]


def read(workdir: pathlib.Path, space: Space | None) -> Numbers:
  """The numbers that a run has measured; empty if there are none.

  Raises:
    UserError: the file is damaged.
  """
  path = workdir / FOLDER / FILE
  if space is None or not space.numbers or not path.is_file():
    return {}
  try:
    with open_npz(path) as file:
      found = {k: file[k] for k in space.numbers}
    for name, value in space.numbers.items():
      if found[name].shape != value.shape:
        raise ValueError(f"{name} has the shape {found[name].shape}")
    return found
  except Exception as e:  # numpy raises many types
    raise UserError(f"{path} is damaged ({e}): restore it.") from e


def read_measured(workdir: pathlib.Path, space: Space | None) -> Numbers:
  """The numbers of a run that has begun.

  Raises:
    UserError: the file is damaged, or missing.
  """
  found = read(workdir, space)
  if space is not None and space.numbers and not found:
    raise UserError(f"{workdir / FOLDER / FILE} is missing: restore it.")
  return found


def measure(
  space: Space, task: Task, companions: Companions, cache: LatentCache
) -> Numbers:
  """The numbers of the training tiles that a cache holds."""
  plain = Companions(runs=companions.runs).frozen(task)
  with progress.loop("measuring the training tiles"):
    return space.fit(cache.latents(jax.device_put(plain)))


def write(workdir: pathlib.Path, numbers: Numbers) -> None:
  """Write the numbers; to be called by all processes."""
  if is_lead_host():
    (workdir / FOLDER).mkdir(exist_ok=True)
    write_npz(workdir / FOLDER / FILE, **dict(numbers))
  allgather(0)  # barrier: then all processes read the file


def obtain(
  workdir: pathlib.Path,
  task: Task,
  companions: Companions,
  cache: LatentCache,
  *,
  known: Numbers | None = None,
) -> Companions:
  """The companions with the numbers of the run's space, which are measured if
  they are not in its folder, or no checkpoint relies on them; to be called by
  all processes. `known` ones, if any, are taken instead of measuring.

  Raises:
    UserError: the file is damaged.
  """
  space = task.space
  if space is None or not space.numbers:
    return companions
  if not run_on_all(lambda: has_begun(workdir) and read(workdir, space)):
    write(workdir, known or measure(space, task, companions, cache))
  numbers = run_on_all(lambda: read(workdir, space))
  return Companions(runs=companions.runs, numbers=numbers)


def digests(companions: Companions) -> dict[str, str]:
  """A digest of each companion and of the numbers, for checkpoints."""
  found = {name: x.digest for name, x in companions.runs.items()}
  if companions.numbers:
    known = sorted((k, v.tobytes()) for k, v in companions.numbers.items())
    found[NUMBERS] = hashlib.sha256(repr(known).encode()).hexdigest()[:32]
  return found


def check_unchanged(
  companions: Companions, recorded: Mapping[str, str], workdir: pathlib.Path
) -> None:
  """Raise a UserError if a checkpoint was trained with others."""
  found = digests(companions)
  for name, before in recorded.items():
    if (now := found.get(name, "missing")) != before:
      raise UserError(
        f"{workdir / FOLDER / name} is not what this run was trained with"
        f" (digest {now[:8]}, expected {before[:8]}): restore it, or use a new"
        " workdir."
      )


def check_loaded(companions: Companions, workdir: pathlib.Path) -> None:
  """Raise a UserError if the checkpoints of a run were trained with others."""
  if not companions.runs:
    return
  check_unchanged(companions, _trained_with(workdir), workdir)


def _trained_with(workdir: pathlib.Path) -> Mapping[str, str]:
  """The digests that the weights of a run rely on."""
  if exported.is_exported(workdir):
    return exported.read(workdir).companions
  reader = CheckpointReader(workdir, metric="")
  with contextlib.closing(reader):
    newest = reader.metadata(reader.steps[-1]) if reader.steps else {}
  return newest.get("companions", {})

"""Export of a loaded run to a folder that `jaxgen.load` reads; see
`runs.exported` for what is in it."""

from __future__ import annotations

import pathlib

import numpy as np

from jaxgen.formats.atomic import write_json
from jaxgen.runs import exported, numbers
from jaxgen.runs.companions import FOLDER, RECORD, read_record, wanted
from jaxgen.runs.exported import Exported
from jaxgen.sample.autoencoder import AutoencoderRun
from jaxgen.sample.load import load
from jaxgen.sample.run import LoadedRun
from jaxgen.trees import named
from jaxgen.workdir import run_config
from jaxgen.workdir.latents import read_cache, write_cache


def export(run: LoadedRun, out: pathlib.Path) -> None:
  """Write a run to an empty folder, with its companions.

  Latents of training tiles, of which an autoencoder draws new ones, are
  computed from the training data if they are not in the run's folder.

  Raises:
    UserError: the run is damaged, or its data are missing where they are
      needed.
    RunError: a file cannot be written.
  """
  latents = run.training_latents if isinstance(run, AutoencoderRun) else None
  _write(run, out, latents)


def _write(
  run: LoadedRun, out: pathlib.Path, latents: np.ndarray | None
) -> None:
  run_config.save(out, run.experiment, run.names)
  if latents is not None:
    write_cache(out, run.step, latents)
  for name in wanted(run.experiment):
    _write_companion(run.workdir / FOLDER / name, out / FOLDER / name)
  if run.companions.numbers:
    numbers.write(out, run.companions.numbers)
  arrays = {k: np.asarray(x) for k, x in named(run.params).items()}
  relied_on = numbers.digests(run.companions)
  exported.write(out, Exported(arrays, run.step, run.stage, relied_on))


def _write_companion(copy: pathlib.Path, out: pathlib.Path) -> None:
  """Export the copy of a companion, with the latents that it has."""
  record = read_record(copy)
  run = load(copy, record["step"])
  shape = run.task.latent_shape
  _write(run, out, read_cache(copy, run.step, shape) if shape else None)
  origin = pathlib.Path(record["origin"]).name
  write_json(out / RECORD, record | {"origin": origin})

"""Loading of a trained run.

    run = jaxgen.load("runs/demo")
    latents = run.encode(images)          # uint8 (n, h, w, c) in
    images = run.sample(num=16, seed=0)   # uint8 (n, h, w, c) out

Only a checkpoint, the section `model` and the codec are read: no optimizer, no
data.
"""

from __future__ import annotations

import dataclasses
import pathlib
from typing import Any

from jaxgen import progress
from jaxgen.models.conditioning import HINT
from jaxgen.parallel.sharding import Devices
from jaxgen.runs import hub, numbers
from jaxgen.runs.companions import FOLDER, open_run
from jaxgen.sample.autoencoder import AutoencoderRun
from jaxgen.sample.denoiser import DenoiserRun
from jaxgen.sample.painter import PainterRun, paints
from jaxgen.sample.upscaler import UpscalerRun


def load(
  workdir: str | pathlib.Path,
  checkpoint: str | int = "best",
  *,
  devices: Devices = None,
) -> Any:
  """Load a run: an `AutoencoderRun`, `DenoiserRun`, `PainterRun` (of a hybrid)
  or `UpscalerRun`, by its task.

  Args:
    workdir: the run's folder, that of an exported run, `hf://OWNER/NAME`, or
      an address of an object store, such as `gs://BUCKET/NAME`.
    checkpoint: `best` by the held-out metric, `latest`, or a step; or
      `ema-0.1`, the post-hoc EMA of that sigma_rel at the last step, or
      `ema-0.1@5000`, the same at the last snapshot up to that step (see
      `jaxgen.workdir.posthoc_ema`).
    devices: devices to run on, by default all.

  Raises:
    UserError: there is no run, no such checkpoint, or it is damaged.
  """
  folder = hub.local(workdir)
  with progress.loop(f"loading {workdir}"):
    recorded, weights = open_run(folder, str(checkpoint), devices)
  measured = numbers.read_measured(folder, weights.task.space)
  leans_on = dataclasses.replace(recorded.companions, numbers=measured)
  numbers.check_loaded(leans_on, folder)
  recorded = dataclasses.replace(recorded, companions=leans_on)
  fields = {**vars(recorded), **weights._asdict()}
  if weights.task.upscale:
    return UpscalerRun(**fields)
  if not weights.task.denoiser:
    return AutoencoderRun(**fields)
  if not paints(recorded.experiment):
    return DenoiserRun(**fields)
  autoencoder = load(folder / FOLDER / HINT, devices=devices)
  assert isinstance(autoencoder, AutoencoderRun)  # checked when it was copied
  return PainterRun(**fields, autoencoder=autoencoder)

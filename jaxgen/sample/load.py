"""The door for notebooks and for the command line: a trained run, loaded.

run = jaxgen.load("runs/demo")
latents = run.encode(images)          # uint8 (n, h, w, c) in
images = run.sample(num=16, seed=0)   # uint8 (n, h, w, c) out
"""

from __future__ import annotations

import pathlib
from typing import Any

from jaxgen.parallel.sharding import Devices
from jaxgen.sample.autoencoder import Autoencoder
from jaxgen.sample.editor import Editor
from jaxgen.sample.weights import read_weights

KINDS = {"autoencoder": Autoencoder, "diffusion": Editor}


def load(
  workdir: str | pathlib.Path,
  checkpoint: str | int = "best",
  *,
  devices: Devices = None,
) -> Any:
  """Load a run for encoding, decoding and sampling.

  Args:
    workdir: of the training.
    checkpoint: `best` by the held-out metric, `latest`, or a step; or
      `ema-0.1`, the post-hoc EMA of that sigma_rel at the last step, and
      `ema-0.1@5000`, as it was at the last snapshot up to that step (see
      `jaxgen.workdir.posthoc_ema`).
    devices: to run on, by default all there are.

  Returns:
    An `Autoencoder`, or of a denoiser an `Editor`.

  Raises:
    UserError: there is no run, no such checkpoint, or it is damaged.
  """
  found = read_weights(pathlib.Path(workdir), checkpoint, devices)
  return KINDS[found.experiment.task](**vars(found))

"""Held-out reconstruction metrics of a run, compared with PCA and the mean
image."""

from __future__ import annotations

import csv
import math
import pathlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import numpy as np

from jaxgen import progress
from jaxgen.config.experiment import Experiment
from jaxgen.errors import UserError
from jaxgen.formats.atomic import write_json
from jaxgen.formats.csv_cells import ENCODING, cell
from jaxgen.images import normalize
from jaxgen.metrics import baselines
from jaxgen.metrics.images import similarity
from jaxgen.metrics.perceptual import perceptual_distance
from jaxgen.metrics.spectrum import high_frequency_error
from jaxgen.parallel.precision import measured
from jaxgen.sample.autoencoder import AutoencoderRun
from jaxgen.sample.run import BATCH, LoadedRun

FIT_BYTES = 2 << 30  # maximum size of the float32 tiles that baselines fit
FIT_TILES = 8192
CHUNK_BYTES = 16 << 20  # size of images compared at a time
Scores = dict[str, np.ndarray]  # metric -> (n,)


def training_tiles(run: LoadedRun) -> np.ndarray:
  """Float32 training tiles in [-1, 1], sampled as in training."""
  size = math.prod(run.image_shape) * 4
  num = max(min(FIT_TILES, FIT_BYTES // size), 64)
  tiles = run.training_tiles(num, stream="baselines", keep=("image",))
  return np.asarray(normalize(tiles["image"]))


def evaluate(
  run: AutoencoderRun, images: np.ndarray, *, batch: int = BATCH
) -> tuple[dict[str, Scores], dict[str, Any]]:
  """Per-image metrics of the run and of the baselines on the same images.

  Args:
    run: a run of an autoencoder.
    images: `(n, h, w, c)`, in the type of the source.
    batch: images per batch.

  Returns:
    For `autoencoder`, `pca` and `mean image` the metrics of `scorer`, each
    `(n,)`; and facts: the step, the number of images, the shape of latents, the
    dimensions of PCA (limited by the number of tiles and pixels) and the number
    of tiles it was fitted to.
  """
  model = run.decode_float(run.encode(images, batch=batch), batch=batch)
  tiles = training_tiles(run)
  size = math.prod(run.task.latent_shape)
  dimensions = baselines.max_components(tiles, size)
  x = np.asarray(normalize(images))
  score = scorer(x.shape[-1], run.experiment.loss.perceptual_weights)
  with progress.loop("fitting PCA"):
    reconstructions = {
      "autoencoder": model,
      "pca": baselines.pca(tiles, dimensions)(x),
      "mean image": baselines.mean_image(tiles)(x),
    }
  scores = {k: score(y, x) for k, y in reconstructions.items()}
  return scores, {
    "step": run.step,
    "images": len(images),
    "latent_shape": list(run.task.latent_shape),
    "pca_dimensions": dimensions,
    "training_tiles": len(tiles),
  }


def scorer(
  channels: int, weights: str = ""
) -> Callable[[np.ndarray, np.ndarray], Scores]:
  """A function of images and references, compiled once per shape: `similarity`,
  the squared error in fine detail and its share, and LPIPS (AlexNet) if its
  weights are installed or in the file `weights`. Images are processed in chunks
  to limit memory."""
  similar, distance = jax.jit(similarity), perceptual(channels, weights)

  def score(images: np.ndarray, references: np.ndarray) -> Scores:
    size = max(1, CHUNK_BYTES // images[0].nbytes)
    starts = range(0, len(images), size)
    pairs = [(images[i : i + size], references[i : i + size]) for i in starts]
    reported = progress.each("measuring", pairs, unit="parts")
    parts = [{**similar(*p), **_detail(*p), **distance(*p)} for p in reported]
    return {k: np.concatenate([p[k] for p in parts]) for k in parts[0]}

  return score


def _detail(images: np.ndarray, references: np.ndarray) -> Scores:
  error, share = high_frequency_error(images, references)
  return {"high_frequency_error": error, "high_frequency_share": share}


def perceptual(channels: int, weights: str = "") -> Callable[..., Scores]:
  """A function of images and references to their LPIPS, or to no score without
  weights or for other numbers of channels."""
  try:
    distance = perceptual_distance("lpips_alex", weights or None)
  except UserError:
    if weights:
      raise
    return lambda images, references: {}
  if channels not in (1, 3):
    return lambda images, references: {}
  run = jax.jit(measured(distance))
  clip = lambda x: np.clip(x, -1, 1)  # noqa: E731
  return lambda x, y: {"lpips": np.asarray(run(clip(x), clip(y)))}


def means(scores: dict[str, Scores]) -> dict[str, dict[str, float]]:
  """Mean over images of each metric."""
  return {
    name: {k: float(np.mean(v)) for k, v in table.items()}
    for name, table in scores.items()
  }


def advice(scores: dict[str, Scores], experiment: Experiment) -> list[str]:
  """Sentences on what to do if a run loses to PCA of the same size; none if it
  does not."""
  average = means(scores)
  model, pca = average["autoencoder"], average["pca"]
  lost = []
  if model["psnr"] < pca["psnr"]:
    lost.append(f"PSNR ({model['psnr']:.2f} < {pca['psnr']:.2f} dB)")
  if "lpips" in model and model["lpips"] > pca["lpips"]:
    lost.append(f"LPIPS ({model['lpips']:.3f} > {pca['lpips']:.3f})")
  if not lost:
    return []
  found = [
    f"worse than PCA of the same size in {' and '.join(lost)}: train longer"
    " (stages.images), enlarge the latent (model.latent_dim or"
    " latent_channels), or weigh loss.log_mse more for PSNR, loss.lpips_alex"
    " for LPIPS"
  ]
  if getattr(experiment.model, "variational", False):
    found.append(
      "a VAE gives detail away for latents that can be sampled: a smaller"
      " kl.beta keeps more of it, model.variational=False all"
    )
  return found


def write_reconstruction(
  folder: pathlib.Path,
  names: Sequence[str],
  *,
  scores: dict[str, Scores],
  facts: dict[str, Any],
  columns: Mapping[str, Sequence[int]],
) -> None:
  """Write `metrics.json` (means and facts) and `per_image.csv`, with `columns`
  after the names."""
  write_json(folder / "metrics.json", facts | {"metrics": means(scores)})
  with (folder / "per_image.csv").open("w", newline="", **ENCODING) as file:
    writer = csv.writer(file)
    measures = [(name, k) for name, table in scores.items() for k in table]
    titles = [f"{name} {k}" for name, k in measures]
    writer.writerow(["image", *columns, *titles])
    for i, image in enumerate(names):
      row = [f"{scores[name][k][i]:.6g}" for name, k in measures]
      writer.writerow([cell(image), *(x[i] for x in columns.values()), *row])

"""Measurement of a finished run, and the images for its report."""

from __future__ import annotations

import functools
import math
import pathlib
import statistics
from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from jaxgen.errors import UserError
from jaxgen.evaluation import diffusability
from jaxgen.evaluation.reconstruction import scorer
from jaxgen.formats.npz import write_npz
from jaxgen.images import as_uint8, normalize, to_uint8
from jaxgen.latents import statistics as of_latents
from jaxgen.losses.kl import divergence
from jaxgen.metrics.distribution import frechet
from jaxgen.metrics.features import features
from jaxgen.parallel.memory import program_bytes
from jaxgen.planning import autobatch, cost
from jaxgen.sample.autoencoder import AutoencoderRun
from jaxgen.sample.load import load
from jaxgen.sample.run import BATCH, LoadedRun
from jaxgen.train.programs import stage_programs
from jaxgen.workdir import metrics_csv

SHOWN = 6  # number of saved held-out images
STEPS = 9  # points of a line between two latents
LINES = 64  # maximum number of latents connected by lines
LEVELS = (0.05, 0.1, 0.2, 0.5)  # noise, relative to the scale of each channel

Measures = dict[str, Any]


def measure_run(workdir: pathlib.Path) -> Measures:
  """Measure the best checkpoint of a run on its validation tiles, and write
  some tiles with their reconstructions to `images.npz`.

  Returns:
    Values by the names in `jaxgen.sweeps.metrics`; for autoencoders also
    `latents`, a dict of numbers and of lists with one entry per channel.
    Unavailable measures (SSIM of small images, LPIPS without its weights) are
    omitted.
  """
  run = load(workdir)
  measures: Measures = {"step": run.step, **_training(workdir, run.step)}
  measures["parameters"] = run.num_parameters
  measures["memory_mib"] = _step_bytes(run) / 2**20
  if isinstance(run, AutoencoderRun):
    measures |= _reconstructions(run, workdir)
  return {k: v for k, v in measures.items() if v is not None}


def _training(workdir: pathlib.Path, step: int) -> Measures:
  """The cost of training and the held-out metrics at a step, from the log."""
  rows = metrics_csv.read(workdir)
  speeds = [x for x in metrics_csv.column(rows, "images_per_second") if x]
  images, seconds = metrics_csv.training_time(rows) or (None, None)
  heldout = {
    name: value
    for name, value in metrics_csv.at_step(rows, step).items()
    if name.startswith(metrics_csv.HELDOUT) and math.isfinite(value)
  }
  return {
    "train_images": images,
    "train_seconds": seconds,
    "train_images_per_second": statistics.median(speeds) if speeds else None,
    **heldout,
  }


def _step_bytes(run: LoadedRun) -> int:
  """The memory of the compiled training step on each device."""
  programs = stage_programs(
    run.experiment, names=run.names, companions=run.companions
  )
  program = autobatch.fitted(programs, run.workdir)[run.stage]
  return program_bytes(cost.compile_step(program))


def _reconstructions(run: AutoencoderRun, workdir: pathlib.Path) -> Measures:
  """The errors of reconstructions, and the measures of their latents."""
  images = run.images("validation", run.experiment.train.validation_tiles)
  batch = run.whole_batch(BATCH, len(images))  # compiles for a single size
  latents = run.encode(images, batch=batch)
  x, y = np.asarray(normalize(images)), run.decode_float(latents, batch=batch)
  scores = scorer(x.shape[-1], run.experiment.loss.perceptual_weights)(y, x)
  means = {k: float(np.mean(v)) for k, v in scores.items()}
  spread = np.linspace(0, len(x) - 1, min(SHOWN, len(x))).round().astype(int)
  write_npz(
    workdir / "images.npz",
    originals=as_uint8(images[spread]),
    reconstructions=np.asarray(to_uint8(y[spread])),
  )
  size = math.prod(run.task.latent_shape)
  return means | {
    "validation_images": len(x),
    "latent_size": size,
    "latent_shape": list(run.task.latent_shape),
    "compression": math.prod(run.image_shape) / size,
    **_probe(run, latents, images, y),
    "latents": _latents(run, latents, images=images, batch=batch),
  }


def _probe(
  run: AutoencoderRun,
  held_out: np.ndarray,
  images: np.ndarray,
  decoded: np.ndarray,
) -> Measures:
  """What a small denoiser learns of latents beyond their Gaussian, and how much
  farther from the images its samples are than the reconstructions."""
  if not np.std(run.training_latents):
    return {}
  seed, num = run.experiment.seed, len(images)
  found = diffusability.measure(run.training_latents, held_out, seed=seed)
  drawn = found.probe.draw(num, held_out.shape[1:], seed=seed)
  new = run.decode_float(drawn, batch=run.whole_batch(BATCH, num))
  distance = _distance_to(images)
  return {
    "probe_loss": found.ratio,
    "probe_gap": distance and distance(new) - distance(decoded),
    "probe_seconds": found.seconds,
  }


def _distance_to(images: np.ndarray) -> Callable[[np.ndarray], float] | None:
  """The Frechet distance of images in [-1, 1] to others, by features of
  AlexNet; None if its weights are not installed or there is a single image."""
  try:
    extract = features("alexnet").extract
  except UserError:
    return None
  if len(images) < 2:
    return None
  real = extract(images)
  return lambda new: frechet(real, extract(np.asarray(to_uint8(new))))


def _latents(
  run: AutoencoderRun, latents: np.ndarray, *, images: np.ndarray, batch: int
) -> Measures:
  """Statistics of latents, and the smoothness of their decoding."""
  mean, scale = of_latents.moments(latents)
  values = of_latents.covariance_spectrum(latents)
  lines = of_latents.straight_lines(latents[:LINES], STEPS)
  decode = functools.partial(run.decode_float, batch=batch)
  flat = decode(lines.reshape(-1, *run.task.latent_shape))
  paths = flat.reshape(*lines.shape[:2], *flat[0].shape)
  noise = of_latents.noise_response(decode, latents[:LINES], LEVELS)
  return {
    "mean": mean.tolist(),
    "scale": scale.tolist(),
    "spectrum": values.tolist(),
    "effective_rank": of_latents.effective_rank(values),
    **of_latents.smoothness(paths)._asdict(),
    "noise_levels": list(LEVELS),
    "noise_psnr": [-10 * math.log10(max(x / 4, 1e-10)) for x in noise],
    **_posterior(run, images[: min(LINES, batch)]),
  }


def _posterior(run: AutoencoderRun, images: np.ndarray) -> Measures:
  """The KL divergence of a variational encoder; empty for others."""
  if run.task.codec(run.params).posterior is None:
    return {}

  def posterior(params, x):
    encode = run.task.codec(params).posterior
    assert encode is not None
    return encode(normalize(x))

  mean, log_variance = jax.jit(posterior)(run.params, images)
  nats = np.asarray(divergence(mean, log_variance))
  return {"kl": of_latents.samples(nats).mean(0).tolist()}

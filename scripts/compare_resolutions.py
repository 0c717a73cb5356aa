"""Compare ways to a higher resolution on the same held-out tiles.

    python scripts/compare_resolutions.py --small=runs/rocks32 \
      --upscaler=runs/rocks_x2 --large=runs/rocks64 --large=runs/grown

The held-out tiles of the upscaler are reconstructed by every large autoencoder;
and, reduced, by the small one, whose reconstructions are enlarged by bicubic
and Lanczos interpolation and by the upscaler. All are compared with the tiles.
"""

from __future__ import annotations

import argparse
import pathlib
import time
from collections.abc import Iterator

import numpy as np

import jaxgen
from jaxgen.cli import flags
from jaxgen.evaluation import upscaling
from jaxgen.evaluation.reconstruction import scorer
from jaxgen.images import normalize
from jaxgen.sample.autoencoder import AutoencoderRun
from jaxgen.sample.upscaler import UpscalerRun

SHOWN = ("psnr", "ssim", "lpips", "high_frequency_error")
WAYS = (upscaling.BICUBIC, upscaling.LANCZOS, upscaling.MODEL)


def main() -> None:
  """Compare and print."""
  parser = argparse.ArgumentParser(
    description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
  )
  parser.add_argument("--small", required=True, help="autoencoder, small tiles")
  parser.add_argument("--upscaler", required=True, help="run of an upscaler")
  parser.add_argument(
    "--large",
    action="append",
    default=[],
    help="autoencoder of the upscaler's tiles; repeatable",
  )
  parser.add_argument(
    "--num", type=flags.integer(1), default=256, help="tiles (default: 256)"
  )
  args = parser.parse_args()
  upscaler = jaxgen.load(args.upscaler)
  if not isinstance(upscaler, UpscalerRun):
    parser.error(f"--upscaler={args.upscaler}: expected a run of an upscaler")
  pairs = upscaling.held_out_pairs(upscaler, args.num)
  truth = np.stack([pair.image for pair in pairs])
  low = np.stack([pair.low for pair in pairs])
  score = scorer(truth.shape[-1])
  print(f"{len(truth)} tiles of {truth.shape[1]} x {truth.shape[2]} pixels")
  print(f"{'':24}", *(f"{name:>12}" for name in SHOWN), f"{'images/s':>12}")
  for label, images, rate in rows(args, upscaler, low=low, truth=truth):
    scores = score(np.asarray(normalize(images)), np.asarray(normalize(truth)))
    means = [float(np.mean(scores[k])) for k in SHOWN if k in scores]
    print(f"{label:24}", *(f"{x:12.4g}" for x in means), f"{rate:12.0f}")


def rows(
  args: argparse.Namespace,
  upscaler: UpscalerRun,
  *,
  low: np.ndarray,
  truth: np.ndarray,
) -> Iterator[tuple[str, np.ndarray, float]]:
  """For each way its name, its images, and reconstructions per second, without
  the time of enlarging."""
  small = autoencoder(args.small, low)
  images, rate = reconstructed(small, low)
  ways = [upscaling.enlargements(upscaler, x) for x in images]
  for way in WAYS:
    yield f"small, {way}", np.stack([x[way] for x in ways]), rate
  for folder in args.large:
    run = autoencoder(folder, truth)
    yield (pathlib.Path(folder).name, *reconstructed(run, truth))


def autoencoder(folder: str, images: np.ndarray) -> AutoencoderRun:
  """The autoencoder in a folder, for images of this size."""
  run = jaxgen.load(folder)
  fits = isinstance(run, AutoencoderRun) and run.image_shape == images.shape[1:]
  if not fits:
    raise SystemExit(
      f"error: {folder}: expected an autoencoder of images {images.shape[1:]}."
    )
  return run


def reconstructed(
  run: AutoencoderRun, images: np.ndarray
) -> tuple[np.ndarray, float]:
  """The reconstructions, and how many of them per second."""
  run.reconstruct(images)  # compiles
  start = time.perf_counter()
  found = run.reconstruct(images)
  return found, len(images) / (time.perf_counter() - start)


if __name__ == "__main__":
  main()

"""Real tiles as an autoencoder gives them back, beside which images that are
decoded from latents are measured."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np
from jaxtyping import Float

from jaxgen.evaluation.reference import Measures, Reference
from jaxgen.evaluation.residual_noise import gaussian_residuals
from jaxgen.images import normalize, to_uint8
from jaxgen.metrics import baselines, distribution
from jaxgen.metrics.images import similarity
from jaxgen.runs.companions import FOLDER
from jaxgen.sample.autoencoder import AutoencoderRun
from jaxgen.sample.load import load
from jaxgen.sample.painter import PainterRun
from jaxgen.sample.run import LoadedRun
from jaxgen.tasks.companion import BASE

PAINTS, AVERAGED = 16, 64  # paints of each tile that are averaged, and tiles


def autoencoder_of(run: LoadedRun) -> AutoencoderRun | None:
  """The autoencoder that decodes a run's latents or makes its hints; None for a
  run without one."""
  if isinstance(run, AutoencoderRun):
    return run
  if isinstance(run, PainterRun):
    return run.autoencoder
  for name in set(run.companions.runs) - {BASE}:
    found: Any = load(run.workdir / FOLDER / name)
    return found
  return None


@dataclasses.dataclass(frozen=True, kw_only=True)
class Reconstructions:
  """Reconstructions of the two sets of a reference.

  Attributes:
    name: name of the autoencoder.
    reference: the real tiles.
    images: reconstructions of the second set, uint8 `(n, h, w, c)`.
    features: features of those of the first set, `(n, d)`.
    own_features: features of `images`.
    residuals: what those of the first set lack, `(n, h, w, c)` in [-2, 2].
    latent_size: numbers in a latent.
  """

  name: str
  reference: Reference
  images: np.ndarray
  features: np.ndarray
  own_features: np.ndarray
  residuals: np.ndarray
  latent_size: int

  @classmethod
  def of(cls, run: AutoencoderRun, reference: Reference) -> Reconstructions:
    """Encode and decode the tiles of a reference."""
    tiles = reference.tiles["image"]
    first, second = (
      run.reconstruct(x) for x in (tiles, reference.floor_tiles["image"])
    )
    extract = reference.network.extract
    return cls(
      name=_name(run),
      reference=reference,
      images=second,
      features=extract(first),
      own_features=extract(second),
      residuals=np.asarray(normalize(tiles) - normalize(first)),
      latent_size=math.prod(run.task.latent_shape),
    )

  def rows(self) -> dict[str, tuple[Measures, np.ndarray]]:
    """Measures and images of reconstructions, and of these with Gaussian
    residuals."""
    noise = gaussian_residuals(self.residuals, len(self.images))
    noisy = np.asarray(to_uint8(normalize(self.images) + noise))
    measures = self.measure(self.images, self.own_features)
    return {
      f"{self.name} reconstructions": (measures, self.images),
      f"{self.name} reconstructions + Gaussian residuals": (
        self.measure(noisy, self.reference.network.extract(noisy)),
        noisy,
      ),
    }

  def pca_rows(
    self, training: Float[np.ndarray, "n h w c"]
  ) -> dict[str, tuple[Measures, np.ndarray]]:
    """Measures and images of reconstructions by PCA with as many dimensions, or
    as many as training tiles in [-1, 1] give."""
    dimensions = baselines.max_components(training, self.latent_size)
    tiles = np.asarray(normalize(self.reference.floor_tiles["image"]))
    linear = baselines.pca(training, dimensions)(tiles)
    images = np.asarray(to_uint8(linear))
    features = self.reference.network.extract(images)
    measures = self.reference.measure(images, features)
    row = measures | self.fidelity(images), images
    return {f"PCA reconstructions, {dimensions} dimensions": row}

  def measure(self, images: np.ndarray, features: np.ndarray) -> Measures:
    """Measures of images that belong to the second set: also their PSNR, its
    change from that of the reconstructions, and the shift of colors from
    theirs, in steps of 8 bits."""
    return {
      **self.reference.measure(images, features),
      **self.beside(features, self.reference.frechet(features)),
      **self.fidelity(images),
    }

  def fidelity(self, images: np.ndarray) -> Measures:
    """PSNR and colors of images of the first tiles of the second set."""
    truths = self.reference.floor_tiles["image"][: len(images)]
    plain = self.images[: len(images)]
    psnr, before = (_psnr(x, truths) for x in (images, plain))
    shift = np.mean(images.astype(float) - plain, axis=(0, 1, 2))
    return {
      "psnr": psnr,
      "psnr_change": psnr - before,
      "color_shift": float(np.abs(shift).max()),
    }

  def beside(self, features: np.ndarray, frechet: float) -> Measures:
    """Measures of images decoded from latents, beside those of reconstructions:
    how much further they are from real tiles, and how near to the
    reconstructions of other real tiles."""
    own = self.reference.frechet(self.own_features)
    found = distribution.manifold(self.features, features)
    return {
      "reconstruction_frechet": own,
      "frechet_over_reconstruction": frechet - own,
      "frechet_to_reconstructions": distribution.frechet(
        self.features, features
      ),
      "recall_of_reconstructions": found.recall,
      "coverage_of_reconstructions": found.coverage,
    }


def painted_rows(
  run: PainterRun, found: Reconstructions, *, name: str, seed: int, batch: int
) -> dict[str, tuple[Measures, np.ndarray]]:
  """Measures and images of the second set painted once, and of the first tiles
  of it painted `PAINTS` times, on average (fidelity only)."""
  tiles = found.reference.floor_tiles["image"]
  once = run.reconstruct(tiles, seed=seed, batch=batch)
  few, total = tiles[:AVERAGED], np.zeros(())
  for i in range(PAINTS):
    paint = run.reconstruct(few, seed=seed + i, batch=batch)
    total = total + paint.astype(np.float32)
  mean = np.rint(total / PAINTS).astype(np.uint8)
  features = found.reference.network.extract(once)
  return {
    f"{name} repainted": (found.measure(once, features), once),
    f"{name} repainted, mean of {PAINTS}": (found.fidelity(mean), mean),
  }


def _name(run: LoadedRun) -> str:
  """The name of an autoencoder's folder, or of that of which it is a copy."""
  copy = run.workdir.resolve()
  inside = copy.parent.name == FOLDER
  return f"{copy.parent.parent.name}'s {copy.name}" if inside else copy.name


def _psnr(images: np.ndarray, truths: np.ndarray) -> float:
  scores = similarity(
    np.asarray(normalize(images)), np.asarray(normalize(truths))
  )
  return float(np.mean(scores["psnr"]))

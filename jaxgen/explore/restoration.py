"""A denoiser of noise maps as a page: a tile as a camera would see it with few
photons, and as it is restored."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from jaxgen.errors import UserError
from jaxgen.explore import controls, pictures
from jaxgen.explore.denoiser import check_hints, tile_index
from jaxgen.explore.session import Answer, Control, Figure, State
from jaxgen.images import as_uint8
from jaxgen.sample.denoiser import DenoiserRun

TRAY, BLACK = 24, 100.0  # tiles, DN
SAMPLES = ("0", "4", "8")
LOG_PHOTONS = (0.0, 3.5)  # decimal logarithm of electrons at white


class RestorationSession:
  """Sliders of light, gain and read noise; mean, deviation and truth."""

  def __init__(self, run: DenoiserRun):
    check_hints(run)
    self._run = run
    self._tiles = as_uint8(run.images("validation", TRAY))

  def state(self) -> State:
    """The page before the first action."""
    low, high = self._run.experiment.diffusion.photons
    return {
      "title": f"Restorations by {self._run.workdir.name}",
      "about": f"step {self._run.step:,}; trained for {low:g} to {high:g}"
      " electrons at white. Held-out tiles, or your own image, with the noise"
      " of a camera.",
      "controls": self._controls(),
      "tray": [pictures.small(x, self._channels) for x in self._tiles],
      "slots": [],
      "uploads": self._run.image_shape[2] in (1, 3),
      "paints": False,
    }

  @property
  def _channels(self) -> tuple[int, ...]:
    return self._run.shown_channels

  def _controls(self) -> list[Control]:
    light, camera = "Light", "Camera"
    low, high = LOG_PHOTONS
    samples = controls.select(
      "samples", "samples (0: one call)", "Restoration", SAMPLES, value="0"
    )
    return [
      controls.slider(
        "light",
        "log10 of electrons at white",
        light,
        value=1.3,
        low=low,
        high=high,
      ),
      controls.slider(
        "read_noise", "read noise, electrons", camera, value=1.5, low=0, high=20
      ),
      controls.slider(
        "gain", "gain, DN per electron", camera, value=2, low=0.1, high=10
      ),
      controls.seed(camera),
      samples,
    ]

  def act(self, action: str, given: Mapping[str, Any]) -> Answer:
    """The answer to an action; see `Session`."""
    if action == "start":
      tile = self._tiles[0]
    elif action == "tile":
      tile = self._tiles[tile_index(given, len(self._tiles))]
    elif action == "upload":
      tile = self._uploaded(given.get("image"))
    elif action == "change":
      tile = self._current(given)
    else:
      raise UserError(f"{action}: no such action.")
    return self._restored(tile, given)

  def _current(self, given: Mapping[str, Any]) -> np.ndarray:
    """The tile that was restored last: one of the tray, or an uploaded one."""
    if given.get("index") is not None:
      return self._tiles[tile_index(given, len(self._tiles))]
    if given.get("tile"):
      return self._uploaded(given["tile"])
    return self._tiles[0]

  def _uploaded(self, url: Any) -> np.ndarray:
    side, _, channels = self._run.image_shape
    return pictures.uploaded(url, side, channels)

  def _restored(self, tile: np.ndarray, given: Mapping[str, Any]) -> Answer:
    low, high = LOG_PHOTONS
    photons = 10 ** float(np.clip(controls.number(given, "light"), low, high))
    gain = max(controls.number(given, "gain"), 0.01)
    noise = max(controls.number(given, "read_noise"), 0.0)
    samples = int(controls.number(given, "samples"))
    if str(samples) not in SAMPLES:
      raise UserError(f"samples: expected one of {', '.join(SAMPLES)}.")
    rng = np.random.default_rng(int(controls.number(given, "seed")) % 2**32)
    truth = tile.astype(np.float64) / 255
    electrons = rng.poisson(photons * truth) + rng.normal(0, noise, tile.shape)
    found = self._run.restore(
      gain * electrons + BLACK,
      gain=gain,
      read_noise=noise,
      black=BLACK,
      scale=photons,
      samples=samples,
      batch=max(samples, 1),
    )
    share = lambda x: (x - BLACK) / gain / photons  # noqa: E731
    seen, mean = share(gain * electrons + BLACK), share(found.mean)
    return {
      "figures": self._figures(seen, mean, found, gain * photons, truth),
      "notes": [
        f"{photons:.3g} electrons at white: noisy {_psnr(seen, truth):.2f} dB,"
        f" restored {_psnr(mean, truth):.2f} dB",
        *found.warnings,
      ],
      "tile": pictures.small(tile),
      "code": self._code(gain, noise, samples),
    }

  def _figures(
    self,
    seen: np.ndarray,
    mean: np.ndarray,
    found: Any,
    unit: float,
    truth: np.ndarray,
  ) -> list[Figure]:
    """Pictures of the counts, the mean, a sample, the deviation, the truth;
    the deviation brightened to its largest value."""
    shown = {"camera": seen, "mean": mean}
    if found.samples is not None:
      shown["one sample"] = (found.samples[0] - BLACK) / unit
    if found.std is not None:
      deviation = np.nan_to_num(found.std / unit)
      top = max(float(deviation.max()), 1e-9)
      shown[f"standard deviation, to {top:.2g} of white"] = deviation / top
    shown["truth"] = truth
    return [
      pictures.figure(k, _as_uint8(x), self._channels) for k, x in shown.items()
    ]

  def _code(self, gain: float, noise: float, samples: int) -> str:
    return (
      f'import jaxgen\n\nrun = jaxgen.load("{self._run.workdir}")\n'
      f"found = run.restore(counts, gain={gain:g}, read_noise={noise:g},"
      f" black={BLACK:g}, samples={samples})"
    )


def _as_uint8(x: np.ndarray) -> np.ndarray:
  return np.rint(255 * np.clip(x, 0, 1)).astype(np.uint8)


def _psnr(x: np.ndarray, truth: np.ndarray) -> float:
  return float(-10 * np.log10(np.mean((x - truth) ** 2) + 1e-12))

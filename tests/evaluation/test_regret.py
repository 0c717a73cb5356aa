"""The law of regret on held-out tiles: the error at the resolution that a table
recommends is within 5 % of that at the best one.

The prior is learnt: Gaussian, with the spectrum of training tiles. It believes
in too much detail at full resolution, as a weak network does, so that sums of
pixels are better in little light.
"""

import jax.numpy as jnp
import numpy as np
import pytest
from jax.scipy import fft
from support.configs import toy_denoiser
from support.exact_run import FULL, exact_run

from jaxgen.config.parse import parse
from jaxgen.data import pipeline, sources
from jaxgen.diffusion.edm import per_image
from jaxgen.evaluation import resolutions
from jaxgen.evaluation.sensors import Sensor
from jaxgen.images import normalize
from jaxgen.restoration import binning
from jaxgen.restoration.recommend import recommend

SIDES, NUM = (4, 8, 16), 192
MEASURED, ASKED = (2.0, 20.0, 200.0, 2000.0), (3.0, 7.0, 12.0, 60.0, 900.0)
TOO_MUCH = 30.0  # times the detail that there is


def tiles(data, split):
  source = sources.build(parse(toy_denoiser(data=data)).data, split, FULL)
  return np.asarray(
    normalize(pipeline.stack(pipeline.fixed_tiles(source, NUM))["image"])
  )


def learnt(images):
  """The denoiser of a Gaussian prior, by resolution."""

  def at(side):
    few = binning.bin_counts(
      jnp.asarray(images), FULL // side, scale=1.0, offset=0.0, read_noise=1.0
    )
    means = few.counts / (FULL // side) ** 2
    center = jnp.mean(means)
    waves = fft.dctn(means - center, norm="ortho", axes=(1, 2))
    power = jnp.mean(waves**2, 0, keepdims=True)
    fine = np.add.outer(np.arange(side), np.arange(side)) > side
    fine = fine[None, ..., None] & (side == FULL)
    power = jnp.where(fine, TOO_MUCH * power, power)

    def denoise(x, sigma, cond=None):
      known = power / (power + per_image(sigma) ** 2)
      waves = fft.dctn(x - center, norm="ortho", axes=(1, 2))
      return center + fft.idctn(known * waves, norm="ortho", axes=(1, 2))

    return denoise

  return at


def photographs(real_data):
  return {"source": "folder", "path": str(real_data / "photos" / "bsd_train")}


@pytest.mark.parametrize("kind", ["textures", "photographs"])
def test_regret_on_held_out_tiles(kind, tmp_path, monkeypatch, request):
  if kind == "textures":
    data = {"source": "textures"}
  else:
    data = photographs(request.getfixturevalue("real_data"))
  run = exact_run(tmp_path, learnt(tiles(data, "train")), noise_map=False)
  held_out = tiles(data, "validation")
  half = len(held_out) // 2

  def measure(part, photons, seed):
    monkeypatch.setattr(resolutions, "_tiles", lambda *_: part)
    sensors = [Sensor(photons=p) for p in photons]
    return resolutions.measure(run, SIDES, sensors=sensors, seed=seed).table

  known = measure(held_out[:half], MEASURED, 0)
  judged = measure(held_out[half:], ASKED, 1)
  chosen = set()
  for photons in ASKED:
    errors = {x.resolution: x.mse for x in judged.rows if x.photons == photons}
    found = recommend(known, photons, read_noise=1.0)
    assert errors[found.resolution] < 1.05 * min(errors.values())
    chosen.add(found.resolution)
  assert len(chosen) > 1  # there is something to choose

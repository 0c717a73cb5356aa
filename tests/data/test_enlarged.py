"""Enlargements are told from photographs by their spectrum."""

import numpy as np
import pytest
from PIL import Image

from jaxgen.config.data import DataConfig
from jaxgen.data import doubts, enlarged, sources
from jaxgen.data.report import make_report

SIDE = 64


@pytest.fixture(scope="module")
def photographs():
  """Tiles of the built-in photographs, twice as large."""
  source = sources.build(DataConfig(channels=1), "train", 2 * SIDE)
  chosen = np.linspace(0, len(source) - 1, 24).astype(int)
  return np.stack([source.read(int(i))["image"] for i in chosen])


def resized(tiles, side, kernel):
  images = [
    Image.fromarray(x[..., 0]).resize((side, side), kernel) for x in tiles
  ]
  return np.stack([np.asarray(x) for x in images])[..., None]


def test_photographs_and_their_reductions_are_not_enlarged(photographs):
  reduced = resized(photographs, SIDE, Image.Resampling.BICUBIC)
  for tiles in (photographs, photographs[:, :SIDE, :SIDE], reduced):
    found, examined = enlarged.count(tiles)
    assert found == 0 and examined >= 20


@pytest.mark.parametrize(
  ("kernel", "factor"),
  [
    *((x, 2) for x in ("BILINEAR", "BICUBIC", "LANCZOS")),
    *((x, 3) for x in ("BICUBIC", "LANCZOS")),
    *((x, 4) for x in ("BILINEAR", "BICUBIC", "LANCZOS")),
  ],
)
def test_their_enlargements_are_found(photographs, kernel, factor):
  size = factor * 2 * SIDE
  large = resized(photographs, size, Image.Resampling[kernel])
  found, examined = enlarged.count(large[:, SIDE : 2 * SIDE, SIDE : 2 * SIDE])
  assert examined >= 8 and found >= 0.95 * examined


@pytest.mark.parametrize("dtype", [np.uint16, np.float32])
def test_types_of_pixels_do_not_matter(photographs, dtype):
  tile = photographs[0]
  other = tile.astype(np.uint16) * 257
  if dtype == np.float32:
    other = tile.astype(np.float32) / 127.5 - 1
  assert enlarged.drop(other) == pytest.approx(enlarged.drop(tile))


def test_skies_and_noise_are_not_judged_or_not_enlarged():
  """A smooth ramp has nothing but rounding; noise is white."""
  rng = np.random.default_rng(0)
  ramp = np.linspace(90, 140, SIDE)[:, None, None] * np.ones((1, SIDE, 3))
  sky = np.rint(ramp + rng.normal(0, 0.5, ramp.shape)).astype(np.uint8)
  assert enlarged.drop(sky) is None
  assert enlarged.drop(np.full((SIDE, SIDE, 1), 7, np.uint8)) is None
  noise = rng.integers(0, 256, (SIDE, SIDE, 1), np.uint8)
  assert enlarged.drop(noise) == pytest.approx(0, abs=2)
  assert enlarged.count(noise[None, :16, :16]) == (0, 0)


def test_the_report_warns_of_enlarged_targets(photographs, tmp_path):
  for kind in ("sharp", "large"):
    (tmp_path / kind).mkdir()
    for i, tile in enumerate(photographs[:12]):
      image = Image.fromarray(tile[..., 0])
      if kind == "large":
        image = image.resize((4 * SIDE, 4 * SIDE), Image.Resampling.LANCZOS)
      image.save(tmp_path / kind / f"{i}.png")

  def warnings(kind, factor):
    options = DataConfig(
      source="folder", path=str(tmp_path / kind), channels=1, factor=factor
    )
    report = make_report(options, SIDE)
    said = [x for x in report.warnings if "enlarge" in x]
    assert bool(said) == (
      report.summary.enlarged[0] > doubts.ENLARGED * report.summary.enlarged[1]
    )
    return said

  assert len(warnings("large", 2)) == 1
  assert not warnings("sharp", 2)
  assert not warnings("large", 0)  # of no concern to other models

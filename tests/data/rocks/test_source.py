"""Laws of the procedural rocks: purity, visibility, scale and seams."""

import concurrent.futures
import dataclasses
import hashlib
import subprocess
import sys

import numpy as np
import pytest
from sklearn.ensemble import ExtraTreesClassifier
from support.sources import stream

from jaxgen.config.data import DataConfig
from jaxgen.data.rocks.source import ATTRIBUTES, PHASES, ROCK_TYPES, rocks
from jaxgen.errors import UserError

OPTIONS = DataConfig(source="rocks", num_tiles=600, seed=3)
SEAMLESS = dataclasses.replace(OPTIONS, seamless=True)

_DIGESTS = """
import hashlib
from jaxgen.config.data import DataConfig
from jaxgen.data.rocks.source import rocks
source = rocks(DataConfig(source="rocks", num_tiles=600, seed=3), "train", 64)
for i in (5, 0):
  e = source.read(i)
  print(hashlib.sha256(e["image"].tobytes() + e["mask"].tobytes()).hexdigest())
"""


@pytest.fixture(scope="module")
def elements():
  source = rocks(OPTIONS, "train", 64)
  return [source.read(i) for i in range(len(source))]


def _digest(element) -> str:
  parts = element["image"].tobytes() + element["mask"].tobytes()
  return hashlib.sha256(parts).hexdigest()


def _equal(a, b) -> bool:
  return a.keys() == b.keys() and all(np.array_equal(a[k], b[k]) for k in a)


def test_a_tile_depends_on_nothing_but_its_index(elements):
  source = rocks(OPTIONS, "train", 64)
  rng = stream(0)
  indices = [7, 3, 599, 7, 0]
  assert all(_equal(source.read(i, rng), elements[i]) for i in indices)
  assert rng.random() == stream(0).random()


def test_a_tile_is_the_same_in_many_threads(elements):
  source = rocks(OPTIONS, "train", 64)
  with concurrent.futures.ThreadPoolExecutor(4) as pool:
    read = list(pool.map(source.read, range(24)))
  assert all(_equal(a, b) for a, b in zip(read, elements, strict=False))


def test_a_tile_is_the_same_in_another_process(elements):
  run = subprocess.run(
    [sys.executable, "-c", _DIGESTS], capture_output=True, text=True, check=True
  )
  assert run.stdout.split() == [_digest(elements[5]), _digest(elements[0])]


def test_splits_and_seeds_share_no_tile(elements):
  train = {_digest(element) for element in elements}
  assert len(train) == len(elements)
  validation = rocks(OPTIONS, "validation", 64)
  other = rocks(dataclasses.replace(OPTIONS, seed=4), "train", 64)
  assert len(validation) == 60
  for source in (validation, other):
    assert not train & {_digest(source.read(i)) for i in range(40)}


@pytest.mark.parametrize("fraction, tiles", [(0.25, 150), (1e-4, 1)])
def test_validation_is_a_fraction(fraction, tiles):
  options = dataclasses.replace(OPTIONS, validation_fraction=fraction)
  assert len(rocks(options, "validation", 64)) == tiles


@pytest.mark.parametrize("index", [-1, 600])
def test_an_index_out_of_range_is_an_error(index):
  with pytest.raises(IndexError):
    rocks(OPTIONS, "train", 64).read(index)


def test_attributes_are_uniform_and_independent(elements):
  drawn = {k: np.array([e[k] for e in elements]) for k in ATTRIBUTES}
  names = list(ATTRIBUTES)
  pairs = [(a, b) for a in names for b in names if a < b]
  for a, b in pairs:
    size = len(ATTRIBUTES[b])
    cells = len(ATTRIBUTES[a]) * size
    counts = np.bincount(drawn[a] * size + drawn[b], minlength=cells)
    expected = len(elements) / cells
    chi2 = ((counts - expected) ** 2 / expected).sum()
    assert len(counts) == cells
    assert abs(chi2 - (cells - 1)) < 4 * np.sqrt(2 * cells), (a, b)


def test_the_label_is_the_type_of_rock(elements):
  source = rocks(OPTIONS, "train", 64)
  assert source.label_names == ROCK_TYPES
  assert source.attribute_names == ATTRIBUTES
  assert all(e["label"] == e["rock_type"] for e in elements)


def _features(image: np.ndarray) -> np.ndarray:
  """Color moments, tonal quantiles, gradients, and the radial spectrum."""
  rgb = image.astype(np.float32) / 255
  mean, gray = rgb.mean((0, 1)), rgb.mean(2)
  tones = np.quantile(gray, (0.02, 0.1, 0.25, 0.5, 0.75, 0.9, 0.98))
  n = len(gray)
  power = np.abs(np.fft.rfft2(gray - gray.mean())) ** 2
  ky, kx = np.fft.fftfreq(n, 1 / n)[:, None], np.arange(n // 2 + 1)
  ring = np.digitize(np.hypot(ky, kx), (1.5, 2.5, 4, 6, 9, 13, 19, 27, 36))
  radial = np.bincount(ring.ravel(), power.ravel())
  sector = (np.arctan2(kx + 0 * ky, ky) / np.pi * 8).astype(int) % 8
  angular = np.sort(np.bincount(sector.ravel(), power.ravel()))
  slope = np.linalg.norm(np.gradient(gray), axis=0)
  steep = np.quantile(slope, (0.1, 0.25, 0.5, 0.75, 0.9))
  parts = (
    *(mean, mean[:2] / mean[2], rgb.std((0, 1)), tones),
    *((tones - tones[3]) / tones.std(), radial / radial.sum()),
    *(np.log(radial + 1e-3), angular / angular.sum(), steep),
    steep / steep.mean(),
  )
  return np.concatenate(parts)


@pytest.fixture(scope="module")
def features(elements):
  return np.stack([_features(element["image"]) for element in elements])


@pytest.mark.parametrize(
  "name, least",
  [
    ("rock_type", 0.7),
    ("color_scheme", 0.95),
    ("texture_pattern", 0.75),
    ("zoom_level", 0.65),
  ],
)
def test_an_attribute_shows_in_the_pixels(elements, features, name, least):
  values = np.array([element[name] for element in elements])
  forest = ExtraTreesClassifier(100, random_state=0)
  forest.fit(features[:450], values[:450])
  assert forest.score(features[450:], values[450:]) > least


def test_every_phase_occurs_and_none_else(elements):
  masks = np.stack([element["mask"] for element in elements])
  assert masks.dtype == np.int32
  assert set(np.unique(masks)) == set(range(len(PHASES)))


def test_the_mask_explains_the_image(elements):
  """Phases differ in color: they hold much of a tile's variance, which a mask
  that is moved by half a tile does not."""
  explained = [_explained(e["image"], e["mask"]) for e in elements[:200]]
  moved = [
    _explained(e["image"], np.roll(e["mask"], 32, 0)) for e in elements[:200]
  ]
  assert np.mean(explained) > 0.35
  assert np.mean(moved) < 0.1


def _explained(image, mask) -> float:
  """Share of the variance of lightness between the phases of a mask."""
  gray = image.mean(2).ravel()
  count = np.bincount(mask.ravel())
  mean = np.bincount(mask.ravel(), gray) / np.maximum(count, 1)
  return float(mean[mask.ravel()].var() / gray.var())


def _seam_rank(options, axis: int) -> float:
  """Mean rank in [0, 1] of the jump across the wrap among all the jumps."""
  source = rocks(options, "train", 64)
  ranks = []
  for index in range(60):
    image = source.read(index)["image"].astype(np.float32)
    jumps = np.abs(image - np.roll(image, 1, axis)).mean((1 - axis, 2))
    ranks.append((jumps[1:] < jumps[0]).mean())
  return float(np.mean(ranks))


@pytest.mark.parametrize("axis", [0, 1])
def test_a_seamless_tile_has_no_seam(axis):
  """The standard error of the mean rank is 0.04."""
  assert 0.36 < _seam_rank(SEAMLESS, axis) < 0.62
  assert _seam_rank(OPTIONS, axis) > 0.85


def _low(image: np.ndarray, cells: int = 16) -> np.ndarray:
  gray = image.astype(np.float32).mean(2)
  side = len(gray) // cells
  return gray.reshape(cells, side, cells, side).mean((1, 3))


@pytest.mark.parametrize("low, high", [(64, 128), (32, 96), (128, 256)])
@pytest.mark.parametrize("options", [OPTIONS, SEAMLESS])
def test_a_rock_is_the_same_at_every_resolution(options, low, high):
  small, large = rocks(options, "train", low), rocks(options, "train", high)
  for index in range(16):
    a, b = small.read(index), large.read(index)
    assert all(a[name] == b[name] for name in ATTRIBUTES)
    pair = np.corrcoef(_low(a["image"]).ravel(), _low(b["image"]).ravel())
    assert pair[0, 1] > 0.9, index


@pytest.mark.parametrize("resolution", [32, 96, 100, 144, 1024])
def test_any_resolution(resolution):
  element = rocks(SEAMLESS, "train", resolution).read(1)
  assert element["image"].shape == (resolution, resolution, 3)
  assert element["image"].dtype == np.uint8
  assert element["mask"].shape == (resolution, resolution)
  scalars = [element["label"], *(element[name] for name in ATTRIBUTES)]
  assert all(s.shape == () and s.dtype == np.int32 for s in scalars)


def test_one_channel_is_the_luminance(elements):
  gray = rocks(dataclasses.replace(OPTIONS, channels=1), "train", 64).read(2)
  luma = elements[2]["image"] @ np.array([0.299, 0.587, 0.114])
  assert gray["image"].shape == (64, 64, 1)
  np.testing.assert_allclose(gray["image"][..., 0], luma, atol=1.01)


@pytest.mark.parametrize("resolution", [31, 1025])
def test_an_unsupported_resolution_is_the_users_mistake(resolution):
  with pytest.raises(UserError, match=str(resolution)):
    rocks(OPTIONS, "train", resolution)


@pytest.mark.parametrize("change", [{"channels": 2}, {"num_tiles": 0}])
def test_an_impossible_option_is_the_users_mistake(change):
  with pytest.raises(UserError, match=f"data.{next(iter(change))}"):
    rocks(dataclasses.replace(OPTIONS, **change), "train", 64)


def test_the_fingerprint_follows_what_it_reads_and_nothing_else():
  changes = [
    {"seed": 5},
    {"num_tiles": 5},
    {"seamless": True},
    {"validation_fraction": 0.5},
    {"channels": 1},
    {},
  ]
  prints = {_fingerprint(**change) for change in changes}
  assert len(prints) == len(changes)
  assert _fingerprint(cache_mb=1, threads=1) == _fingerprint()


def _fingerprint(**change) -> str:
  options = dataclasses.replace(OPTIONS, **change)
  return rocks(options, "train", 64).fingerprint

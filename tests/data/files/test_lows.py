"""Small images are found by name, and cut where their images are."""

import numpy as np
import pytest
from PIL import Image

from jaxgen.config.data import DataConfig
from jaxgen.data import sources
from jaxgen.data.reading import Reader
from jaxgen.errors import UserError

SIDE = 20  # of small images


def save(path, pixels):
  path.parent.mkdir(parents=True, exist_ok=True)
  Image.fromarray(np.asarray(pixels, np.uint8)).save(path)


def options(root, **fields):
  known = {"lows": "lows", "degradation": "pairs", "factor": 3, "channels": 1}
  return DataConfig(source="folder", path=str(root), **{**known, **fields})


@pytest.fixture
def root(tmp_path):
  """Noise, and images of it with every pixel repeated."""
  rng = np.random.default_rng(0)
  for i in range(4):
    low = rng.integers(0, 256, (SIDE, SIDE + 5))
    save(tmp_path / f"lows/{i}.png", low)
    save(tmp_path / f"images/{i}.png", np.kron(low, np.ones((3, 3))))
  return tmp_path


@pytest.mark.parametrize("crop", ["random", "tiled"])
def test_tiles_of_both_show_the_same(root, crop):
  config = options(root, crop=crop, flips=True, rot90=True)
  source = sources.build(config, "train", 24)
  reader = Reader(source=source, options=config, seed=0)
  batch = reader.read(np.arange(12) % len(source), 0)
  assert batch["low"].shape == (12, 8, 8, 1) and batch["low"].dtype == np.uint8
  repeated = batch["low"].repeat(3, axis=1).repeat(3, axis=2)
  np.testing.assert_array_equal(batch["image"], repeated)
  assert "hint" not in batch


def test_random_tiles_begin_at_every_pixel_of_a_small_image(root):
  config = options(root)
  source = sources.build(config, "train", 24)
  reader = Reader(source=source, options=config, seed=0)
  corners = {
    int(x[0, 0, 0])
    for k in range(40)
    for x in reader.read(np.arange(8), 8 * k)["low"]
  }
  assert len(corners) > 90  # of 3 images with 13 x 18 corners, 256 values


def test_small_images_have_the_bits_of_their_images(root):
  for i in range(4):
    x = np.random.default_rng(i).integers(0, 2**16, (60, 75), np.uint16)
    Image.fromarray(x).save(root / f"images/{i}.png")
  tile = sources.build(options(root), "validation", 24).read(0)
  assert tile["image"].dtype == tile["low"].dtype == np.uint16
  assert set((tile["low"] % 257).ravel()) == {0}  # 8 bits as 16


def test_other_small_images_are_other_data(root):
  before = sources.build(options(root), "train", 24).fingerprint
  save(root / "lows/0.png", np.zeros((SIDE, SIDE + 5)))
  sources.build.cache_clear()
  assert sources.build(options(root), "train", 24).fingerprint != before


@pytest.mark.parametrize(
  ("size", "says"),
  [
    (
      (20, 24),
      "1.png: not of 3 times its small image's size .75 x 60.*24 x 20",
    ),
    (None, "1.png: no small image"),
  ],
)
def test_pairs_that_do_not_fit_are_named(root, size, says):
  path = root / "lows/1.png"
  path.unlink()
  if size:
    save(path, np.zeros(size))
  with pytest.raises(UserError, match=says):
    sources.build(options(root), "train", 24)

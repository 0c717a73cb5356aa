"""Hints are found by name and cut, flipped and resized as their images are."""

import numpy as np
import pytest
from PIL import Image

from jaxgen.config.data import DataConfig
from jaxgen.data.files.folder import folder
from jaxgen.data.reading import Reader
from jaxgen.errors import UserError

SIDE = 32


def save(path, pixels):
  path.parent.mkdir(parents=True, exist_ok=True)
  Image.fromarray(np.asarray(pixels, np.uint8)).save(path)


def options(root, **fields):
  fields = {"hints": "hints", "hint_channels": 1} | fields
  return DataConfig(source="folder", path=str(root), **fields)


@pytest.fixture
def root(tmp_path):
  """Images, and as hints their first channels upside down in value."""
  rng = np.random.default_rng(0)
  for i in range(4):
    image = rng.integers(0, 256, (SIDE, SIDE, 3))
    save(tmp_path / f"images/{i}.png", image)
    save(tmp_path / f"hints/{i}.png", 255 - image[..., 0])
  return tmp_path


@pytest.mark.parametrize(
  "fields", [{}, {"crop": "whole"}, {"crop": "tiled", "crop_size": 16}]
)
def test_hints_are_cut_and_turned_as_their_images(root, fields):
  config = options(root, flips=True, rot90=True, **fields)
  source = folder(config, "train", 8)
  batch = Reader(source=source, options=config, seed=0).read(np.arange(3), 0)
  assert batch["hint"].shape == (3, 8, 8, 1) and batch["hint"].dtype == np.uint8
  inverted = 255 - batch["image"][..., :1].astype(int)
  off = np.abs(batch["hint"] - inverted)  # rounded on their own
  assert off.mean() < 1 and off.max() <= 3


def test_hints_have_their_own_channels(root):
  element = folder(options(root, hint_channels=3), "train", SIDE).read(0)
  np.testing.assert_array_equal(
    element["hint"][..., 0], element["hint"][..., 2]
  )


def test_hints_keep_16_bits_whatever_their_images_have(root):
  before = folder(options(root), "train", SIDE).read(0)["hint"]
  for i in (1, 2, 3):
    deep = np.full((SIDE, SIDE), 1234, np.uint16)
    Image.fromarray(deep).save(root / f"hints/{i}.png")
  source = folder(options(root), "train", SIDE)
  hints = [source.read(i)["hint"] for i in range(len(source))]
  assert {x.dtype for x in hints} == {np.dtype(np.uint16)}
  np.testing.assert_array_equal(hints[0], 257 * before.astype(int))
  assert (hints[1] == 1234).all()


def test_masks_may_stand_beside_hints(root):
  for i in range(4):
    save(root / f"masks/{i}.png", np.full((SIDE, SIDE), i))
  element = folder(options(root, masks="masks"), "train", 8).read(0)
  assert element["mask"].shape == (8, 8) and element["hint"].shape == (8, 8, 1)


def test_other_hints_are_other_data(root):
  before = folder(options(root), "train", 8).fingerprint
  save(root / "hints/0.png", np.zeros((SIDE, SIDE)))
  assert folder(options(root), "train", 8).fingerprint != before


@pytest.mark.parametrize(
  ("pixels", "fields", "says"),
  [
    (None, {}, "no hint, no file of its name"),
    (np.zeros((SIDE, 40)), {}, "not of its hint's size .* hint is 40 x 32"),
    (
      np.zeros((SIDE, SIDE, 3)),
      {"hint_channels": 4},
      "hint: .*hint_channels=4",
    ),
    (None, {"hints": "nothing"}, "^data.hints=nothing: expected a folder of"),
  ],
)
def test_images_need_a_hint_of_their_size(root, pixels, fields, says):
  (root / "hints/1.png").unlink()
  if pixels is not None:
    save(root / "hints/1.png", pixels)
  with pytest.raises(UserError, match=says):
    folder(options(root, **fields), "train", 8)


def test_a_hint_serves_one_image(root):
  for name in "ab":
    save(root / f"images/{name}/0.png", np.zeros((SIDE, SIDE)))
  with pytest.raises(UserError, match="^data.hints=.* hints serve several"):
    folder(options(root), "train", 8)

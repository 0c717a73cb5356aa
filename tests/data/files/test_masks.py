"""Masks are found by name, serve one image each, and are counted by label."""

from typing import Any

import numpy as np
import pytest
from PIL import Image

from jaxgen.config.data import DataConfig, Split
from jaxgen.data.files.folder import folder
from jaxgen.errors import UserError

SIDE = 16
TURNED = 6  # EXIF: to be turned by a quarter, clockwise


def save(path, pixels, **options):
  path.parent.mkdir(parents=True, exist_ok=True)
  Image.fromarray(np.asarray(pixels, np.uint8)).save(path, **options)


def save_images(root, names, seed=0):
  rng = np.random.default_rng(seed)
  for name in names:
    save(root / name, rng.integers(0, 256, (SIDE, SIDE, 3)))


def halves(inside, dtype: Any = np.uint8):
  """A mask whose right half has a label."""
  mask = np.zeros((SIDE, SIDE), dtype)
  mask[:, SIDE // 2 :] = inside
  return mask


def source(root, split: Split = "train", **options):
  options = {"masks": "masks", "crop": "tiled", **options}
  config = DataConfig(source="folder", path=str(root), **options)
  return folder(config, split, SIDE)


@pytest.fixture
def root(tmp_path):
  save_images(tmp_path, [f"images/{i}.png" for i in range(4)])
  return tmp_path


@pytest.mark.parametrize("white", [255, 65535])
def test_masks_of_two_kinds_are_read_as_0_and_1(root, white):
  kind = np.uint8 if white == 255 else np.uint16
  for i in range(4):
    path = root / f"masks/{i}.png"
    path.parent.mkdir(exist_ok=True)
    Image.fromarray(halves(white * (i > 0), kind)).save(path)
  tiles = source(root)
  found = {tuple(np.unique(tiles.read(i)["mask"])) for i in range(len(tiles))}
  assert found <= {(0,), (0, 1)} and (0, 1) in found
  assert tiles.findings.masks == {0: 0.625, 1: 0.375}
  assert any("masks" in text for text in tiles.findings.warnings)


def test_255_is_no_label_beside_other_labels(root):
  for i in range(4):
    save(root / f"masks/{i}.png", halves(255 if i else 1))
  tiles = source(root)
  assert tiles.findings.masks == {0: 0.5, 1: 0.125, 255: 0.375}
  assert {x for i in range(3) for x in np.unique(tiles.read(i)["mask"])} <= {
    *(0, 1, 255)
  }


def test_the_same_masks_read_otherwise_are_other_data(root):
  for i in range(4):
    save(root / f"masks/{i}.png", halves(255))
  two = source(root).fingerprint
  save(root / "masks/0.png", halves(1))
  assert source(root).fingerprint != two


def test_a_mask_of_two_images_is_an_error_that_names_them(tmp_path):
  names = [f"images/{x}/{i}.png" for x in "ab" for i in range(7)]
  save_images(tmp_path, names)
  for i in range(7):
    save(tmp_path / f"masks/{i}.png", halves(i))
  with pytest.raises(UserError, match="data.masks") as caught:
    source(tmp_path, on_bad="skip")
  message = str(caught.value)
  assert "7 masks" in message and "2 more" in message
  assert "images/a/0.png" in message and "images/b/0.png" in message


def test_masks_are_at_the_same_place_or_directly_in_their_folder(tmp_path):
  save_images(tmp_path, ["a/0.png", "b/0.png", "b/é.png"])
  save(tmp_path / "masks/a/0.png", halves(1))
  save(tmp_path / "masks/b/0.tif", halves(1))
  save(tmp_path / "masks/e\u0301.png", halves(2))
  save(tmp_path / "masks/other.png", halves(2))
  findings = source(tmp_path).findings
  assert findings.masks == pytest.approx({0: 1 / 2, 1: 1 / 3, 2: 1 / 6})
  assert findings.skipped == {"mask without an image": ["other.png"]}
  assert any("other.png" in text for text in findings.warnings)


def test_labels_in_one_split_alone_are_said(tmp_path):
  names = [f"{split}/{i}.png" for split in ("train", "valid") for i in "01"]
  save_images(tmp_path / "images", names)
  for name in names:
    inside = 1 if name.startswith("train") else 2
    save(tmp_path / "masks" / name, halves(inside))
  findings = source(tmp_path).findings
  assert findings.masks == {0: 0.5, 1: 0.25, 2: 0.25}
  assert findings.train_masks == {0: 0.5, 1: 0.5}
  assert any("training image has the label 2" in x for x in findings.warnings)
  assert any("held-out image has the label 1" in x for x in findings.warnings)


def test_images_without_a_mask_are_counted(root):
  for i in range(3):
    save(root / f"masks/{i}.png", halves(i))
  with pytest.raises(UserError, match="3.png"):
    source(root)
  findings = source(root, on_bad="skip").findings
  assert [*findings.skipped.values()] == [["images/3.png"]]


def test_masks_are_turned_as_their_images_are(tmp_path):
  """Also where the image is turned by a tag and the mask by its pixels."""
  exif = Image.Exif()
  exif[0x0112] = TURNED
  pixels = np.zeros((SIDE, 2 * SIDE, 3), np.uint8)
  pixels[:4] = 200
  mask = pixels[..., 0] // 200
  for i in range(3):
    pixels[0, 0] = i
    save(tmp_path / f"images/{i}.png", pixels, exif=exif)
  save(tmp_path / "masks/0.png", mask, exif=exif)
  save(tmp_path / "masks/1.png", np.rot90(mask, -1))
  save(tmp_path / "masks/2.png", mask, exif=exif)
  splits: tuple[Split, ...] = ("train", "validation")
  for split in splits:
    tiles = source(tmp_path, split)
    for i in range(len(tiles)):
      tile = tiles.read(i)
      np.testing.assert_array_equal(
        tile["mask"][1:], tile["image"][1:, :, 0] // 200
      )


def test_masks_inside_of_the_folder_are_no_images(root, monkeypatch):
  """However their folder is written."""
  for i in range(4):
    (root / f"images/{i}.png").rename(root / f"{i}.png")
    save(root / f"masks/{i}.png", halves(1))
  (root / "images").rmdir()
  monkeypatch.chdir(root.parent)
  options = DataConfig(
    source="folder", path=root.name, masks=str(root / "masks"), crop="tiled"
  )
  assert folder(options, "train", SIDE).findings.images["train"] == 3

"""Every source on real photographs, arrays and archives, if available."""

import pathlib
import zipfile
from typing import Any

import numpy as np
import pytest
from support.sources import skipped, stream

from jaxgen.config.data import DataConfig
from jaxgen.data.files.arrays import arrays
from jaxgen.data.files.folder import folder

DATA = pathlib.Path(__file__).parents[2] / "../shared/data"
pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason="no shared data")


def both(source, path, resolution, **other) -> Any:
  chosen = DataConfig(path=str(path), **other)
  return [
    source(chosen, split, resolution) for split in ("train", "validation")
  ]


def read_some(source, num=12):
  rng = stream(0)
  indices = np.linspace(0, len(source) - 1, num).astype(int)
  return [source.read(int(i), rng) for i in indices]


def unpack(name, path):
  with zipfile.ZipFile(DATA / name) as archive:
    names = archive.namelist()
    archive.extractall(path, names[:: max(len(names) // 200, 1)])
  return path


def test_rock_photographs_with_labels():
  train, held = both(folder, DATA / "rock", 64, split_by="regions")
  assert "sand" in train.label_names or len(train.label_names) > 5
  assert len(train) > 10_000 and len(held) > 100
  for source in (train, held):
    for element in read_some(source):
      assert element["image"].std() > 0 and element["label"] >= 0


def test_rock_photographs_with_grain_masks():
  chosen = {"masks": "masks", "on_bad": "skip", "crop_size": 256}
  train, held = both(folder, DATA / "rock", 64, **chosen)
  assert skipped(train)
  tiles = read_some(train) + read_some(held)
  assert max(len(np.unique(x["mask"])) for x in tiles) > 10
  # Grains and what lies between them differ in brightness: the masks fit.
  inside = [x["image"][x["mask"] > 0].mean() for x in tiles]
  outside = [x["image"][x["mask"] == 0].mean() for x in tiles]
  assert np.mean(inside) > np.mean(outside)


def test_rooms_with_classes_and_labels_of_pixels():
  chosen = {"masks": "labels", "crop": "whole"}
  train, held = both(folder, DATA / "layouts/rooms", 64, **chosen)
  assert len(train.label_names) == 5 and len(train) > 5 * len(held)
  colors = {}
  for element in read_some(train, 40):
    flat = element["image"].reshape(-1, 3)[element["mask"].ravel() == 0]
    colors.setdefault(0, []).append(np.median(flat, axis=0))
  assert np.ptp(np.stack(colors[0]), axis=0).max() <= 2  # one background


def test_microscopy_with_nuclei():
  path = DATA / "microscopy/dsb2018"
  train, _ = both(folder, path, 64, masks="labels", channels=1)
  assert train.label_names == ("fluo_256", "fluo_360", "histology")
  bright = [
    (x["image"][x["mask"][..., None] > 0].mean(), x["image"].mean())
    for x in read_some(train, 60)
    if x["mask"].any() and train.label_names[x["label"]] == "fluo_256"
  ]
  assert np.mean([inside > all_ for inside, all_ in bright]) > 0.9


def test_16_bit_microscopy_stays_16_bit(tmp_path):
  for name in ("img2d", "mask2d"):
    source = DATA / f"microscopy/stardist/{name}.tif"
    (tmp_path / f"{name}.tif").write_bytes(source.read_bytes())
  (tile, *_) = read_some(both(folder, tmp_path, 64, channels=1)[0])
  assert tile["image"].dtype == np.uint16


def test_photographs():
  train, held = both(folder, DATA / "photos/bsd_train", 32, crop="whole")
  assert len(train) + len(held) == 60
  assert read_some(held)[0]["image"].shape == (32, 32, 3)


def test_cifar_comes_with_its_splits(tmp_path):
  path = unpack("cifar10_jpeg/cifar10_jpeg_9k.zip", tmp_path)
  train, held = both(folder, path, 32)
  assert len(train.label_names) == 10
  assert len(train) > 5 * len(held) > 0


@pytest.mark.parametrize("name", ["congress_178x218", "lfw_aligned_112"])
def test_faces(tmp_path, name):
  path = unpack(f"faces/{name}.zip", tmp_path)
  train, held = both(folder, path, 64, crop="whole")
  assert len(train) > 5 * len(held) > 0


@pytest.mark.parametrize(
  ("name", "channels", "value_range"),
  [
    ("eso_ntt_field", 1, (6500.0, 12000.0)),
    ("sdss_gri", 3, (-0.1, 0.5)),
    ("gc_2mass_jhk", 3, (140.0, 800.0)),
  ],
)
def test_astronomy(name, channels, value_range):
  path = DATA / f"astronomy/{name}.npz"
  chosen = {"channels": channels, "value_range": value_range}
  sources = both(arrays, path, 32, split_by="regions", **chosen)
  for source in sources:
    tiles = np.stack([x["image"] for x in read_some(source)])
    assert tiles.dtype == np.float32 and tiles.shape[1:] == (32, 32, channels)
    assert -1 <= tiles.min() < tiles.max() <= 1
    assert len(np.unique(tiles)) > 100


def test_frames_of_a_camera():
  path = DATA / "astronomy/m13_5frames.npz"
  train, held = both(arrays, path, 64, channels=1)
  assert len(train.regions) == 4 and len(held.regions) == 1
  tiles = np.stack([x["image"] for x in read_some(train)])
  assert tiles.dtype == np.uint16 and tiles.max() <= 701

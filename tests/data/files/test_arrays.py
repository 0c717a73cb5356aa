import pickle
import re
from typing import Any

import numpy as np
import pytest
from support.sources import skipped, stream

from jaxgen.config.data import DataConfig
from jaxgen.data.files import array_shapes
from jaxgen.data.files.arrays import arrays
from jaxgen.errors import UserError

SPLITS = ("train", "validation")
RNG = np.random.default_rng(0)


def save(path, array=None, **named):
  if array is not None:
    np.save(path, array)
  else:
    np.savez(path, **named)
  return path


def options(path, **other):
  given: dict[str, Any] = {"source": "arrays", "path": str(path)}
  return DataConfig(**given | other)


def images_of(source):
  rng = stream(0)
  return [source.read(i, rng)["image"] for i in range(len(source))]


@pytest.mark.parametrize("channels", [1, 3, 5])
@pytest.mark.parametrize("dtype", [np.uint8, ">u2", np.float32, ">f8"])
def test_small_images_are_whole_tiles(tmp_path, dtype, channels):
  values = RNG.random((10, 8, 8, channels)) * 0.99
  scale = 1 if np.dtype(dtype).kind == "f" else 2**8
  data = (values * scale).astype(dtype)
  path = save(tmp_path / "a.npy", data)
  parts = [arrays(options(path, channels=channels), s, 8) for s in SPLITS]
  assert [len(x) for x in parts] == [9, 1]
  found = np.stack(images_of(parts[0]) + images_of(parts[1]))
  expected = data if scale != 1 else 2 * data - 1
  order = np.lexsort(expected.reshape(10, -1).T)
  other = np.lexsort(found.reshape(10, -1).T)
  np.testing.assert_allclose(found[other], expected[order], atol=1e-6)
  native = np.dtype(dtype).newbyteorder("=")
  assert found.dtype == (np.float32 if scale == 1 else native)


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_whole_arrays_are_resized_middle_squares(tmp_path, dtype):
  values = RNG.random((4, 16, 24)) * (200 if dtype == np.uint8 else 1)
  data = values.astype(dtype)
  path = save(tmp_path / "a.npy", data)
  source: Any = arrays(options(path, channels=1, crop="whole"), "train", 8)
  square = data[source.regions[0].photo, :, 4:20].astype(float)
  expected = square.reshape(8, 2, 8, 2).mean((1, 3))
  expected = expected if dtype == np.uint8 else 2 * expected - 1
  image = source.read(0)["image"][..., 0]
  np.testing.assert_allclose(
    image, expected, atol=1 if dtype == np.uint8 else 1e-6
  )


@pytest.mark.parametrize(
  ("shape", "channels", "photos"),
  [
    ((40, 50), 1, 1),
    ((40, 50, 3), 3, 1),
    ((40, 50, 6), 6, 1),
    ((6, 40, 50), 1, 6),
    ((6, 40, 50, 2), 2, 6),
  ],
)
def test_shapes(tmp_path, shape, channels, photos):
  data = RNG.integers(0, 65536, shape).astype(np.uint16)
  path = save(tmp_path / "a.npy", data)
  chosen = options(path, channels=channels, split_by="regions")
  source: Any = arrays(chosen, "train", 16)
  assert len({region.photo for region in source.regions}) == photos
  assert source.read(0)["image"].shape == (16, 16, channels)


def test_regions_of_large_arrays_share_no_pixel(tmp_path):
  data = np.arange(2 * 60 * 70, dtype=np.uint16).reshape(2, 60, 70)
  path = save(tmp_path / "a.npy", data)
  chosen = options(path, channels=1, split_by="regions")
  train, held = (
    np.unique(images_of(arrays(chosen, split, 16))) for split in SPLITS
  )
  assert not np.intersect1d(train, held).size
  tile = arrays(chosen, "train", 16).read(3, stream(0))
  assert (np.diff(tile["image"][..., 0].astype(int), axis=0) == 70).all()


def test_the_value_range_is_mapped_and_clipped(tmp_path):
  data = np.linspace(95, 255, 1600, dtype=np.float32).reshape(40, 40)
  path = save(tmp_path / "a.npy", data)
  chosen = options(
    path, channels=1, split_by="regions", value_range=(100.0, 250.0)
  )
  found = np.concatenate(
    [np.ravel(images_of(arrays(chosen, split, 8))) for split in SPLITS]
  )
  assert found.min() == -1 and found.max() == 1
  source = arrays(chosen, "validation", 8)
  expected = np.clip((data[-8:, :8] - 175) / 75, -1, 1)
  np.testing.assert_allclose(
    source.read(0)["image"][..., 0], expected, atol=1e-6
  )


def test_folders_above_a_file_do_not_split_it(tmp_path):
  path = tmp_path / "train" / "val"
  path.mkdir(parents=True)
  photos = np.repeat(np.arange(9, dtype=np.uint8), 64).reshape(9, 8, 8)
  save(path / "a.npz", images=photos)
  train = arrays(options(path / "a.npz", channels=1), "train", 8)
  assert len(train) == 8


def test_a_range_that_misses_the_values_is_refused(tmp_path):
  path = save(tmp_path / "a.npy", RNG.normal(7000, 10, (5, 16, 16)))
  with pytest.raises(UserError, match="a.npy: data.value_range"):
    arrays(options(path, channels=1), "train", 16)
  with pytest.raises(UserError, match="value_range"):
    arrays(options(path, value_range=(1.0, 0.0)), "train", 16)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_values_that_are_not_finite_are_found(tmp_path, bad):
  data = RNG.random((5, 16, 16))
  data[3, 2, 2] = bad
  path = save(tmp_path / "a.npy", data)
  with pytest.raises(UserError, match=r"image 3: .*1 of 256"):
    arrays(options(path, channels=1), "train", 16)


@pytest.mark.parametrize("dtype", [np.int16, np.int32, np.int64, bool])
def test_other_integers_need_a_range(tmp_path, dtype):
  data = np.zeros((4, 8, 8), dtype)
  data[:, 0], data[:, 1, 0] = 1, np.arange(4) % 2
  data[2] = data[2].T
  path = save(tmp_path / "a.npy", data)
  with pytest.raises(UserError, match="data.value_range"):
    arrays(options(path, channels=1), "train", 8)
  chosen = options(path, channels=1, value_range=(0.0, 1.0))
  found = images_of(arrays(chosen, "train", 8))
  assert {x.dtype.name for x in found} == {"float32"}
  assert np.unique(found).tolist() == [-1, 1]


def test_complex_numbers_are_refused(tmp_path):
  path = save(tmp_path / "a.npy", np.ones((4, 8, 8), np.complex64))
  with pytest.raises(UserError, match="complex64"):
    arrays(options(path, channels=1), "train", 8)


def test_a_range_is_used_for_16_bits(tmp_path):
  data = RNG.integers(0, 4096, (12, 8, 8)).astype(np.uint16)
  data[:, 0, 0], data[:, 0, 1] = 0, 4095
  path = save(tmp_path / "a.npy", data)
  chosen = options(path, channels=1, value_range=(0.0, 4095.0))
  source: Any = arrays(chosen, "train", 8)
  for image in images_of(source):
    assert image[0, 0, 0] == -1 and image[0, 1, 0] == 1
  assert source.findings.value_seen == (0, 4095)
  assert source.findings.bits == 16 and not source.findings.warnings
  source = arrays(options(path, channels=1), "train", 8)
  assert source.read(0)["image"].dtype == np.uint16
  assert "4095" in source.findings.warnings[0]


def test_outliers_are_a_matter_of_each_image(tmp_path):
  data = RNG.random((20, 8, 8))
  data[7] *= 255
  data[9, 3, 3] = np.nan
  path = save(tmp_path / "a.npy", data)
  with pytest.raises(UserError, match="image 7: .*data.value_range"):
    arrays(options(path, channels=1), "train", 8)
  parts = [
    arrays(options(path, channels=1, on_bad="skip"), x, 8) for x in SPLITS
  ]
  assert any("image 9" in name for name in skipped(parts[0]))
  found = [x for part in parts for x in images_of(part)]
  kept = [2 * data[i] - 1 for i in range(20) if i not in (7, 9)]
  assert len(found) == 18
  for image in kept:
    assert sum(np.allclose(image, x[..., 0], atol=1e-6) for x in found) == 1


def test_several_arrays_are_named(tmp_path):
  frames = RNG.integers(0, 9, (4, 16, 16)).astype(np.uint8)
  contents = {
    "shifts": np.zeros((4, 2)),
    "names": np.array(["a"]),
    "frames": frames,
    "masks": 255 - frames,
  }
  path = save(tmp_path / "a.npz", **contents)
  for key, low in (("frames", True), ("masks", False)):
    source = arrays(options(path, channels=1, key=key), "train", 16)
    assert (source.read(0)["image"].max() < 10) == low
  for key in ("", "nope"):
    with pytest.raises(UserError, match="data.key") as caught:
      arrays(options(path, channels=1, key=key), "train", 16)
    assert "frames" in str(caught.value) and "masks" in str(caught.value)
  path = save(tmp_path / "a.npy", frames)
  with pytest.raises(UserError, match="data.key"):
    arrays(options(path, channels=1, key="frames"), "train", 16)


@pytest.mark.parametrize(
  ("train", "test"),
  [
    (("x_train", "y_train"), ("x_test", "y_test")),
    (("train_images", "train_labels"), ("val_images", "val_labels")),
  ],
)
@pytest.mark.parametrize("key", ["", "train"])
def test_arrays_of_splits_keep_them_with_their_labels(
  tmp_path, train, test, key
):
  bright = RNG.integers(150, 250, (24, 8, 8)).astype(np.uint8)
  dark = RNG.integers(0, 60, (6, 8, 8)).astype(np.uint8)
  contents = {
    test[0]: dark,
    train[0]: bright,
    train[1]: np.arange(24)[:, None] % 3,
    test[1]: 9 + np.arange(6) % 2,
  }
  path = save(tmp_path / "a.npz", **contents)
  key = train[0] if key else ""
  source: Any = arrays(options(path, channels=1, key=key), "train", 8)
  assert ("by the names" in source.findings.split) == (not key)
  held: Any = arrays(options(path, channels=1, key=key), "validation", 8)
  assert (len(source), len(held)) == ((24, 6) if not key else (22, 2))
  assert min(x.min() for x in images_of(source)) >= 150
  assert (max(x.max() for x in images_of(held)) < 60) == (not key)
  for i in range(len(source)):
    element = source.read(i)
    row = (bright == element["image"][..., 0]).all((1, 2)).argmax()
    assert source.label_names[element["label"]] == str(row % 3)
  names = {held.label_names[held.read(i)["label"]] for i in range(len(held))}
  assert names <= ({"9", "10"} if not key else {"0", "1", "2"})


def test_channels_first_is_recognized(tmp_path):
  data = RNG.integers(0, 256, (6, 3, 8, 9)).astype(np.uint8)
  path = save(tmp_path / "a.npy", data)
  source: Any = arrays(options(path, split_by="regions"), "train", 8)
  image = source.load(0)[0]
  np.testing.assert_array_equal(image, np.moveaxis(data[0], 0, 2))
  assert "channels first" in source.findings.warnings[0]
  path = save(tmp_path / "b.npy", data[0])
  with pytest.raises(UserError, match="channels first"):
    arrays(options(path), "train", 8)


def test_a_folder_of_arrays(tmp_path):
  data = RNG.integers(0, 256, (8, 8, 8, 3)).astype(np.uint8)
  for i, image in enumerate(data):
    path = tmp_path / "ab"[i % 2] / f"{i}.npy"
    path.parent.mkdir(exist_ok=True)
    save(path, image)
  (tmp_path / "a" / "torn.npy").write_bytes(b"\x93NUMPY")
  with pytest.raises(UserError, match="a/torn.npy"):
    arrays(options(tmp_path), "train", 8)
  parts = [arrays(options(tmp_path, on_bad="skip"), x, 8) for x in SPLITS]
  assert skipped(parts[0]) == ["a/torn.npy"]
  assert sum(map(len, parts)) == 8
  for i in range(len(parts[0])):
    element = parts[0].read(i)
    row = (data == element["image"]).all((1, 2, 3)).argmax()
    assert parts[0].label_names[element["label"]] == "ab"[row % 2]


def test_labels_that_are_not_numbers_are_none(tmp_path):
  photos = np.repeat(np.arange(12, dtype=np.uint8), 64).reshape(12, 8, 8)
  labels = (np.arange(12) % 3).astype(float)
  labels[:4] = np.nan
  path = save(tmp_path / "a.npz", images=photos, labels=labels)
  source = arrays(options(path, channels=1), "train", 8)
  assert source.label_names == ("0", "1", "2")
  for i in range(len(source)):
    element = source.read(i)
    row = element["image"][0, 0, 0]
    assert element["label"] == (-1 if row < 4 else row % 3)
  path = save(tmp_path / "b.npz", images=photos, labels=labels + 0.5)
  with pytest.raises(UserError, match="labels"):
    arrays(options(path, channels=1), "train", 8)


def test_what_would_unpack_to_more_than_memory_is_refused(
  tmp_path, monkeypatch
):
  path = tmp_path / "a.npz"
  np.savez_compressed(path, images=np.zeros((100, 100, 100), np.uint8))
  assert path.stat().st_size < 10_000
  monkeypatch.setattr(
    "jaxgen.formats.memory_limit.available_memory", lambda: 10_000
  )
  with pytest.raises(UserError, match="memory"):
    arrays(options(path, channels=1), "train", 8)


@pytest.mark.parametrize("name", ["label", "labels"])
@pytest.mark.parametrize("values", [[2, 0, -1, 2], ["z", "x", "", "z"]])
def test_labels(tmp_path, name, values):
  photos = np.repeat(np.arange(4, dtype=np.uint8), 64).reshape(4, 8, 8)
  path = save(tmp_path / "a.npz", images=photos, **{name: np.array(values)})
  for split in SPLITS:
    source = arrays(options(path, channels=1), split, 8)
    for i in range(len(source)):
      element = source.read(i)
      label, value = int(element["label"]), values[element["image"][0, 0, 0]]
      found = source.label_names[label] if label >= 0 else ""
      assert found == ("" if value == -1 else str(value))


def test_labels_that_do_not_fit(tmp_path):
  photos = np.zeros((4, 8, 8), np.uint8)
  path = save(tmp_path / "a.npz", images=photos, labels=np.arange(3))
  with pytest.raises(UserError, match="a.npz: .*labels"):
    arrays(options(path, channels=1), "train", 8)


def test_copies_are_in_one_split_only(tmp_path):
  photos = np.repeat(np.arange(12, dtype=np.uint8) // 3, 64).reshape(12, 8, 8)
  path = save(tmp_path / "a.npy", photos)
  chosen = options(path, channels=1, validation_fraction=0.5)
  train, held = (
    {x[0, 0, 0] for x in images_of(arrays(chosen, split, 8))}
    for split in SPLITS
  )
  assert (len(train), len(held), len(train | held)) == (2, 2, 4)


def test_npy_files_are_mapped_not_loaded_nor_pickled(tmp_path):
  path = save(tmp_path / "a.npy", RNG.random((50, 64, 64), np.float32))
  source: Any = arrays(options(path, channels=1), "train", 16)
  (photo,) = source.load(0)
  while photo.base is not None and not isinstance(photo.base, np.memmap):
    photo = photo.base
  assert isinstance(photo.base, np.memmap)
  data = pickle.dumps(source)
  assert len(data) < 10_000
  copy = pickle.loads(data)
  for x in (source, copy):
    one = x.read(5, stream(0))["image"]
    assert np.array_equal(one, source.read(5, stream(0))["image"])


def test_pickles_are_refused(tmp_path):
  class Evil:
    def __reduce__(self):
      return pytest.fail, ("executed",)

  for name in ("a.npy", "a.npz"):
    path = tmp_path / name
    path.write_bytes(pickle.dumps(Evil()))
    with pytest.raises(UserError, match=name):
      arrays(options(path), "train", 8)
  path = tmp_path / "b.npy"
  np.save(path, np.array([{}], object), allow_pickle=True)
  with pytest.raises(UserError, match="b.npy"):
    arrays(options(path), "train", 8)


def test_a_damaged_file_is_named(tmp_path):
  path = save(tmp_path / "a.npz", image=RNG.random((64, 64)))
  data = bytearray(path.read_bytes())
  path.write_bytes(data[: len(data) // 2])
  with pytest.raises(UserError, match="a.npz"):
    arrays(options(path, channels=1, split_by="regions"), "train", 8)
  data[len(data) // 2] ^= 1
  path.write_bytes(data)
  with pytest.raises(UserError, match="a.npz"):
    arrays(options(path, channels=1, split_by="regions"), "train", 8)


@pytest.mark.parametrize("path", ["", "nowhere.npy", "pyproject.toml"])
def test_no_arrays(path):
  with pytest.raises(UserError, match="data.path="):
    arrays(options(path), "train", 8)


def test_wrong_shapes(tmp_path):
  path = save(tmp_path / "a.npy", np.zeros((4, 5, 8, 8), np.uint8))
  with pytest.raises(UserError, match="data.channels=3"):
    arrays(options(path), "train", 8)
  path = save(tmp_path / "b.npy", np.zeros(8, np.uint8))
  with pytest.raises(UserError, match=r"\(n, h, w\)"):
    arrays(options(path), "train", 8)


@pytest.mark.parametrize(
  ("shape", "channels", "says"),
  [
    ((10, 3, 16, 3), 3, "with channels last; if .* first.*moveaxis.*1, 3"),
    ((3, 16, 3), 3, "with channels last; if .* first.*moveaxis.*0, 2"),
    ((3, 16, 16), 1, "as 3 gray images; if .* first.*moveaxis.*0, 2"),
    ((10, 3, 8, 16), 3, "with channels first$"),
  ],
)
def test_the_choice_among_two_layouts_is_said(shape, channels, says):
  array = np.zeros(shape, np.uint8)
  assert re.search(says, array_shapes.note(array, channels))


@pytest.mark.parametrize(
  ("shape", "channels", "first"),
  [
    ((10, 16, 16, 3), 3, False),
    ((10, 16, 16), 1, False),
    ((1, 16, 16), 1, False),
    ((16, 16, 3), 3, False),
    ((16, 16), 1, True),
    ((3, 16, 16), 3, True),
    ((3, 16, 16), 1, True),
    ((10, 3, 16, 16), 3, True),
  ],
)
def test_a_layout_without_doubt_is_not_mentioned(shape, channels, first):
  array = np.zeros(shape, np.uint8)
  assert not array_shapes.note(array, channels, channels_first=first)


def test_the_remedy_of_a_layout_leaves_no_doubt(tmp_path):
  data = RNG.integers(0, 256, (10, 3, 16, 3)).astype(np.uint8)
  path = save(tmp_path / "a.npy", data)
  chosen = options(path, upsample=True)
  assert "channels last" in arrays(chosen, "train", 8).findings.warnings[0]
  path = save(tmp_path / "b.npy", np.moveaxis(data, 1, 3))
  chosen = options(path, upsample=True)
  assert not arrays(chosen, "train", 8).findings.warnings


@pytest.mark.parametrize("name", ["a.npy", "a.npz"])
@pytest.mark.parametrize(
  ("dtype", "says"),
  [
    (bool, r"bool .*data.value_range=\(0, 1\)"),
    (object, "object.*numpy.stack"),
    ("U3", "<U3"),
    (np.complex64, "complex64.*float32"),
  ],
)
def test_types_that_are_no_pixels_are_named(tmp_path, name, dtype, says):
  path = tmp_path / name
  data = np.zeros((4, 8, 8), dtype)
  if path.suffix == ".npy":
    np.save(path, data, allow_pickle=True)
  else:
    np.savez(path, images=data)
  with pytest.raises(UserError, match=f"{name}.*{says}") as caught:
    arrays(options(path, channels=1), "train", 8)
  assert "\n" not in str(caught.value)


@pytest.mark.parametrize("size", [5, 300])
def test_the_only_file_cannot_be_skipped(tmp_path, size):
  path = save(tmp_path / "a.npy", RNG.random((4, 8, 8)))
  path.write_bytes(path.read_bytes()[:size])
  chosen = options(path, channels=1, on_bad="skip")
  with pytest.raises(UserError, match="a.npy: damaged.*only file"):
    arrays(chosen, "train", 8)


def test_where_all_images_are_skipped_it_says_why(tmp_path):
  path = save(tmp_path / "a.npy", np.full((4, 8, 8), np.nan))
  for chosen in (path, tmp_path):
    chosen = options(chosen, channels=1, on_bad="skip")
    with pytest.raises(UserError, match="all images .*not finite"):
      arrays(chosen, "train", 8)

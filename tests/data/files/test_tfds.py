import io
import pickle
from typing import Any

import numpy as np
import pytest
import tensorflow_datasets as datasets
from PIL import Image
from support.sources import stream

from jaxgen.config.data import DataConfig
from jaxgen.data.files.tfds import tfds
from jaxgen.errors import UserError

SPLITS = ("train", "validation")


def photo(number, height=16, width=16):
  """A photograph whose pixels hold (number, y, x)."""
  pixels = np.empty((height, width, 3), np.uint8)
  pixels[..., 0] = number
  pixels[..., 1] = np.arange(height)[:, None]
  pixels[..., 2] = np.arange(width)
  return pixels


def encode(pixels, kind="PNG"):
  file = io.BytesIO()
  Image.fromarray(pixels).save(file, kind)
  return file.getvalue()


def numbers(source, seed=0):
  rng = stream(seed)
  tiles = [source.read(i, rng) for i in range(len(source))]
  return sorted({int(x["image"][0, 0, 0]) for x in tiles})


class Tiny(datasets.core.GeneratorBasedBuilder, skip_registration=True):
  """A set of numbered images, with labels a (even) and b."""

  VERSION = datasets.core.Version("1.0.0")
  sizes: dict[str, int]

  def _info(self):
    features = datasets.features
    return datasets.core.DatasetInfo(
      builder=self,
      features=features.FeaturesDict(
        {
          "image": features.Image(shape=(None, None, 3)),
          "label": features.ClassLabel(names=["a", "b"]),
          "text": features.Text(),
        }
      ),
    )

  def _split_generators(self, dl_manager):
    starts = np.cumsum([0, *self.sizes.values()]).tolist()
    return {
      name: self._generate_examples(start, self.sizes[name])
      for name, start in zip(self.sizes, starts, strict=False)
    }

  def _generate_examples(self, start, count):
    for i in range(start, start + count):
      image = io.BytesIO(encode(photo(i, 16 + i, 16)))
      yield i, {"image": image, "label": i % 2, "text": "x"}


def prepare(data_dir, **sizes):
  builder = Tiny(data_dir=str(data_dir), file_format="array_record")
  builder.sizes = sizes
  builder.download_and_prepare()


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
  path = tmp_path_factory.mktemp("tfds")
  prepare(path, train=10, test=3)
  return path


def options(path, **other):
  given: dict[str, Any] = {"source": "tfds", "path": f"tiny@{path}"}
  return DataConfig(**given | other)


def test_a_set_and_its_splits(prepared):
  train, held = (tfds(options(prepared), split, 16) for split in SPLITS)
  assert numbers(train) == list(range(10))
  assert numbers(held) == [10, 11, 12]
  assert train.label_names == ("a", "b")
  for i in range(10):
    element = train.read(i)
    assert set(element) == {"image", "label"}
    assert element["label"] == element["image"][0, 0, 0] % 2
    assert element["label"].dtype == np.int32
    assert element["image"].shape == (16, 16, 3)


def test_names_versions_and_folders_of_a_set(prepared):
  for path in (f"tiny:1.0.0@{prepared}", f"{prepared}/tiny/1.0.0"):
    source = tfds(DataConfig(source="tfds", path=path), "train", 16)
    assert len(source) == 10


def test_without_a_validation_split_the_tail_is_held_out(tmp_path):
  prepare(tmp_path, train=10)
  chosen = options(tmp_path, validation_fraction=0.3)
  train, held = (numbers(tfds(chosen, split, 16)) for split in SPLITS)
  assert (len(train), len(held)) == (7, 3)
  assert not set(train) & set(held)


def test_crops_of_a_set_are_random_for_training_only(prepared):
  for split in SPLITS:
    source = tfds(options(prepared), split, 12)
    rngs = [stream(seed) for seed in range(5)]
    crops = [source.read(1, rng)["image"] for rng in rngs]
    places = {tuple(crop[0, 0, 1:]) for crop in crops}
    assert (len(places) > 1) == (split == "train")
    for crop in crops:
      steps = np.diff(crop.astype(int), axis=1)
      np.testing.assert_array_equal(
        steps, np.broadcast_to([0, 0, 1], (12, 11, 3))
      )


def test_whole_images_of_a_set_and_gray_ones(prepared):
  chosen = options(prepared, crop="whole", channels=1)
  element = tfds(chosen, "validation", 8).read(0)
  assert element["image"].shape == (8, 8, 1)


def test_a_set_survives_pickling(prepared):
  source = tfds(options(prepared), "train", 12)
  copy = pickle.loads(pickle.dumps(source))
  one, two = (x.read(3, stream(1)) for x in (source, copy))
  np.testing.assert_array_equal(one["image"], two["image"])


def test_a_set_that_does_not_fit_is_refused(prepared, tmp_path):
  for path in ("nosuchset", "", f"tiny:9.9.9@{prepared}"):
    with pytest.raises(UserError, match="data.path="):
      tfds(DataConfig(source="tfds", path=path), "train", 16)
  unprepared = DataConfig(source="tfds", path=f"mnist@{tmp_path}")
  with pytest.raises(UserError, match="tfds build mnist"):
    tfds(unprepared, "train", 16)
  with pytest.raises(UserError, match="data.key=text"):
    tfds(options(prepared, key="text"), "train", 16)
  with pytest.raises(UserError, match="data.channels=4"):
    tfds(options(prepared, channels=4), "train", 16)
  with pytest.raises(UserError, match="data.crop=tiled"):
    tfds(options(prepared, crop="tiled"), "train", 16)


def test_a_set_of_small_images(prepared):
  with pytest.raises(UserError, match="upsample"):
    tfds(options(prepared), "train", 17)
  source = tfds(options(prepared, upsample=True), "train", 40)
  assert source.read(0)["image"].shape == (40, 40, 3)

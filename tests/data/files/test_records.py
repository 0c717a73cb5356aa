import io
import pickle
from typing import Any

import msgpack
import numpy as np
import pytest
from array_record.python import array_record_module  # pyright: ignore
from PIL import Image
from support.sources import skipped, stream

from jaxgen.config.data import DataConfig
from jaxgen.data.files.records import records
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


def write(path, contents):
  writer = array_record_module.ArrayRecordWriter(str(path), "group_size:1")
  for content in contents:
    writer.write(content)
  writer.close()
  return path


def options(path, **other):
  given: dict[str, Any] = {"source": "records", "path": str(path)}
  return DataConfig(**given | other)


@pytest.mark.parametrize("packed", [False, True])
def test_records_of_images(tmp_path, packed):
  contents = [encode(photo(i)) for i in range(10)]
  if packed:
    contents = [
      msgpack.packb({"image": x, "label": i % 3})
      for i, x in enumerate(contents)
    ]
  write(tmp_path / "a.array_record", contents[:6])
  write(tmp_path / "b.array_record", contents[6:])
  for path in (tmp_path, tmp_path / "*.array_record"):
    train, held = (records(options(path), split, 16) for split in SPLITS)
    assert len(numbers(train)) == 9 and len(numbers(held)) == 1
    assert sorted(numbers(train) + numbers(held)) == list(range(10))
    assert train.label_names == (("0", "1", "2") if packed else ())
    for i in range(len(train) * packed):
      element = train.read(i)
      assert element["label"] == element["image"][0, 0, 0] % 3


def test_records_without_a_label_are_marked(tmp_path):
  contents = [
    msgpack.packb({"image": encode(photo(0)), "label": 0}),
    msgpack.packb({"image": encode(photo(1))}),
    encode(photo(2)),
  ]
  path = write(tmp_path / "a.array_record", contents)
  for split in SPLITS:
    source = records(options(path), split, 16)
    for i in range(len(source)):
      element = source.read(i)
      assert element["label"] == (-1 if element["image"][0, 0, 0] else 0)


def test_large_records_are_cut_into_tiles(tmp_path):
  path = write(tmp_path / "a.array_record", [encode(photo(0, 64, 64))])
  chosen = options(
    path, split_by="regions", crop="tiled", validation_fraction=0.25
  )
  train, held = (records(chosen, split, 16) for split in SPLITS)
  assert (len(train), len(held)) == (12, 4)
  copy = pickle.loads(pickle.dumps(train))
  np.testing.assert_array_equal(copy.read(7)["image"], train.read(7)["image"])


def test_bad_records_are_named(tmp_path):
  good = [encode(photo(i)) for i in range(3)]
  torn = [good[0][:60], b"hello", msgpack.packb({"image": b"x"})]
  path = write(tmp_path / "a.array_record", good + torn)
  with pytest.raises(
    UserError, match="3 unusable.*record 3.*record 4.*record 5"
  ):
    records(options(path), "train", 16)
  source = records(options(path, on_bad="skip"), "train", 16)
  assert len(source) == 2 and len(skipped(source)) == 3


def test_files_that_hold_no_records(tmp_path):
  for path in ("", tmp_path, tmp_path / "none"):
    with pytest.raises(UserError, match="data.path="):
      records(options(path), "train", 16)
  path = tmp_path / "a.array_record"
  path.write_bytes(bytes(100_000))
  with pytest.raises(UserError, match="a.array_record"):
    records(options(path), "train", 16)

"""A batch read at once is the batch of the tiles read one by one."""

import dataclasses
import itertools
import pickle
from typing import Any

import numpy as np
import pytest
from PIL import Image

from jaxgen.config.data import DataConfig
from jaxgen.data import pipeline
from jaxgen.data.order import shuffled
from jaxgen.data.source import BatchSource, Source
from jaxgen.data.sources import build
from jaxgen.data.streams import streams

MOVED: dict[str, Any] = {"flips": True, "rot90": True, "threads": 0}


def read_tile(source, options, *, seed, place):
  """The tile at a position of the data, flipped and rotated."""
  index = int(shuffled(np.array([place]), len(source), seed)[0])
  rng = streams(seed, place, num=1)[0]
  down, right, turns = rng.random() < 0.5, rng.random() < 0.5, rng.integers(4)
  moved = {}
  for name, x in source.read(index, rng).items():
    if x.ndim > 1:
      x = np.flip(x, 0) if down and options.flips else x
      x = np.flip(x, 1) if right and (options.flips or options.hflip) else x
      x = np.rot90(x, int(turns)) if options.rot90 else x
    moved[name] = x
  return moved


def one_by_one(source, options, *, num=6, start=0, process=0, processes=1):
  """Batches of 12 tiles that are read one by one."""
  seed = pipeline.derive_seed("batches", options.seed, "train")
  share = 12 // processes
  firsts = [12 * (start + k) + share * process for k in range(num)]
  return [
    pipeline.stack(
      [
        read_tile(source, options, seed=seed, place=first + i)
        for i in range(share)
      ]
    )
    for first in firsts
  ]


@dataclasses.dataclass(frozen=True)
class WithoutBatches:
  """A source without `read_batch`."""

  source: Source
  label_names = ()
  attribute_names = {}
  fingerprint = ""

  def __len__(self):
    return len(self.source)

  def read(self, index, rng=None):
    return self.source.read(index, rng)


def values(dtype, *shape):
  rng = np.random.default_rng(0)
  if np.dtype(dtype).kind == "f":
    return rng.random(shape).astype(dtype)
  top = 2 ** (8 * np.dtype(dtype).itemsize)
  return rng.integers(0, top, shape).astype(dtype)


def write_array(path, dtype, *shape) -> dict[str, Any]:
  np.savez(path / "a.npz", image=values(dtype, *shape), label=np.arange(40) % 3)
  return {"source": "arrays", "path": str(path / "a.npz")}


def write_folder(path, masks=False, channels=3) -> dict[str, Any]:
  """A folder of 12 images of different sizes and two classes, with masks."""
  for i, side in enumerate(range(30, 42)):
    pixels = values("uint8", side, side + 5, channels).squeeze()
    name = f"{'ab'[i % 2]}/{i}.png"
    for folder, x in (("images", pixels), ("masks", pixels[..., 0] % 5)):
      (path / folder / name).parent.mkdir(parents=True, exist_ok=True)
      Image.fromarray(x).save(path / folder / name)
  return {
    "source": "folder",
    "path": str(path),
    "masks": "masks" if masks else "",
  }


def arrays(*spec):
  return lambda path: write_array(path, *spec)


def folder(**spec):
  return lambda path: write_folder(path, **spec)


CASES = {
  "whole images": (arrays("uint8", 40, 16, 16, 3), {}),
  "crops": (arrays("uint8", 40, 20, 23, 3), {}),
  "one way alone": (arrays("uint8", 40, 16, 23, 3), {}),
  "the other way": (arrays("uint8", 40, 20, 16, 3), {}),
  "luma": (arrays("uint8", 40, 20, 20, 3), {"channels": 1}),
  "gray to color": (arrays("uint16", 40, 20, 20, 1), {}),
  "many channels": (arrays(">u2", 40, 20, 20, 5), {"channels": 5}),
  "floats": (arrays("float32", 40, 20, 20, 3), {"channels": 1}),
  "floats made smaller": (arrays("float64", 40, 40, 40, 1), {"crop_size": 27}),
  "bytes made smaller": (arrays("uint8", 40, 40, 40, 3), {"crop_size": 32}),
  "squares": (arrays("float32", 40, 20, 24, 3), {"crop": "whole"}),
  "a grid": (arrays("uint8", 40, 40, 40, 3), {"crop": "tiled"}),
  "made larger": (arrays("uint8", 40, 9, 12, 3), {"upsample": True}),
  "files": (folder(), {}),
  "files with masks": (folder(masks=True), {}),
  "masks made smaller": (folder(masks=True), {"crop_size": 30}),
  "whole files": (folder(masks=True), {"crop": "whole"}),
  "regions": (folder(), {"split_by": "regions", "channels": 1}),
  "regions of other sizes": (
    folder(masks=True),
    {"crop_size": 28, "upsample": True, "split_by": "regions"},
  ),
  "nothing kept": (folder(masks=True), {"cache_mb": 0}),
  "textures": (lambda path: {"source": "textures"}, {"channels": 1}),
}


def same(one, other):
  assert one.keys() == other.keys()
  for name, x in one.items():
    assert (x.dtype, x.shape) == (other[name].dtype, other[name].shape)
    assert x.dtype.isnative and x.flags.writeable
    np.testing.assert_array_equal(x, other[name], err_msg=name)


def batches(source, options, *, num=6, **given: Any):
  found = pipeline.batches(source, options, **{"batch_size": 12, **given})
  return list(itertools.islice(found, num))


def check(source, options):
  """Several epochs, the rest of a run and both processes are the same."""
  single = WithoutBatches(source)
  assert isinstance(source, BatchSource)
  assert not isinstance(single, BatchSource)
  for given in ({}, {"start": 4}, {"process": 1, "processes": 2}):
    expected = one_by_one(source, options, **given)
    for found in (source, single):
      pairs = zip(batches(found, options, **given), expected, strict=True)
      for one, other in pairs:
        same(one, other)


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("moved", [{}, {"hflip": True}, MOVED])
def test_batches_are_those_of_the_tiles(tmp_path, case, moved):
  write, other = CASES[case]
  options = DataConfig(**write(tmp_path), **other, **moved)
  check(build(options, "train", 16), options)


@pytest.mark.parametrize("moved", [{}, MOVED])
def test_batches_of_rocks_are_those_of_the_tiles(moved):
  options = DataConfig(source="rocks", num_tiles=30, seed=3, **moved)
  check(build(options, "train", 32), options)


@pytest.mark.parametrize("case", CASES)
def test_without_a_stream_crops_are_fixed(tmp_path, case):
  write, other = CASES[case]
  options = DataConfig(**write(tmp_path), **other)
  source = build(options, "train", 16)
  assert isinstance(source, BatchSource)
  indices = np.arange(min(len(source), 20))
  tiles = [source.read(int(i)) for i in indices]
  same(source.read_batch(indices), pipeline.stack(tiles))


@pytest.mark.parametrize("index", [-1, 10**6])
def test_indices_beyond_the_tiles_are_refused(index):
  for name in ("textures", "rocks"):
    source = build(DataConfig(source=name), "train", 32)
    assert isinstance(source, BatchSource)
    with pytest.raises(IndexError):
      source.read_batch(np.array([0, index]))


def test_a_batch_is_the_same_in_another_process(tmp_path):
  """A source that was read is pickled with all that it needs."""
  options = DataConfig(**write_array(tmp_path, "uint8", 40, 20, 20, 3))
  source = build(options, "train", 16)
  whole = batches(source, options)
  again = batches(pickle.loads(pickle.dumps(source)), options)
  for one, other in zip(whole, again, strict=True):
    same(one, other)


def test_changing_a_batch_does_not_change_the_data():
  options = DataConfig()
  source = build(options, "train", 32)
  first = batches(source, options, num=1)[0]
  kept = first["image"].copy()
  first["image"][:] = 0
  np.testing.assert_array_equal(
    batches(source, options, num=1)[0]["image"], kept
  )

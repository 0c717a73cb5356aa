"""Reading of torch.save's files, without torch; see `support.torch_writing`."""

import collections
import os
import re
import zipfile
from typing import Any

import numpy as np
import pytest
from support.sources import skipped
from support.torch_writing import (
  STORAGES,
  Parameter,
  Runs,
  Storage,
  Tensor,
  dense,
  stand_in_torch,
  write,
  write_legacy,
)

from jaxgen.config.data import DataConfig
from jaxgen.data.files.arrays import arrays
from jaxgen.errors import UserError
from jaxgen.formats.torch_files import read_torch


@pytest.fixture(autouse=True)
def torch(monkeypatch):
  return stand_in_torch(monkeypatch)


def numbers(dtype, shape=(3, 4, 5)):
  return np.random.default_rng(0).normal(0, 50, shape).astype(dtype)


@pytest.mark.parametrize("order", ["little", "big"])
@pytest.mark.parametrize("protocol", [2, 4, 5])
@pytest.mark.parametrize("dtype", [x for x in STORAGES if x != "bfloat16"])
def test_tensors_are_read_equal(tmp_path, dtype, protocol, order):
  values = numbers(dtype)
  write(tmp_path / "a.pt", {"x": dense(values)}, protocol, order)
  found = read_torch(tmp_path / "a.pt")["x"]
  assert found.dtype == values.dtype and found.dtype.isnative
  np.testing.assert_array_equal(found, values)


@pytest.mark.parametrize("order", ["little", "big"])
@pytest.mark.parametrize("dtype", ["float32", "uint8", "int64", "bool"])
def test_legacy_files_are_read_equal(tmp_path, dtype, order):
  values = numbers(dtype)
  content = {"x": dense(values), "y": Tensor(Storage(values[0]), (3,), (2,))}
  write_legacy(tmp_path / "a.pt", content, order)
  found = read_torch(tmp_path / "a.pt")
  assert found["x"].dtype == values.dtype and found["x"].dtype.isnative
  np.testing.assert_array_equal(found["x"], values)
  np.testing.assert_array_equal(found["y"], values[0].reshape(-1)[:5:2])


def test_legacy_files_are_not_trusted(tmp_path):
  path, trace = tmp_path / "a.pt", tmp_path / "trace"
  write_legacy(path, {"x": Runs(os.system, f"touch {trace}")})
  with pytest.raises(UserError, match="system"):
    read_torch(path)
  assert not trace.exists()
  write_legacy(path, dense(numbers("float32")), count=10**9)
  with pytest.raises(UserError, match="damaged"):
    read_torch(path)
  write_legacy(path, dense(numbers("float32")))
  whole = path.read_bytes()
  for size in (20, len(whole) // 2, len(whole) - 1):
    path.write_bytes(whole[:size])
    with pytest.raises(UserError, match="damaged"):
      read_torch(path)


def test_the_bits_neg_and_conj_are_applied(tmp_path):
  values = numbers("float32", (6,))
  pairs = Storage(values.view(np.complex64))
  content = {
    "neg": Tensor(Storage(values), (6,), (1,), bits={"neg": True}),
    "conj": Tensor(pairs, (3,), (1,), bits={"conj": True, "neg": False}),
    "none": Tensor(Storage(values), (6,), (1,), bits={}),
  }
  for writer in (write, write_legacy):
    writer(tmp_path / "a.pt", content)
    found = read_torch(tmp_path / "a.pt")
    np.testing.assert_array_equal(found["neg"], -values)
    np.testing.assert_array_equal(found["conj"], pairs.values.conj())
    np.testing.assert_array_equal(found["none"], values)


def test_an_archive_larger_than_memory_is_refused(tmp_path, monkeypatch):
  write(tmp_path / "a.pt", dense(numbers("float32")))
  monkeypatch.setattr(
    "jaxgen.formats.memory_limit.available_memory", lambda: 200
  )
  with pytest.raises(UserError, match="memory"):
    read_torch(tmp_path / "a.pt")


def test_bfloat16_is_the_upper_half_of_float32(tmp_path):
  exact = np.array([1, -2.5, 0, 3.0e38, np.inf, 2**-130], np.float32)
  halves = (exact.view(np.uint32) >> 16).astype(np.uint16)
  storage = Storage(halves, "BFloat16Storage")
  write(tmp_path / "a.pt", Tensor(storage, (6,), (1,)))
  expected = (halves.astype(np.uint32) << 16).view(np.float32)
  np.testing.assert_array_equal(read_torch(tmp_path / "a.pt"), expected)
  assert expected[1] == -2.5


def test_views_share_a_storage(tmp_path):
  values = numbers("float32", (60,))
  storage = Storage(values)
  write(
    tmp_path / "a.pt",
    {
      "turned": Tensor(storage, (5, 3), (1, 20), 2),
      "repeated": Tensor(storage, (4, 3), (0, 2), 1),
      "empty": Tensor(storage, (0, 3), (3, 1)),
      "scalar": Tensor(storage, (), (), 59),
    },
  )
  found = read_torch(tmp_path / "a.pt")
  grid = values.reshape(3, 20)
  np.testing.assert_array_equal(found["turned"], grid[:, 2:7].T)
  np.testing.assert_array_equal(found["repeated"], [values[1:6:2]] * 4)
  assert found["empty"].shape == (0, 3) and found["scalar"] == values[59]


def test_plain_containers_come_back(tmp_path):
  content = collections.OrderedDict(
    a=[1, 2.5, True, None, "x", 2**70], b=(1, (2,)), c={"d": {}}
  )
  write(tmp_path / "a.pt", content)
  assert read_torch(tmp_path / "a.pt") == content
  write(tmp_path / "a.pt", Parameter(dense(numbers("float32"))))
  np.testing.assert_array_equal(
    read_torch(tmp_path / "a.pt"), numbers("float32")
  )


@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_code_is_refused_by_name_and_does_not_run(tmp_path, protocol):
  path, trace = tmp_path / "a.pt", tmp_path / "trace"
  for call, argument, name in (
    (os.system, f"touch {trace}", "system"),
    (eval, f"open({str(trace)!r}, 'w')", "eval"),
    (open, str(trace), "open"),
    (getattr, "x", "getattr"),
    (np.load, "x", "load"),
  ):
    write(path, {"clean_norm": Runs(call, argument)}, protocol)
    with pytest.raises(UserError, match=rf"a\.pt: .*\.{name};"):
      read_torch(path)
  assert not trace.exists()


def test_modules_are_not_even_imported(tmp_path, monkeypatch):
  monkeypatch.syspath_prepend(tmp_path)
  (tmp_path / "boobytrap.py").write_text("raise SystemExit('imported')")
  with zipfile.ZipFile(tmp_path / "a.pt", "w") as archive:
    archive.writestr("a/data.pkl", b"cboobytrap\nx\n.")
  with pytest.raises(UserError, match="boobytrap.x"):
    read_torch(tmp_path / "a.pt")


def test_what_is_handed_to_a_pickle_cannot_be_bent(tmp_path):
  """BUILD on the callables and on the storages' types changes nothing."""
  for name in ("torch._utils\n_rebuild_tensor_v2", "torch\nFloatStorage"):
    with zipfile.ZipFile(tmp_path / "a.pt", "w") as archive:
      pickled = f"c{name}\n(N}}S'__defaults__'\nNstb.".encode()
      archive.writestr("a/data.pkl", pickled)
    with pytest.raises(UserError, match=r"\.pt is damaged"):
      read_torch(tmp_path / "a.pt")


@pytest.mark.parametrize(
  ("size", "stride", "offset"),
  [
    ((3, 3), (3, 1), 1),
    ((9,), (1,), -1),
    ((3,), (-1,), 8),
    ((-3,), (1,), 0),
    ((2,), (2**62,), 0),
    ((2**40,), (0,), 0),
    ((3, 3), (3,), 0),
    ((2.0,), (1,), 0),
  ],
)
def test_no_view_leaves_its_storage(tmp_path, size, stride, offset):
  storage = Storage(numbers("float32", (9,)))
  write(tmp_path / "a.pt", Tensor(storage, size, stride, offset))
  with pytest.raises(UserError, match=r"\.pt is damaged"):
    read_torch(tmp_path / "a.pt")


def test_damage_is_reported(tmp_path):
  path = tmp_path / "a.pt"
  write(path, {"x": dense(numbers("float32", (3, 40, 50)))})
  whole = path.read_bytes()
  flipped = bytearray(whole)
  flipped[len(whole) // 2] ^= 1  # in the middle of the numbers
  for data in (b"", b"hello", whole[: len(whole) // 2], bytes(flipped)):
    path.write_bytes(data)
    with pytest.raises(UserError, match=r"a\.pt"):
      read_torch(path)
  with pytest.raises(UserError, match="no file"):
    read_torch(tmp_path / "b.pt")


def test_a_few_bytes_do_not_take_all_memory(tmp_path):
  """PUT at index 2^31 would make CPython allocate that many pointers."""
  with zipfile.ZipFile(tmp_path / "a.pt", "w") as archive:
    archive.writestr("a/data.pkl", b"Nr\xff\xff\xff\x7f.")
  with pytest.raises(UserError, match="memo"):
    read_torch(tmp_path / "a.pt")


def test_compressed_archives_are_refused(tmp_path):
  with zipfile.ZipFile(tmp_path / "a.pt", "w", zipfile.ZIP_DEFLATED) as archive:
    archive.writestr("a/data.pkl", b"N." + bytes(1000))
  with pytest.raises(UserError, match="compressed"):
    read_torch(tmp_path / "a.pt")


# Tiles: `clean_norm` of files and folders as a source.


def save_tiles(root, names, dtype="float32", channels=3):
  tiles = {}
  for i, name in enumerate(names):
    values = np.random.default_rng(i).random((channels, 12, 12)).astype(dtype)
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    content = {"clean_norm": dense(values), "metadata": {"gain": 2.0}}
    write(path, content, name=path.stem)
    tiles[name] = np.moveaxis(values, 0, 2).astype(np.float32)
  return tiles


def options(root, **other):
  return DataConfig(source="arrays", path=str(root), **other)


def test_a_folder_of_tiles_with_domains_and_splits(tmp_path):
  root = tmp_path / "prior_clean"
  names = [
    f"{domain}/{split}/{i}.pt"
    for domain in ("astro", "cells")
    for split in ("train", "val")
    for i in range(2)
  ]
  tiles = save_tiles(root, names)
  for path in (tmp_path, root):
    for split in ("train", "validation"):
      source = arrays(options(path), split, 12)
      assert source.label_names == ("astro", "cells")
      found = [source.read(i) for i in range(len(source))]
      part = [x for x in tiles if f"/{split[:3]}" in x]
      assert len(found) == len(part) == 4
      for element in found:
        (name,) = (
          x for x in part if np.allclose(2 * tiles[x] - 1, element["image"])
        )
        assert source.label_names[element["label"]] in name
        assert element["image"].dtype == np.float32


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_tiles_without_splits_are_split_by_content(tmp_path, dtype):
  save_tiles(tmp_path, [f"{i}.pt" for i in range(5)], dtype)
  train, held = (
    arrays(options(tmp_path), split, 12) for split in ("train", "validation")
  )
  assert (len(train), len(held)) == (4, 1)
  assert train.fingerprint == held.fingerprint
  image = held.read(0)["image"]
  assert image.dtype == np.float32
  assert not any(
    np.array_equal(train.read(i)["image"], image) for i in range(4)
  )


def test_gray_and_color_tiles(tmp_path):
  save_tiles(tmp_path, ["1.pt", "2.pt"], channels=1)
  assert arrays(options(tmp_path), "train", 12).read(0)["image"].shape[2] == 3
  save_tiles(tmp_path, ["1.pt", "2.pt"], channels=2)
  with pytest.raises(UserError, match="data.channels="):
    arrays(options(tmp_path), "train", 12)


def test_bad_tiles_are_all_named(tmp_path):
  save_tiles(tmp_path, ["1.pt", "2.pt", "3.pt"])
  write(tmp_path / "evil.pt", {"clean_norm": Runs(os.system, "true")})
  write(tmp_path / "other.pt", {"noisy": 1})
  (tmp_path / "torn.pt").write_bytes(b"PK")
  write(
    tmp_path / "nan.pt", {"clean_norm": dense(np.full((3, 12, 12), np.nan))}
  )
  with pytest.raises(UserError, match="4 unusable") as caught:
    arrays(options(tmp_path), "train", 12)
  for says in ("evil.pt: .*system", "nan.pt: .*finite", "torn.pt"):
    assert re.search(says, str(caught.value))
  assert re.search("other.pt: .*clean_norm", str(caught.value))
  source = arrays(options(tmp_path, on_bad="skip"), "train", 12)
  assert len(source) == 2 and len(skipped(source)) == 4


def test_one_file_and_another_key(tmp_path):
  values = np.random.default_rng(0).random((3, 40, 40)).astype(np.float32)
  write(tmp_path / "a.pt", {"noisy": dense(values)})
  chosen = options(tmp_path / "a.pt", key="noisy", split_by="regions")
  assert len(arrays(chosen, "train", 12)) > 0
  with pytest.raises(UserError, match="data.path="):
    (tmp_path / "none").mkdir()
    arrays(options(tmp_path / "none"), "train", 12)


def test_tensors_alone_batches_and_planes(tmp_path):
  values = np.random.default_rng(0).random((4, 3, 12, 12)).astype(np.float32)
  write(tmp_path / "batch.pt", dense(values))
  write(tmp_path / "one.pt", dense(values[0] / 2))
  write_legacy(tmp_path / "plane.pt", {"image": dense(values[1, 0] / 3)})
  (tmp_path / "._one.pt").write_bytes(b"\0\5\26\7" + bytes(200))
  parts: list[Any] = [
    arrays(options(tmp_path), x, 12) for x in ("train", "validation")
  ]
  found = [x.read(i)["image"] for x in parts for i in range(len(x))]
  last = np.repeat(values[1, 0, ..., None] / 3, 3, axis=2)
  expected = [*np.moveaxis(values, 1, 3), np.moveaxis(values[0] / 2, 0, 2)]
  assert len(found) == 6
  for image in (*expected, last):
    assert sum(np.allclose(2 * image - 1, x, atol=1e-6) for x in found) == 1
  assert parts[0].findings.skipped["hidden"] == ["._one.pt"]


def test_a_dict_with_several_images_asks_which(tmp_path):
  values = dense(np.zeros((3, 12, 12), np.float32))
  write(tmp_path / "a.pt", {"noisy": values, "clean": values})
  with pytest.raises(UserError, match="data.key.*noisy|noisy.*data.key"):
    arrays(options(tmp_path / "a.pt"), "train", 12)
  write(tmp_path / "a.pt", (values, values))
  with pytest.raises(UserError, match="tuple"):
    arrays(options(tmp_path / "a.pt"), "train", 12)

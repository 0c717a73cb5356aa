"""Checks are cached between runs; whatever changed is checked again."""

import os
import pathlib

import numpy as np
import pytest
from PIL import Image

from jaxgen.config.data import DataConfig
from jaxgen.data.files import checks
from jaxgen.data.files.folder import folder
from jaxgen.formats import image_files
from jaxgen.formats.user_cache import cache_folder

SIDE = 20


def save(path, seed):
  pixels = np.random.default_rng(seed).integers(0, 256, (SIDE, SIDE, 3))
  Image.fromarray(pixels.astype(np.uint8)).save(path, compress_level=0)


@pytest.fixture
def root(tmp_path, monkeypatch):
  """A folder of three images, and an empty cache."""
  monkeypatch.setenv("JAXGEN_CACHE_DIR", str(tmp_path / "cache"))
  images = tmp_path / "images"
  images.mkdir()
  for i in range(3):
    save(images / f"{i}.png", i)
  return images


@pytest.fixture
def decoded(monkeypatch):
  """The names of the files that are decoded, in order."""
  names, check_files = [], image_files.check_files

  def record(paths, **options):
    names.extend(path.name for path in paths)
    return check_files(paths, **options)

  monkeypatch.setattr(image_files, "check_files", record)
  return names


def check(root, labels=False):
  paths = sorted(root.glob("*.png"))
  return checks.check_files(root, paths, threads=2, labels=labels)


def cache_file():
  cached = cache_folder("checks")
  assert cached is not None
  (path,) = cached.iterdir()
  return path


def test_unchanged_files_are_decoded_once(root, decoded):
  first = check(root)
  assert decoded == ["0.png", "1.png", "2.png"]
  assert check(root) == first
  assert len(decoded) == 3
  assert first == image_files.check_files(sorted(root.iterdir()), threads=0)


def replace_in_place(path):
  """The same size and modification time, but another content."""
  stat = path.stat()
  data = bytearray(path.read_bytes())
  data[len(data) // 2] ^= 1
  path.write_bytes(bytes(data))
  os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
  assert path.stat().st_size == stat.st_size


def replace_by_another(path):
  save(path.with_name("new.png"), 9)
  path.with_name("new.png").replace(path)


def cut_short(path):
  path.write_bytes(path.read_bytes()[:-100])


@pytest.mark.parametrize(
  "change", [replace_in_place, replace_by_another, cut_short]
)
def test_a_changed_file_is_decoded_again(root, decoded, change):
  before = check(root)
  change(root / "1.png")
  decoded.clear()
  image_files._check_once.cache_clear()
  after = check(root)
  assert decoded == ["1.png"]
  assert after[1] != before[1]
  assert [after[0], after[2]] == [before[0], before[2]]


def test_an_unusable_file_is_decoded_each_time(root, decoded):
  (root / "1.png").write_bytes(b"no image")
  assert isinstance(check(root)[1], str)
  decoded.clear()
  assert isinstance(check(root)[1], str)
  assert decoded == ["1.png"]
  save(root / "1.png", 1)
  assert not isinstance(check(root)[1], str)


def test_a_file_that_is_gone_is_not_taken_from_the_cache(root):
  paths = sorted(root.iterdir())
  checks.check_files(root, paths, threads=0)
  paths[0].unlink()
  found = checks.check_files(root, paths, threads=0)
  assert isinstance(found[0], str) and found[0].endswith("0.png")


def test_entries_of_deleted_files_are_dropped_from_the_cache(root):
  check(root)
  (root / "0.png").unlink()
  save(root / "3.png", 3)
  check(root)
  assert "0.png" not in cache_file().read_text()
  assert all(f"{i}.png" in cache_file().read_text() for i in (1, 2, 3))


def test_a_new_file_alone_is_decoded(root, decoded):
  check(root)
  save(root / "3.png", 3)
  decoded.clear()
  assert len(check(root)) == 4
  assert decoded == ["3.png"]
  decoded.clear()
  check(root)
  assert not decoded


def flip(data):
  return data[:-9] + bytes([data[-9] ^ 1]) + data[-8:]


@pytest.mark.parametrize(
  "damage",
  [
    lambda data: b"",
    lambda data: data[: len(data) // 2],
    flip,
    lambda data: b"0" + data,  # another version
    lambda data: data.partition(b"\n")[0] + b"\n[]",
    lambda data: bytes(256) * 4,
  ],
)
def test_a_damaged_cache_is_ignored_and_written_anew(root, decoded, damage):
  first = check(root)
  path = cache_file()
  path.write_bytes(damage(path.read_bytes()))
  decoded.clear()
  assert check(root) == first
  assert len(decoded) == 3
  assert check(root) == first
  assert len(decoded) == 3


@pytest.mark.parametrize("limit", ["MAX_IMAGE_PIXELS", "version"])
def test_checks_of_another_decoder_do_not_count(
  root, decoded, monkeypatch, limit
):
  check(root)
  if limit == "version":
    monkeypatch.setattr("PIL.__version__", "0")
  else:
    monkeypatch.setattr(Image, limit, 300)
  decoded.clear()
  check(root)
  assert len(decoded) == 3


def test_labels_and_images_are_checked_on_their_own(root, decoded):
  check(root)
  decoded.clear()
  assert all(isinstance(x, str) for x in check(root, labels=True))
  assert len(decoded) == 3
  check(root)
  assert len(decoded) == 3


def test_without_a_place_for_the_cache_files_are_checked(
  root, decoded, monkeypatch, tmp_path
):
  first = check(root)
  (tmp_path / "file").touch()
  monkeypatch.setenv("JAXGEN_CACHE_DIR", str(tmp_path / "file"))
  assert check(root) == first
  assert len(decoded) == 6

  def no_home():
    raise RuntimeError("Could not determine home directory.")

  monkeypatch.delenv("JAXGEN_CACHE_DIR")
  monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
  monkeypatch.setattr("pathlib.Path.home", no_home)
  assert cache_folder("checks") is None
  assert check(root) == first
  assert len(decoded) == 9


def test_the_cache_lies_in_the_users_folder(monkeypatch):
  monkeypatch.delenv("JAXGEN_CACHE_DIR")
  monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
  assert cache_folder("x") == pathlib.Path.home() / ".cache/jaxgen/x"
  monkeypatch.setenv("XDG_CACHE_HOME", "/caches")
  assert cache_folder("x") == pathlib.Path("/caches/jaxgen/x")


def test_a_source_is_the_same_from_the_cache(root, decoded):
  masks = root.parent / "masks"
  masks.mkdir()
  for i in range(3):
    labels = np.full((SIDE, SIDE), i, np.uint8)
    Image.fromarray(labels).save(masks / f"{i}.png")
  options = DataConfig(source="folder", path=str(root), masks=str(masks))
  first, again = (folder(options, "train", 16) for _ in range(2))
  assert len(decoded) == 6
  assert first.fingerprint == again.fingerprint
  np.testing.assert_array_equal(first.read(0)["mask"], again.read(0)["mask"])

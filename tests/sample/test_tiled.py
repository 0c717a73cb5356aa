"""Images of any size, window by window."""

import csv
import json

import numpy as np
import pytest
from PIL import Image
from support.pictures import read

import jaxgen
from jaxgen.cli.main import main
from jaxgen.images import normalize
from jaxgen.sample import codec, tiled
from jaxgen.windows import window_grid

RNG = np.random.default_rng(0)


@pytest.fixture(scope="module")
def run(trained):
  return jaxgen.load(trained)


@pytest.fixture(scope="module")
def photo(run):
  """Larger than a tile, as the run's data."""
  tiles = run.images("validation", 6)
  rows = [np.concatenate(tiles[i : i + 3], axis=1) for i in (0, 3)]
  return np.concatenate(rows)[:50, :90]


@pytest.fixture(scope="module")
def folder(tmp_path_factory, run, photo):
  folder = tmp_path_factory.mktemp("photos")
  for name, image in (("photo", photo), ("tile", run.images()[0])):
    (folder / name).mkdir()
    Image.fromarray(image.squeeze()).save(folder / name / "x.png")
  return folder


def test_an_exact_codec_gives_the_images_exactly(run, monkeypatch):
  monkeypatch.setattr(codec, "encode", lambda run, x, **_: x)
  exact = lambda run, x, **_: np.asarray(normalize(x))  # noqa: E731
  monkeypatch.setattr(codec, "decode_float", exact)
  side = run.resolution
  sizes = [(side, side), (side + 1, 3 * side), (50, 77)]
  images = [RNG.integers(0, 256, (*x, 3)).astype(np.uint8) for x in sizes]
  grids = [window_grid(*x, side=side, overlap=side // 4) for x in sizes]
  windows = (
    window
    for grid, image in zip(grids, images, strict=True)
    for window in grid.cut(image)
  )
  found = list(tiled.reconstruct_images(run, windows, grids, batch=8))
  for image, same in zip(images, found, strict=True):
    np.testing.assert_array_equal(image, same)


def test_images_of_one_tile_are_those_of_the_plain_call(run):
  images = run.images("validation", 5)
  grids = [window_grid(*x.shape[:2], side=run.resolution) for x in images]
  found = list(tiled.reconstruct_images(run, iter(images), grids))
  np.testing.assert_array_equal(found, run.reconstruct(images))
  latents = tiled.encode_windows(run, iter(images), len(images))
  np.testing.assert_array_equal(latents, run.encode(images))


@pytest.mark.user_path
def test_photographs_keep_their_size(trained, run, folder, photo, tmp_path):
  command = f"--workdir={trained}", f"--input={folder}"
  rebuilt = tmp_path / "rebuilt"
  assert main(["reconstruct", *command, f"--out={rebuilt}"]) == 0
  one = read(rebuilt / "photo/x.png")
  assert one.shape[:2] == (50, 90)
  plain = run.reconstruct(run.images()[:1])[0]
  tile = read(rebuilt / "tile/x.png").reshape(plain.shape)
  assert np.abs(tile.astype(int) - plain).max() <= 1
  npz, decoded = tmp_path / "z.npz", tmp_path / "decoded"
  assert main(["encode", *command, f"--out={npz}"]) == 0
  with np.load(npz) as file:
    names, labels = file["names"].tolist(), file["labels"].tolist()
    assert len(file["latents"]) == len(names) == len(file["windows"])
    assert labels == [int(x.startswith("tile")) for x in names]
  command = [command[0], f"--latents={npz}", f"--out={decoded}"]
  assert main(["decode", *command]) == 0
  np.testing.assert_array_equal(read(decoded / "photo/x.png"), one)


def test_a_photograph_can_be_fitted(trained, run, folder, tmp_path):
  command = f"--workdir={trained}", f"--input={folder}", "--fit"
  assert main(["reconstruct", *command, f"--out={tmp_path / 'out'}"]) == 0
  side = run.resolution
  assert read(tmp_path / "out/photo/x.png").shape[:2] == (side, side)
  npz = tmp_path / "z.npz"
  assert main(["encode", *command, f"--out={npz}"]) == 0
  with np.load(npz) as file:
    assert len(file["latents"]) == 2 and "windows" not in file


def test_windows_are_measured(trained, run, folder, tmp_path, capsys):
  command = ["evaluate", f"--workdir={trained}", f"--input={folder}"]
  assert main([*command, f"--out={tmp_path / 'a'}"]) == 0
  rows = list(csv.DictReader((tmp_path / "a/per_image.csv").open()))
  assert {x["image"] for x in rows} == {"photo/x.png", "tile/x.png"}
  grid = window_grid(50, 90, side=run.resolution)
  places = [(int(x["top"]), int(x["left"])) for x in rows[:-1]]
  assert places == grid.places
  facts = json.loads((tmp_path / "a/metrics.json").read_text())
  assert facts["images"] == len(grid) + 1
  assert "PCA" in facts["advice"][0]  # after a few steps
  assert facts["advice"][0] in capsys.readouterr().out
  assert main([*command, "--num=2", f"--out={tmp_path / 'b'}"]) == 0
  facts = json.loads((tmp_path / "b/metrics.json").read_text())
  assert facts["images"] == 2
  assert "2 of them" in capsys.readouterr().out


@pytest.mark.parametrize("verb", ["reconstruct", "encode", "evaluate", "edit"])
def test_both_ways_at_once_are_refused(trained, folder, verb, capsys):
  command = [verb, f"--workdir={trained}", f"--input={folder}", "--out=out"]
  assert main([*command, "--tiled", "--fit"]) == 2
  assert "--fit" in capsys.readouterr().err


def test_windows_of_a_damaged_file_are_refused(
  trained, folder, tmp_path, capsys
):
  npz = tmp_path / "z.npz"
  command = ["encode", f"--workdir={trained}", f"--input={folder}"]
  assert main([*command, f"--out={npz}"]) == 0
  with np.load(npz) as file:
    arrays = {k: v[1:] for k, v in file.items()}
  np.savez(npz, **arrays)
  command = ["decode", f"--workdir={trained}", f"--latents={npz}"]
  capsys.readouterr()
  assert main([*command, f"--out={tmp_path / 'out'}"]) == 2
  error = capsys.readouterr().err
  assert "--latents=" in error and error.count("\n") == 1

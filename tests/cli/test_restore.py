"""The verb `restore`, with a denoiser of a closed form."""

import json

import numpy as np
import pytest
import tifffile
from PIL import Image
from support.analytic_run import analytic_run
from support.cameras import BLACK, GAIN, READ_NOISE, expose, scene, write_dng

from jaxgen.cli import restored_files
from jaxgen.cli.main import main
from jaxgen.data.frames import Frames
from jaxgen.diffusion import analytic
from jaxgen.sample import load

CAMERA = f"--gain={GAIN} --read_noise={READ_NOISE} --black={BLACK}"


@pytest.fixture
def files(tmp_path, monkeypatch):
  """Exposures of one camera, in the current folder, and a run of gray tiles."""
  monkeypatch.chdir(tmp_path)
  run = analytic_run()
  monkeypatch.setattr(load, "load", lambda *_: run)
  pair = expose(50 * scene(16)[:, :13], 0)
  (tmp_path / "many").mkdir()
  for name, x in zip(("a", "b"), pair, strict=True):
    tifffile.imwrite(tmp_path / f"many/{name}.tif", x.astype(np.uint16))
  tifffile.imwrite(tmp_path / "gray.tif", pair[0].astype(np.uint16))
  Image.fromarray(np.clip(pair[0], 0, 255).astype(np.uint8)).save("eight.png")
  np.save("floats.npy", pair.astype(np.float64) - 0.25)
  np.save("nan.npy", np.full((9, 9), np.nan))
  np.save("color.npy", np.ones((9, 9, 3)))
  np.save("text.npy", np.array([["a", "b"]]))
  (tmp_path / "empty").mkdir()
  return tmp_path


def restore(line, *more):
  argv = ["restore", "--workdir=run", "--out=out", *line.split(), *more]
  return main(argv)


def test_a_file_is_restored(files, capsys):
  line = f"--input=gray.tif --samples=2 --steps=4 --white=400 {CAMERA}"
  assert restore(line) == 0
  said = capsys.readouterr().out
  assert "electrons (the " in said and "chi-squared" in said
  mean, pages = np.load("out/mean.npy"), tifffile.imread("out/samples.tif")
  assert mean.shape == np.load("out/std.npy").shape == (16, 13)
  assert np.load("out/samples.npy").shape == pages.shape == (2, 16, 13)
  stored = tifffile.imread("out/mean.tif")
  assert stored.dtype == np.uint16 and np.abs(stored - mean).max() <= 0.51
  assert tifffile.imread("out/std.tif").dtype == np.float32
  report = json.loads((files / "out/report.json").read_text())
  (image,) = report["files"][0]["images"]
  assert report["samples"] == 2 and image["chi_squared_samples"] > 0
  assert report["unit"].startswith("DN")
  assert "chi-squared" in (files / "out/report.html").read_text()
  assert (files / "out/restored.png").is_file()


def test_results_of_a_folder_replace_those_before(files):
  assert restore(f"--input=many --samples=2 --steps=3 {CAMERA}") == 0
  assert (files / "out/a/samples.tif").is_file()
  assert restore(f"--input=many {CAMERA}") == 0
  paths = files.glob("out/*/*")
  found = {x.relative_to(files / "out").as_posix() for x in paths}
  names = ("mean.npy", "mean.tif", "restored.png", "std.npy", "std.tif")
  assert found == {f"{x}/{name}" for x in "ab" for name in names}
  assert restore(f"--input=many --no_std {CAMERA}") == 0
  assert {x.name for x in files.glob("out/*/*")} == {*names[:3]}


def test_one_bad_file_does_not_cost_the_others(files, capsys):
  (files / "many/aa.tif").write_bytes(b"II*\0 damaged")
  assert restore(f"--input=many {CAMERA}") == 2
  error = capsys.readouterr().err
  assert "1 of 3 files" in error and "aa.tif" in error
  assert error.count("\n") == 1
  assert (files / "out/a/mean.npy").exists()
  assert len(json.loads((files / "out/report.json").read_text())["files"]) == 2


def test_a_black_level_of_each_channel_is_used(files, monkeypatch):
  """As raw files have it; an even image stays even."""
  run = analytic_run(analytic.gaussian(0.0, 0.5), channels=4)
  monkeypatch.setattr(load, "load", lambda *_: run)
  black = np.array([400.0, 500, 600, 700])[None, None]
  values = np.float32(200 * GAIN) + np.tile(black, (1, 8, 8, 1))
  raw = Frames(values, black)
  monkeypatch.setattr(restored_files, "read_frames", lambda _: raw)
  line = f"--scale=400 --gain={GAIN} --read_noise={READ_NOISE} --input=gray.tif"
  assert restore(line) == 0
  found = (np.load("out/mean.npy") - black) / GAIN
  assert np.ptp(found) < 0.01 * found.mean()


def test_files_of_any_kind(files):
  for name in ("eight.png", "floats.npy"):
    assert restore(f"--input={name} {CAMERA}") == 0
  assert np.load("out/mean.npy").shape == (2, 16, 13)
  assert tifffile.imread("out/mean.tif").dtype == np.float32


def test_the_camera_of_a_calibration(files, capsys):
  np.savez("frames.npz", frames=expose(50 * scene(), 0).astype(np.uint16))
  line = [
    "calibrate",
    "--frames=frames.npz",
    f"--black={BLACK}",
    "--out=camera",
  ]
  assert main(line) == 0
  assert restore("--input=gray.tif --noise=camera/noise.json") == 0
  report = json.loads((files / "out/report.json").read_text())
  assert report["files"][0]["camera"]["gain"] == pytest.approx(GAIN, rel=0.2)


@pytest.fixture
def maps(files):
  """A camera whose sensor has a pattern of columns, and two bad pixels."""
  rng = np.random.default_rng(0)
  pattern = 20.0 * (np.arange(13) % 2) * np.ones((16, 1))
  (files / "darks").mkdir()
  for i in range(4):
    dark = expose(np.zeros((16, 13)), 10 + i, frames=1)[0] + pattern
    dark[2, 3], dark[5, 6] = 4000 + 5 * i, rng.integers(100, 4000)
    tifffile.imwrite(f"darks/{i}.tif", dark.astype(np.uint16))
  line = ["calibrate", "--darks=darks", f"--gain={GAIN}", "--out=camera"]
  assert main(line) == 0
  counts = tifffile.imread("gray.tif") + pattern
  counts[2, 3] = counts[5, 6] = 4000
  tifffile.imwrite("pattern.tif", counts.astype(np.uint16))
  return files


def test_maps_of_single_pixels_are_used(maps, capsys):
  line = "--scale=50 --noise=camera"
  assert restore(f"--input=pattern.tif {line}") == 0
  assert "2 pixels (0.96%) are dead or hot" in capsys.readouterr().out
  mean = np.load("out/mean.npy")
  report = json.loads((maps / "out/report.json").read_text())
  camera = report["files"][0]["camera"]
  assert camera["maps"] == ["read_noise", "black"]
  assert camera["dead_pixels"] == 2
  columns = f"--scale=50 --gain={GAIN} --read_noise={READ_NOISE} --black=100"
  assert restore(f"--input=gray.tif {columns}") == 0
  clean = np.load("out/mean.npy")
  level = camera["black"]  # the mean: results have no pattern
  assert np.abs(mean - level - (clean - BLACK)).mean() < 3
  assert mean.max() < 400


def test_maps_of_another_size_are_one_line(maps, capsys):
  np.save("camera/gain.npy", np.ones((16, 12)))
  assert restore("--input=pattern.tif --noise=camera") == 2
  assert "gain.npy" in capsys.readouterr().err
  np.save("camera/gain.npy", np.ones((16, 13)))
  np.save("small.npy", np.ones((9, 9), np.uint16))
  assert restore("--input=small.npy --noise=camera") == 2
  said = capsys.readouterr().err
  assert said.startswith("error: --noise: ") and said.count("\n") == 1


def test_maps_of_a_mosaic(files, monkeypatch):
  run = analytic_run(channels=3)
  monkeypatch.setattr(load, "load", lambda *_: run)
  np.save("mosaic.npy", 120 * np.ones((8, 8, 4), np.uint16))
  (files / "camera").mkdir()
  known = {"gain": GAIN, "read_noise": READ_NOISE, "black": BLACK}
  content = json.dumps({"gain_unit": "DN per electron", **known})
  (files / "camera/noise.json").write_text(content)
  np.save("camera/black.npy", np.full((8, 8, 4), BLACK))
  line = "--input=mosaic.npy --noise=camera --operator=bayer:RGGB"
  assert restore(line) == 0
  assert np.load("out/mean.npy").shape == (16, 16, 3)


def test_the_colors_of_a_raw_file_are_in_their_places(
  files, monkeypatch, capsys
):
  """Of a sensor that does not begin with red."""
  pytest.importorskip("rawpy")
  run = analytic_run(analytic.gaussian(0.0, 0.5), channels=3)
  monkeypatch.setattr(load, "load", lambda *_: run)
  rate = np.full((32, 32), 100.0)
  rate[1::2, 1::2], rate[::2, ::2] = 400.0, 20.0  # red, blue
  counts = expose(rate, 0, frames=1)[0] - BLACK + 512
  write_dng(files / "a.dng", counts.astype(np.uint16), "BGGR")
  line = f"--input=a.dng --scale=400 --gain={GAIN} --read_noise={READ_NOISE}"
  assert restore(f"{line} --operator=bayer:RGGB") == 2
  assert "bayer:BGGR" in capsys.readouterr().err
  assert restore(f"{line} --operator=bayer:BGGR") == 0
  found = (np.load("out/mean.npy") - 512) / GAIN
  means = found[1::2, 1::2, 0], found[::2, 1::2, 1], found[::2, ::2, 2]
  for mean, want in zip(means, (400, 100, 20), strict=True):
    assert mean.mean() == pytest.approx(want, rel=0.15, abs=3)


def test_metadata_of_a_tiff_are_kept(files):
  values = np.stack([tifffile.imread("gray.tif")] * 2)
  tifffile.imwrite(
    "stack.tif",
    values,
    imagej=True,
    resolution=(7, 7),
    metadata={"unit": "um", "axes": "TYX"},
  )
  assert restore(f"--input=stack.tif --samples=2 --steps=3 {CAMERA}") == 0
  for name in ("mean", "std"):
    with tifffile.TiffFile(f"out/{name}.tif") as file:
      assert file.is_imagej and file.series[0].shape == values.shape
      assert file.pages.first.resolution == (7, 7)
  with tifffile.TiffFile("out/samples.tif") as file:
    assert not file.is_imagej and len(file.pages) == 4


def test_results_of_fits_have_its_header(files):
  fits = pytest.importorskip("astropy.io.fits")
  unit = fits.PrimaryHDU(tifffile.imread("gray.tif"))
  unit.header["OBJECT"], unit.header["CRVAL1"] = "M13", 250.4
  unit.writeto("a.fits", checksum=True)
  assert restore(f"--input=a.fits {CAMERA}") == 0
  with fits.open("out/mean.fits", checksum=True) as found:
    header, values = found[0].header, found[0].data
  assert header["OBJECT"] == "M13" and header["CRVAL1"] == 250.4
  assert "BZERO" not in header and "jaxgen" in str(header["HISTORY"])
  assert np.allclose(values, np.load("out/mean.npy"))


@pytest.mark.parametrize(
  ("line", "named"),
  [
    ("--input=gray.tif", "--noise"),
    ("--input=gray.tif --gain=1", "--read_noise"),
    ("--input=gray.tif --gain=0 --read_noise=1", "--gain"),
    ("--input=gray.tif --gain=1 --read_noise=-1", "--read_noise"),
    (f"--input=gray.tif --background=-1 {CAMERA}", "--background"),
    (f"--input=gray.tif --noise=x.json {CAMERA}", "--noise"),
    ("--input=gray.tif --noise=x.json", "x.json"),
    (f"--input=gray.tif --white=50 {CAMERA}", "--white"),
    (f"--input=gray.tif --scale=x {CAMERA}", "--scale"),
    (f"--input=gray.tif --operator=x {CAMERA}", "--operator"),
    (f"--input=gray.tif --operator=blur:2 {CAMERA}", "--operator"),
    (f"--input=gray.tif --sampler=x {CAMERA}", "--sampler"),
    (f"--input=gray.tif --class=x {CAMERA}", "--class"),
    (f"--input=none.tif {CAMERA}", "none.tif"),
    (f"--input=nan.npy {CAMERA}", "nan.npy"),
    (f"--input=color.npy {CAMERA}", "color.npy"),
    (f"--input=text.npy {CAMERA}", "text.npy"),
    (f"--input=empty {CAMERA}", "--input=empty"),
  ],
)
def test_wrong_input_is_one_line(line, named, files, capsys):
  assert restore(line) == 2
  said = capsys.readouterr().err
  assert said.startswith("error: ") and said.count("\n") == 1
  assert named in said

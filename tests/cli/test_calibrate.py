"""The verb `calibrate`."""

import json

import numpy as np
import pytest
import tifffile
from support.cameras import BLACK, GAIN, READ_NOISE, expose, scene

from jaxgen.cli.main import main
from jaxgen.workdir.noise_file import read_noise_json


def write(path, frames):
  path.parent.mkdir(exist_ok=True)
  tifffile.imwrite(path, frames.astype(np.uint16), photometric="minisblack")


@pytest.fixture
def files(tmp_path, monkeypatch):
  """Exposures of one camera, in the current folder."""
  monkeypatch.chdir(tmp_path)
  pair = expose(50 * scene(), 0)
  for name, values in zip("ab", pair, strict=True):
    write(tmp_path / f"{name}.tif", values)
  write(tmp_path / "few.tif", expose(15 * scene(256), 1, frames=1)[0])
  write(tmp_path / "many.tif", expose(3000 * scene(256), 1, frames=1)[0])
  np.savez(tmp_path / "frames.npz", frames=pair.astype(np.uint16))
  for i, electrons in enumerate((100, 100.3, 400, 401, 900)):
    flat = expose(np.full((80, 80), float(electrons)), i, frames=1)[0]
    write(tmp_path / f"flats/{i}.tif", flat)
  for i in range(4):
    dark = expose(np.zeros((80, 80)), 10 + i, frames=1)[0]
    write(tmp_path / f"darks/{i}.tif", dark)
  np.save(tmp_path / "one.npy", pair[0])
  np.save(tmp_path / "flat.npy", np.full((2, 40, 40), 7.0))
  np.save(tmp_path / "nan.npy", np.full((2, 40, 40), np.nan))
  np.save(tmp_path / "white.npy", np.clip(pair * 9, 0, 700).astype(np.uint16))
  return tmp_path


@pytest.mark.parametrize(
  "line",
  [
    "--pairs=a.tif,b.tif --black=100",
    "--frames=frames.npz --black=100",
    "--pairs=a.tif,b.tif --darks=darks",
    "--flats=flats --darks=darks",
    "--flats=flats --black=100",
    "--image=few.tif --black=100",
    "--darks=darks --gain=2",
  ],
)
def test_the_camera_is_found(line, files, capsys):
  assert main(["calibrate", *line.split(), "--out=out", "--json"]) == 0
  content = json.loads(capsys.readouterr().out)
  assert content["gain_unit"] == "DN per electron"
  camera = read_noise_json(files / "out/noise.json")
  error = content["gain_error"] or 1e-9
  assert abs(camera.gain - GAIN) < 3 * error
  error = content["read_noise_error"]
  assert abs(camera.read_noise - READ_NOISE) < 3 * error
  assert camera.black == pytest.approx(BLACK, abs=0.3)
  plotted = "--gain" not in line
  assert (files / "out/photon_transfer.png").is_file() == plotted
  guessed = any("guess" in x for x in content["warnings"])
  assert guessed == ("--image" in line)


def test_maps_of_darks_are_written(files, capsys):
  line = ["calibrate", "--flats=flats", "--darks=darks", "--out=out"]
  assert main(line) == 0
  noise, black = (np.load(f"out/{x}.npy") for x in ("read_noise", "black"))
  assert noise.shape == black.shape == (80, 80)
  assert np.sqrt((noise**2).mean()) == pytest.approx(READ_NOISE, rel=0.05)
  assert "1 exposures have no second" in capsys.readouterr().out


def test_what_is_printed_has_units_and_warnings(files, capsys):
  assert main(["calibrate", "--frames=frames.npz", "--out=out"]) == 0
  printed = capsys.readouterr().out
  assert "DN per electron" in printed
  assert "warning: the black level is unknown" in printed


@pytest.mark.parametrize(
  ("line", "names"),
  [
    ("", "--pairs"),
    ("--pairs=a.tif", "--pairs"),
    ("--pairs=a.tif,a.tif", "twice"),
    ("--pairs=a.tif,few.tif", "one size"),
    ("--pairs=a.tif,gone.tif", "gone.tif"),
    ("--frames=one.npy", "--image"),
    ("--frames=flat.npy", "one value"),
    ("--frames=nan.npy", "NaN"),
    ("--frames=white.npy --white=500", "white"),
    ("--flats=gone", "--flats=gone"),
    ("--darks=gone", "--darks=gone"),
    ("--image=many.tif --black=100", "100 electrons"),
    ("--image=frames.npz", "--frames"),
    ("--pairs=a.tif,b.tif --gain=2", "--gain"),
    ("--pairs=a.tif,b.tif --darks=darks --black=1", "--black"),
    ("--pairs=a.tif,b.tif --black=100 --white=50", "--white"),
    ("--pairs=a.tif,b.tif --flats=flats", "--flats"),
    ("--pairs=a.tif,b.tif --black=70000", "white"),
    ("--darks=darks --gain=2 --white=50", "white"),
    ("--darks=darks --gain=0", "--gain"),
    ("--header=gone.fits", "--header"),
  ],
)
def test_bad_input_is_one_line_and_status_2(line, names, files, capsys):
  assert main(["calibrate", *line.split(), "--out=out"]) == 2
  error = capsys.readouterr().err
  assert error.startswith("error: ") and names in error
  assert error.count("\n") == 1
  assert not (files / "out").exists()


def test_a_header_is_read(files, capsys):
  fits = pytest.importorskip("astropy.io.fits")
  unit = fits.PrimaryHDU(np.ones((8, 8)))
  unit.header["GAIN"], unit.header["RDNOISE"] = 0.5, 1.5
  unit.writeto(files / "a.fits")
  assert main(["calibrate", "--header=a.fits", "--out=out"]) == 0
  assert "0.5 electrons per DN is 2 DN per electron" in capsys.readouterr().out
  assert read_noise_json(files / "out/noise.json").gain == GAIN

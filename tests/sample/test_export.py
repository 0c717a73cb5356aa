"""Exported runs are the runs that they were exported from, or are refused."""

import json
import shutil
import struct

import jax
import numpy as np
import pytest

import jaxgen
from jaxgen.api import initial_weights
from jaxgen.cli.main import main
from jaxgen.config.parse import parse
from jaxgen.errors import UserError
from jaxgen.formats import safetensors_file
from jaxgen.runs.exported import WEIGHTS
from jaxgen.sample.export import export


@pytest.fixture(scope="module")
def run(trained):
  return jaxgen.load(trained)


@pytest.fixture(scope="module")
def folder(run, tmp_path_factory):
  """An exported autoencoder, only to be read."""
  out = tmp_path_factory.mktemp("export") / "tiles"
  out.mkdir()
  export(run, out)
  return out


@pytest.fixture
def copy(folder, tmp_path):
  return shutil.copytree(folder, tmp_path / "copy")


def test_an_exported_autoencoder_is_the_same_without_its_data(run, folder):
  other = jaxgen.load(folder)
  x = np.random.default_rng(0).integers(0, 256, (4, 32, 32, 1), np.uint8)
  np.testing.assert_array_equal(other.encode(x), run.encode(x))
  draw = {"seed": 3, "method": "gmm"}
  np.testing.assert_array_equal(other.sample(8, **draw), run.sample(8, **draw))
  assert (other.step, other.stage) == (run.step, run.stage)
  assert not (folder / "checkpoints").exists()


def test_the_verb_writes_a_denoiser_with_its_conditions_and_card(
  denoiser, tmp_path, capsys
):
  out = tmp_path / "out"
  argv = ["export", f"--workdir={denoiser}", f"--out={out}", "--num=2"]
  assert main(argv) == 0
  assert "MiB" in capsys.readouterr().out
  before, after = jaxgen.load(denoiser), jaxgen.load(out)
  assert before.conditions == after.conditions and before.conditions
  options = {"seed": 1, "sampler": "euler", "steps": 2}
  np.testing.assert_array_equal(
    after.sample(4, **options), before.sample(4, **options)
  )
  card = (out / "README.md").read_text()
  assert f"{before.num_parameters:,} parameters" in card
  assert "| loss | " in card and "samples.png" in card
  assert main(argv) == 2
  assert "expected a new or an empty folder" in capsys.readouterr().err


@pytest.mark.parametrize("step", ["its", "another"])
def test_what_evaluate_has_measured_of_the_weights_is_exported(
  run, tmp_path, step
):
  workdir = shutil.copytree(run.workdir, tmp_path / "run")
  found = {
    "step": run.step + (step == "another"),
    "images": 1234,
    "metrics": {"pca": {"psnr": 21.25}, "recall": 0.125, "kept": [1, 2]},
  }
  (workdir / "evaluation").mkdir(exist_ok=True)
  (workdir / "evaluation" / "metrics.json").write_text(json.dumps(found))
  out = tmp_path / "out"
  argv = ["export", f"--workdir={workdir}", f"--out={out}", "--num=0"]
  assert main(argv) == 0
  card = (out / "README.md").read_text()
  rows = "| pca psnr | 21.25 |", "| recall | 0.125 |", "1,234 images"
  if step == "its":
    assert json.loads((out / "metrics.json").read_text()) == found
    assert all(x in card for x in rows) and "kept" not in card
  else:
    assert not (out / "metrics.json").exists()
    assert not any(x in card for x in rows)


def test_training_starts_from_an_exported_run_but_not_in_it(folder, run):
  config = jaxgen.config("textures_patch_ae:smoke")
  with pytest.raises(UserError, match="train.init_from=.*to start from it"):
    jaxgen.train(config, folder)
  config.train.init_from = str(folder)
  initial = initial_weights(parse(config), folder.parent / "new")
  assert initial is not None
  jax.tree.map(np.testing.assert_array_equal, initial.params, run.params)


@pytest.mark.parametrize("name", ["30", "latest", "best"])
def test_its_only_checkpoint_has_three_names(folder, name):
  assert jaxgen.load(folder, name).step == 30


@pytest.mark.parametrize("name", ["29", "ema-0.1", "newest"])
def test_there_is_no_other_checkpoint(folder, name):
  with pytest.raises(UserError, match=f"no checkpoint '{name}'.*at step 30"):
    jaxgen.load(folder, name)


def flipped(data: bytes, place: int) -> bytes:
  return data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]


def with_header(data: bytes, change) -> bytes:
  """The file with another header."""
  size = struct.unpack("<Q", data[:8])[0]
  header = json.loads(data[8 : 8 + size])
  change(header)
  text = json.dumps(header).encode()
  return struct.pack("<Q", len(text)) + text + data[8 + size :]


def first(header) -> dict:
  return next(v for k, v in header.items() if k != "__metadata__")


def longer(header):
  first(header)["data_offsets"][1] += 1 << 40


def negative(header):
  first(header)["shape"] = [-1]


def untyped(header):
  first(header)["dtype"] = "O"


def moved(header):
  names = [k for k in header if k != "__metadata__"]
  a, b = (x for x in names if header[x]["shape"] == header[names[0]]["shape"])
  header[a], header[b] = header[b], header[a]


def renamed(header):
  header["os.system"] = header.pop(
    next(k for k in header if k != "__metadata__")
  )


CHANGES = [
  lambda x: x.pop("__metadata__"),
  lambda x: x["__metadata__"].pop("digest"),
  lambda x: x["__metadata__"].update(step="thirty"),
  lambda x: x["__metadata__"].pop("stage"),
  lambda x: x["__metadata__"].update(companions="no JSON"),
  longer,
  negative,
  untyped,
  renamed,
]
DAMAGES = [
  *(lambda x, n=n: x[:n] for n in (0, 4, 8, 100, 5_000, -1)),
  *(lambda x, n=n: flipped(x, n) for n in (0, 3, 7, 8, 9, 60, -1, -4_000)),
  *(lambda x, n=n: flipped(x, n) for n in range(10_000, 30_000, 4_000)),
  lambda x: x + b"\0",
  lambda x: b"\x80\x04cos\nsystem\n(X\x04\0\0\0exittR.",
  *(lambda x, c=c: with_header(x, c) for c in CHANGES),
]


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_files_are_refused_in_one_line(copy, damage):
  path = copy / WEIGHTS
  path.write_bytes(damage(path.read_bytes()))
  with pytest.raises(UserError) as caught:
    jaxgen.load(copy)
  message = str(caught.value)
  assert WEIGHTS in message and "\n" not in message and len(message) < 400


def test_weights_of_another_config_are_refused_by_name(copy):
  arrays, about = safetensors_file.read(copy / WEIGHTS)
  name = next(iter(arrays))
  safetensors_file.write(
    copy / WEIGHTS,
    {f"{k}x" if k == name else k: v for k, v in arrays.items()},
    about,
  )
  with pytest.raises(UserError, match=f"no array {name}.*1 missing, 1 unknown"):
    jaxgen.load(copy)
  wide = {k: v[None] if k == name else v for k, v in arrays.items()}
  safetensors_file.write(copy / WEIGHTS, wide, about)
  with pytest.raises(UserError, match=f"{name}: expected float32"):
    jaxgen.load(copy)

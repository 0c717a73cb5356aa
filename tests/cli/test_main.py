import csv
import json
import os
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image
from support.pictures import read

from jaxgen.cli import benchmark
from jaxgen.cli.main import VERBS, main


def test_help_lists_the_verbs_without_importing_jax():
  code = (
    "import sys; from jaxgen.cli.main import main;"
    "main(['--help']); main(['train', '--help'])"
  )
  check = "assert not {'jax', 'flax', 'grain', 'PIL'} & set(sys.modules)"
  script = f"try:\n  {code}\nexcept SystemExit:\n  {check}; print('ok')\n"
  done = subprocess.run(
    [sys.executable, "-c", script], capture_output=True, text=True
  )
  assert done.stdout.endswith("ok\n"), done.stderr
  for verb in VERBS:
    assert f"  {verb} " in done.stdout


def test_the_help_of_a_verb_shows_its_flags_only(capsys):
  with pytest.raises(SystemExit) as done:
    main(["encode", "--help"])
  assert done.value.code == 0
  text = capsys.readouterr().out
  assert "--input" in text and "--method" not in text


@pytest.mark.parametrize(
  ("line", "names"),
  [
    ("trian", "trian"),
    ("train --workdir=x", "--config"),
    ("train --config=nowhere.py --workdir=x", "nowhere.py"),
    ("sample --workdir=nowhere --out=x", "nowhere"),
    ("evaluate --workdir=nowhere --nonsense=1", "--nonsense"),
    ("sample --workdir=nowhere --out=x --num=many", "--num"),
    ("sample --workdir=nowhere --out=x --num=0", "--num"),
    ("sample --workdir=nowhere --out=x --batch=0", "--batch"),
    ("sample --workdir=nowhere --out=x --seed=-1", "--seed"),
    ("sample --workdir=nowhere --out=x --seed=4294967296", "--seed"),
    ("sample --workdir=nowhere --out=x --resize=0", "--resize"),
    ("evaluate --workdir=nowhere --num=0", "--num"),
    ("evaluate --workdir=nowhere --photons=5", "--restore"),
    ("evaluate --workdir=nowhere --restore --photons=5,-1", "--photons"),
    ("evaluate --workdir=nowhere --restore --photons=5,5", "--photons"),
    ("evaluate --workdir=nowhere --restore --read_noise=0", "--read_noise"),
    ("interpolate --workdir=x --out=x --a=a --b=b --steps=1", "--steps"),
    ("decode --workdir=nowhere --latents=gone.npz --out=x", "gone.npz"),
    ("sample --workdir=nowhere --out=x --method=magic", "--method"),
    ("evaluate --work=nowhere", "--work"),
    (
      "benchmark --config=configs/textures_patch_ae.py:nonsense",
      "py:nonsense: variant='nonsense': expected one of demo, smoke.\n",
    ),
  ],
)
def test_a_mistake_ends_with_status_2_and_names_the_culprit(
  line, names, capsys
):
  assert main(line.split()) == 2
  error = capsys.readouterr().err
  assert error.startswith("error: ") and names in error
  assert len(error.splitlines()) == 1


@pytest.mark.parametrize(
  ("line", "flag"),
  [
    ("train --confg=x", "--config"),
    ("train --workdir=w --config=c --deterministc", "--deterministic"),
    ("train --confg.model.width=3 --workdir=w", "--config.model.width"),
    ("sample --wrkdir=w", "--workdir"),
    ("data --inputs=w", "--input"),
    ("sweep --confg=c --workdir=w", "--config"),
  ],
)
def test_a_flag_that_does_not_exist_is_named_before_one_that_is_missing(
  line, flag, capsys
):
  assert main(line.split()) == 2
  error = capsys.readouterr().err
  wrong = line.split()[-1] if "deterministc" in line else line.split()[1]
  assert wrong.partition("=")[0] in error and f"did you mean {flag}?" in error


@pytest.fixture(scope="session")
def tiles(tmp_path_factory):
  """A user's folder: pictures of two classes, larger than the run's tiles."""
  folder = tmp_path_factory.mktemp("tiles")
  rng = np.random.default_rng(0)
  for name in ("a/0.png", "a/1.png", "b/2.png"):
    (folder / name).parent.mkdir(exist_ok=True)
    pixels = rng.integers(0, 255, (40, 50, 3), np.uint8)
    Image.fromarray(pixels).save(folder / name)
  return folder


def test_sample_writes_numbered_images_of_the_requested_size(trained, tmp_path):
  command = ["sample", f"--workdir={trained}", "--num=5", f"--out={tmp_path}"]
  assert main([*command, "--resize=48", "--method=gmm"]) == 0
  files = sorted(p.name for p in tmp_path.glob("0*.png"))
  assert files == [f"{i:05}.png" for i in range(5)]
  assert read(tmp_path / files[0]).shape[:2] == (48, 48)
  assert (tmp_path / "grid.png").exists()


@pytest.mark.parametrize(("mode", "tiles_each"), [("tiled", 4), ("fit", 1)])
def test_encode_then_decode_is_reconstruct(
  trained, tiles, tmp_path, mode, tiles_each
):
  npz = tmp_path / "latents.npz"
  run, given = f"--workdir={trained}", [f"--input={tiles}", f"--{mode}"]
  assert main(["encode", run, *given, f"--out={npz}"]) == 0
  repeated = lambda values: list(np.repeat(values, tiles_each))  # noqa: E731
  with np.load(npz) as file:
    assert file["latents"].shape == (3 * tiles_each, 16)
    names = ["a/0.png", "a/1.png", "b/2.png"]
    assert file["names"].tolist() == repeated(names)
    assert file["labels"].tolist() == repeated([0, 0, 1])
    assert file["label_names"].tolist() == ["a", "b"]
  one, two = tmp_path / "one", tmp_path / "two"
  assert main(["decode", run, f"--latents={npz}", f"--out={one}"]) == 0
  assert main(["reconstruct", run, *given, f"--out={two}"]) == 0
  for name in ("a/0.png", "b/2.png"):
    a, b = (read(x / name) for x in (one, two))
    np.testing.assert_array_equal(a, b)
  assert (two / "compare.png").exists()


def test_interpolate_writes_a_row_each_way(trained, tiles, tmp_path):
  a, b = tiles / "a/0.png", tiles / "b/2.png"
  command = ["interpolate", f"--workdir={trained}", f"--a={a}", f"--b={b}"]
  assert main([*command, "--steps=4", f"--out={tmp_path}"]) == 0
  assert len(list(tmp_path.glob("linear_*.png"))) == 4
  assert len(list(tmp_path.glob("spherical_*.png"))) == 4


def test_evaluate_agrees_with_its_files(trained, tmp_path, capsys):
  assert main(["evaluate", f"--workdir={trained}", f"--out={tmp_path}"]) == 0
  table = capsys.readouterr().out
  found = json.loads((tmp_path / "metrics.json").read_text())
  rows = list(csv.DictReader((tmp_path / "per_image.csv").open()))
  assert len(rows) == found["images"] == 192
  for name in ("autoencoder", "pca", "mean image"):
    for metric in ("psnr", "ssim", "mse", "l1"):
      mean = np.mean([float(row[f"{name} {metric}"]) for row in rows])
      assert mean == pytest.approx(found["metrics"][name][metric], rel=1e-4)
    assert f"{found['metrics'][name]['psnr']:.2f}" in table
  psnr = {k: v["psnr"] for k, v in found["metrics"].items()}
  assert psnr["pca"] > psnr["mean image"] + 1
  assert found["pca_dimensions"] == 16 and found["training_tiles"] == 8192
  assert "16 dimensions, fitted to 8192 training tiles" in table


def test_evaluate_takes_a_folder(trained, tiles, tmp_path):
  command = ["evaluate", f"--workdir={trained}", f"--input={tiles}"]
  assert main([*command, f"--out={tmp_path}"]) == 0
  count = lambda: json.loads((tmp_path / "metrics.json").read_text())["images"]  # noqa: E731
  assert count() == 12  # windows
  assert main([*command, "--fit", f"--out={tmp_path}"]) == 0
  assert count() == 3


def test_wrong_input_is_named(trained, tiles, tmp_path, capsys):
  (tmp_path / "empty").mkdir()
  (tmp_path / "text.npz").write_text("no")
  (tmp_path / "bad").mkdir()
  (tmp_path / "bad" / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n123")
  small = Image.fromarray(np.zeros((8, 8), np.uint8))
  (tmp_path / "tiny").mkdir()
  small.save(tmp_path / "tiny" / "dot.png")
  run, out = f"--workdir={trained}", f"--out={tmp_path / 'out'}"
  for line, names in (
    (["encode", run, out, f"--input={tmp_path / 'empty'}"], "empty"),
    (["encode", run, out, f"--input={tmp_path / 'gone'}"], "gone"),
    (["encode", run, out, f"--input={tmp_path / 'bad'}"], "broken.png"),
    (["encode", run, out, f"--input={tmp_path / 'tiny'}"], "dot.png"),
    (["decode", run, out, f"--latents={tmp_path / 'text.npz'}"], "text.npz"),
    (["sample", run, out, "--checkpoint=77"], "77"),
    (["sample", run, f"--out={tmp_path / 'text.npz'}"], "text.npz"),
    (["encode", run, f"--out={tmp_path}", f"--input={tiles}"], "--out="),
    (
      ["interpolate", run, out, f"--a={tiles}", f"--b={tiles / 'a/0.png'}"],
      f"{tiles}: ",
    ),
  ):
    assert main(line) == 2, line
    error = capsys.readouterr().err
    assert names in error and len(error.splitlines()) <= 3, error


@pytest.mark.parametrize("address", [":45672", "here", "here:99999", "here:0"])
def test_a_coordinator_has_an_address(address, tmp_path, capsys):
  command = ["train", "--config=configs/textures_patch_ae.py:smoke"]
  command += [f"--workdir={tmp_path}", f"--coordinator={address}"]
  assert main([*command, "--num_processes=1", "--process_id=0"]) == 2
  assert f"--coordinator={address}:" in capsys.readouterr().err


@pytest.mark.parametrize(
  ("arrays", "says"),
  [
    ({"latents": np.zeros((2, 15), np.float32)}, r"(2, 15)"),
    ({"latents": np.zeros((), np.float32)}, "()"),
    ({"latents": np.full((2, 16), np.nan, np.float32)}, "finite"),
    ({"latents": np.array([["a"] * 16])}, "numbers"),
    ({"other": np.zeros((2, 16), np.float32)}, "latents"),
    ({"latents": np.array([None])}, "bad.npz"),
  ],
)
def test_latents_that_do_not_fit_are_refused(
  trained, tmp_path, capsys, arrays, says
):
  path = tmp_path / "bad.npz"
  np.savez(path, **arrays)
  command = ["decode", f"--workdir={trained}", f"--out={tmp_path / 'out'}"]
  assert main([*command, f"--latents={path}"]) == 2
  error = capsys.readouterr().err
  assert says in error and error.count("\n") == 1


@pytest.mark.parametrize("damage", ["cut", "npy"])
def test_a_file_that_is_no_npz_is_refused(trained, tmp_path, capsys, damage):
  path = tmp_path / "bad.npz"
  np.savez(path, latents=np.zeros((2, 16), np.float32))
  if damage == "cut":
    path.write_bytes(path.read_bytes()[:100])
  else:
    with path.open("wb") as file:
      np.save(file, np.zeros((2, 16), np.float32))
  command = ["decode", f"--workdir={trained}", f"--out={tmp_path / 'out'}"]
  assert main([*command, f"--latents={path}"]) == 2
  assert "bad.npz" in capsys.readouterr().err


def test_decoded_images_are_numbered_where_names_do_not_fit(trained, tmp_path):
  path, out = tmp_path / "latents.npz", tmp_path / "out"
  np.savez(
    path, latents=np.zeros((2, 16), np.float32), names=["grid", "a", "b"]
  )
  command = ["decode", f"--workdir={trained}", f"--out={out}"]
  assert main([*command, f"--latents={path}"]) == 0
  found = sorted(p.name for p in out.iterdir())
  assert found == ["00000.png", "00001.png", "grid.png"]


@pytest.mark.slow
def test_benchmark_reports_what_it_promises(tmp_path):
  path = tmp_path / "speed.json"
  config = "--config=configs/textures_patch_ae.py:smoke"
  assert main(["benchmark", config, "--repeats=1", f"--json={path}"]) == 0
  found = json.loads(path.read_text())
  for name in (
    "train_images_per_second",
    "step_seconds",
    "compile_seconds",
    "data_images_per_second",
    "data_first_batch_seconds",
    "encode_images_per_second",
    "decode_images_per_second",
    "sample_images_per_second",
    "parameters",
    "step_gflop",
    "share_of_matrix_product",
    "step_peak_mib",
  ):
    assert found[name] > 0


@pytest.mark.parametrize(
  ("name", "value", "words", "text"),
  [
    ("train_images_per_second", 10312.4, "train", "10,312 images/s"),
    ("step_gflops_per_second", 3.14159, "step", "3.142 Gflop/s"),
    ("data_first_batch_seconds", 0.25, "data first batch", "0.25 s"),
    ("step_peak_mib", 999.96, "step peak", "1,000 MiB"),
    ("batch_size", 32, "batch size", "32"),
    ("parameters", 1_369_889, "parameters", "1,369,889"),
    ("devices", "1 x cpu", "devices", "1 x cpu"),
  ],
)
def test_numbers_of_the_benchmark_have_units(name, value, words, text):
  assert benchmark.row(name, value) == (words, text)


@pytest.mark.slow
def test_benchmark_covers_denoisers(tmp_path):
  path = tmp_path / "speed.json"
  config = "--config=tests/support/toy_edm.py"
  assert main(["benchmark", config, "--repeats=1", f"--json={path}"]) == 0
  found = json.loads(path.read_text())
  for name in (
    "train_images_per_second",
    "denoiser_calls_per_second",
    "denoiser_images_per_second",
    "euler_18_images_per_second",
    "heun_18_images_per_second",
  ):
    assert found[name] > 0
  assert "heun_18_overhead" in found
  assert "encode_images_per_second" not in found


@pytest.mark.parametrize(
  "line",
  [
    "train --config=c.py --workdir=w",
    "sample --workdir=w --out=o",
    "sweep --workdir=w",
    "benchmark --config=c.py",
    "plan --config=c.py",
    "compare --workdir=w --out=o",
  ],
)
def test_deterministic_is_set_before_a_verb_runs(monkeypatch, line):
  """So before any device is used; a config file may use one."""
  monkeypatch.setenv("XLA_FLAGS", "--xla_a=1")
  seen = []
  verb = VERBS[line.split()[0]]
  run = lambda args, rest: seen.append(os.environ["XLA_FLAGS"])  # noqa: E731
  monkeypatch.setattr(verb, "run", run)
  assert main(line.split()) == 0
  assert main([*line.split(), "--deterministic"]) == 0
  assert seen == ["--xla_a=1", "--xla_a=1 --xla_gpu_deterministic_ops=true"]


def test_a_verb_that_is_almost_right_is_suggested(capsys):
  assert main(["reconstuct"]) == 2
  assert "Did you mean reconstruct?" in capsys.readouterr().err


@pytest.mark.parametrize(
  ("given", "flags", "level"),
  [(None, [], "3"), ("1", [], "1"), ("1", ["--verbose"], "0")],
)
def test_messages_of_xla_are_shown_on_request(monkeypatch, given, flags, level):
  monkeypatch.delenv("TF_CPP_MIN_LOG_LEVEL")
  if given:
    monkeypatch.setenv("TF_CPP_MIN_LOG_LEVEL", given)
  seen = []
  run = lambda args, rest: seen.append(os.environ["TF_CPP_MIN_LOG_LEVEL"])  # noqa: E731
  monkeypatch.setattr(VERBS["train"], "run", run)
  assert main(["train", "--config=c.py", "--workdir=w", *flags]) == 0
  assert seen == [level]


@pytest.mark.parametrize(
  ("verb", "flag"),
  [
    ("edit", "--strength=2"),
    ("edit", "--strength=nan"),
    ("edit", "--canvas=0x5"),
    ("edit", "--canvas=8"),
    ("edit", f"--canvas={'9' * 5000}x8"),
    ("edit", "--strength=0.5 --sampler=best"),
    ("edit", "--canvas=8x8 --guidance=inf"),
    ("sample", "--steps=5 --eta=3"),
    ("sample", "--interval=5,1"),
    ("evaluate", "--churn=1"),
  ],
)
def test_values_are_refused_before_a_run_is_opened(verb, flag, capsys):
  files = ["--input=gone.png"] * (verb == "edit")
  command = [verb, "--workdir=gone", "--out=gone", *files, *flag.split()]
  assert main(command) == 2
  error = capsys.readouterr().err
  assert flag.split()[-1].partition("=")[0] in error and len(error) < 400
  assert error.count("\n") == 1 and "gone" not in error

"""A complete sweep with real runs, in this process."""

import csv
import json
import pathlib
from typing import Any

import numpy as np
import pytest

from jaxgen.cli.main import main
from jaxgen.images import normalize
from jaxgen.metrics.images import similarity
from jaxgen.report import pictures
from jaxgen.sample.load import load
from jaxgen.sweeps import files
from jaxgen.sweeps import folder as folders

pytestmark = pytest.mark.slow

TOY = f"{pathlib.Path(__file__).parents[1]}/support/toy_sweep.py"
BROKEN = "broken <b>&"


def only(workdir, place, *flags):
  return main(["sweep", f"--workdir={workdir}", f"--only={place}", *flags])


def sweep(workdir, *flags):
  return main(["sweep", f"--workdir={workdir}", *flags])


def choice(workdir, phase):
  return json.loads((workdir / phase / "choice.json").read_text())


def outcome(workdir, place):
  return json.loads((workdir / place / "outcome.json").read_text())


@pytest.fixture(scope="module")
def swept(tmp_path_factory):
  """Both phases, run by run, as a scheduler's jobs would."""
  workdir = tmp_path_factory.mktemp("sweep")
  loaded, bases = files.load_sweep(TOY)
  folders.record_sweep(workdir, loaded, bases=bases, allow_change=False)
  assert only(workdir, "two/half") == 2  # phase one has no choice yet
  for run in ("latent_dim_4", "latent_dim_16"):
    assert only(workdir, f"one/{run}") == 0
  assert only(workdir, f"one/{BROKEN}") == 2
  assert sweep(workdir, "--collect=one") == 0
  assert only(workdir, "two/half") == 0
  assert sweep(workdir, "--collect=two") == 0
  return workdir


def test_the_winner_flows_into_the_next_phase(swept):
  winner = choice(swept, "one")
  assert winner["by"] == "rule" and winner["run"] == winner["rule"]
  size = int(winner["run"].removeprefix("latent_dim_"))
  assert winner["passes_on"] == {"model.latent_dim": size}
  config = json.loads((swept / "two/half/config.json").read_text())
  assert config["model"]["latent_dim"] == size // 2
  assert config["stages"]["images"] == [64]


def test_measures_are_those_of_the_run(swept):
  run = swept / "one/latent_dim_4"
  found = outcome(swept, "one/latent_dim_4")["measures"]
  model: Any = load(run)
  images = model.images("validation", 512)
  x, y = normalize(images), model.decode_float(model.encode(images))
  wanted = {k: float(np.mean(v)) for k, v in similarity(y, x).items()}
  assert found["mse"] == pytest.approx(wanted["mse"], rel=1e-4)
  assert found["ssim"] == pytest.approx(wanted["ssim"], abs=1e-4)
  assert found["validation/psnr"] == pytest.approx(found["psnr"], rel=1e-3)
  assert found["latent_size"] == 4 and found["compression"] == 32 * 32 * 3 / 4
  assert found["train_images"] == 96 and found["memory_mib"] > 0
  assert found["train_images_per_second"] > 0
  assert 0 < found["high_frequency_error"] < found["mse"]
  assert 0 < found["probe_loss"] < 1.5 and found["probe_seconds"] > 0
  assert np.isfinite(found["probe_gap"])
  about = found["latents"]
  assert len(about["mean"]) == len(about["spectrum"]) == 4
  assert 1 <= about["effective_rank"] <= 4 and about["path_ratio"] >= 1 - 1e-6
  assert about["noise_psnr"] == sorted(about["noise_psnr"], reverse=True)


def test_a_failed_run_is_marked_and_the_others_continue(swept, capsys):
  error = outcome(swept, f"one/{BROKEN}")["error"]
  assert "patch_size" in error and "\n" not in error
  with (swept / "one/metrics.csv").open(newline="") as file:
    rows = {row["run"]: row for row in csv.DictReader(file)}
  assert set(rows) == {"latent_dim_4", "latent_dim_16", BROKEN}
  assert rows[BROKEN]["status"] == "failed" and rows[BROKEN]["error"] == error
  assert float(rows["latent_dim_4"]["mse"]) > 0
  assert only(swept, f"one/{BROKEN}") == 2
  assert "--retry_failed" in capsys.readouterr().err


def test_the_report_is_one_file_with_everything(swept):
  page = (swept / "one/report.html").read_text()
  assert "http" not in page.replace("http-equiv", "")
  assert "Recommended: latent_dim_" in page and "Learning curves" in page
  assert "broken &lt;b&gt;&amp;" in page and "broken <b>" not in page
  assert page.count("<svg") >= 6 and page.count("data:image/png") == 6
  assert "Comparisons" in page and "effective rank" in page


def test_the_window_holds_the_finest_detail():
  images = np.zeros((1, 16, 16, 3), np.uint8)
  images[0, 9:12:2, 5:8:2] = 255
  windows = pictures.detailed_windows(images)
  crop = pictures.crops(images, windows)
  assert crop.shape == (1, 4, 4, 3) and crop.sum() == images.sum()


def test_what_is_finished_is_not_run_again(swept, capsys):
  before = {p: p.stat().st_mtime_ns for p in swept.rglob("outcome.json")}
  assert sweep(swept, f"--config={TOY}") == 0
  said = capsys.readouterr().out
  assert "one: 3 runs, 0 to do" in said and "two: 1 run, 0 to do" in said
  assert "started" not in said
  after = {p: p.stat().st_mtime_ns for p in swept.rglob("outcome.json")}
  assert after == before
  assert only(swept, "one/latent_dim_4") == 0  # finished: nothing is done


def test_a_manual_choice_overrides_the_rule_and_can_be_reverted(swept, capsys):
  """Runs after the old choice are archived; a manual choice stays until it is
  reverted."""
  was = choice(swept, "one")
  other = ({"latent_dim_4", "latent_dim_16"} - {was["run"]}).pop()
  assert sweep(swept, "--collect=one", f"--choose=one={BROKEN}") == 2
  assert f"--choose=one={BROKEN}" in capsys.readouterr().err
  for flags in ([f"--choose=one={other}"], []):
    assert sweep(swept, "--collect=one", *flags) == 0
    now = choice(swept, "one")
    assert (now["run"], now["by"], now["rule"]) == (other, "person", was["run"])
    assert other in now["reason"] and was["reason"] in now["reason"]
  page = (swept / "one/report.html").read_text()
  assert f"--choose=one={other}" in page
  assert sweep(swept, "--collect=two") == 1  # its runs are of the old choice
  assert "error: two:" in capsys.readouterr().err
  assert sweep(swept, "--collect=one", "--choose=one=rule") == 0
  assert choice(swept, "one") == was
  assert sweep(swept, "--collect=two") == 0

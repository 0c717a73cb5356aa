"""A whole run of a few-step model, from the command line."""

import math
import pathlib

import jaxgen
from jaxgen.cli.main import main
from jaxgen.monitor.view import read_run
from jaxgen.sample.denoiser import DenoiserRun
from jaxgen.workdir import metrics_csv

CONFIG = pathlib.Path(__file__).parents[1] / "support/toy_ect.py"


def test_a_denoiser_is_tuned_and_sampled(denoiser, tmp_path, capsys):
  """Another sampler of the same run ends with status 2, and so does a run of
  another denoiser."""
  run = tmp_path / "run"
  command = [
    "train",
    f"--config={CONFIG}",
    f"--config.train.init_from={denoiser}",
  ]
  assert main([*command, f"--workdir={run}"]) == 0
  rows = metrics_csv.read(run)
  scored = [x for x in rows if "validation/energy_db" in x]
  assert scored[0]["step"] == 0  # the weights are the denoiser's
  assert all(math.isfinite(x["validation/energy_db"]) for x in scored)
  gaps = [x["consistency/gap"] for x in rows if "consistency/gap" in x]
  assert gaps == sorted(gaps, reverse=True) and gaps[-1] == 2.0**-8
  view = read_run(run)
  assert view.metric == "validation/energy_db" and view.state == "finished"
  assert "validation/std" in view.latest

  loaded = jaxgen.load(run)
  assert isinstance(loaded, DenoiserRun)
  assert loaded.network_calls() == 2
  images = loaded.sample(4, seed=1, conditions={"rock_type": "granite"})
  assert images.shape == (4, 32, 32, 3) and images.std() > 1

  capsys.readouterr()
  out = [f"--out={tmp_path / 'out'}", "--num=2"]
  assert main(["sample", f"--workdir={run}", *out, "--sampler=heun-18"]) == 2
  assert "--sampler=heun-18" in capsys.readouterr().err
  other = [
    f"--workdir={tmp_path / 'other'}",
    "--config.diffusion.sigma_data=0.4",
  ]
  assert main([*command, *other]) == 2
  assert "diffusion.sigma_data=0.4, but 0.5" in capsys.readouterr().err

"""Time and memory of restorations by resolution and batch size."""

import json

import pytest
from support.configs import toy_denoiser
from support.programs import CONFIG, DENOISER

from jaxgen.cli.main import main
from jaxgen.config.parse import parse
from jaxgen.planning import restoration_benchmark


@pytest.mark.parametrize("noise_map", [False, True])
def test_memory_grows_with_images_and_pixels(noise_map):
  config = toy_denoiser(diffusion={"noise_map": noise_map})
  costs = restoration_benchmark.measure(
    parse(config),
    {},
    resolutions=[16, 32],
    batches=[1, 4],
    steps=2,
    repeats=1,
  )
  found = {(x.resolution, x.batch, x.kind): x for x in costs}
  assert len(found) == 8
  assert all(x.seconds and x.seconds > 0 for x in found.values())
  for kind in ("mean", "sample"):
    size = lambda side, n, k=kind: found[side, n, k].bytes  # noqa: E731
    assert 0 < size(16, 1) < size(16, 4) < size(32, 4)


def test_no_memory_is_a_row(monkeypatch):
  def exhausted(*_):
    import jax

    raise jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: out of memory")

  monkeypatch.setattr(restoration_benchmark, "seconds", exhausted)
  costs = restoration_benchmark.measure(
    parse(toy_denoiser()), {}, resolutions=[16], batches=[1], steps=1
  )
  assert [x.seconds for x in costs] == [None, None]


def test_the_verb(tmp_path, capsys):
  path = tmp_path / "costs.json"
  line = f"--config={DENOISER} --restore --resolutions=16 --batches=1,2"
  flags = [*line.split(), "--steps=1", "--repeats=1", f"--json={path}"]
  assert main(["benchmark", *flags]) == 0
  assert "a sample" in capsys.readouterr().out
  rows = json.loads(path.read_text())["rows"]
  assert [(x["batch"], x["kind"]) for x in rows] == [
    (1, "mean"),
    (1, "sample"),
    (2, "mean"),
    (2, "sample"),
  ]


@pytest.mark.parametrize(
  ("line", "name"),
  [
    ("", "--config"),
    (f"--config={CONFIG}:smoke --workdir=w", "--workdir"),
    (f"--config={CONFIG}:smoke --restore", "--restore"),
    (f"--config={CONFIG}:smoke --batches=1", "--batches"),
    (f"--config={DENOISER} --restore --resolutions=17", "resolutions"),
    (f"--config={DENOISER} --restore --batches=0", "--batches"),
    ("--workdir=none", "none"),
    ("--workdir=none --config.seed=1", "--config"),
  ],
)
def test_flags_that_do_not_fit_are_named(line, name, capsys):
  assert main(["benchmark", *line.split()]) == 2
  assert name in capsys.readouterr().err

"""Phases with a base config of their own, on top of an earlier winner."""

import json
import pathlib

import pytest
from support.configs import ROOT

from jaxgen.cli.main import main
from jaxgen.config.files import load_experiment
from jaxgen.errors import UserError
from jaxgen.sweeps import Phase, Sweep, Winner, configs, files
from jaxgen.sweeps import folder as folders
from jaxgen.workdir.sweep_choice import chosen_run

TOY = f"{ROOT}/tests/support/toy_sweep.py:on_top"
AUTOENCODER = f"{ROOT}/configs/rocks_patch_ae.py:smoke"
DENOISER = f"{ROOT}/configs/rocks_edm.py:smoke"
FROM = "train.init_from"


def base(path):
  return load_experiment(path, []).to_dict()


@pytest.fixture(scope="module")
def bases():
  return {"": base(AUTOENCODER), "b": base(DENOISER), "c": base(DENOISER)}


def phases():
  """The second and the third have another base than the first and the last."""
  return (
    Phase(name="a", runs={"x": {"model.latent_dim": 8}, "y": {}}),
    Phase(
      name="b",
      base=DENOISER,
      runs={"x": {FROM: Winner("a"), "model.width": 16}},
      passes_on=("model.width",),
    ),
    Phase(
      name="c", base=DENOISER, runs={"x": {}}, overrides={FROM: Winner("b")}
    ),
    Phase(name="d", runs={"x": {}}),
  )


def made(**overrides):
  return Sweep(base=AUTOENCODER, phases=phases(), overrides=overrides)


def test_values_are_passed_on_between_phases_of_the_same_base(bases):
  toy = made(**{"model.latent_dim": 4})
  decided = {
    "a": configs.Decision(folder="S/a/x", passed={"model.latent_dim": 8}),
    "b": configs.Decision(folder="S/b/x", passed={"model.width": 16}),
    "c": configs.Decision(folder="S/c/x", passed={FROM: "S/b/x"}),
  }
  found = {
    phase.name: configs.run_configs(toy, bases, phase=phase, decided=decided)
    for phase in toy.phases
  }
  assert found["b"]["x"]["train"]["init_from"] == "S/a/x"
  assert found["c"]["x"]["train"]["init_from"] == "S/b/x"
  assert found["c"]["x"]["model"]["width"] == 16
  assert found["b"]["x"]["task"] == found["c"]["x"]["task"] == "diffusion"
  assert found["d"]["x"] == found["a"]["x"]
  assert found["a"]["y"]["model"]["latent_dim"] == 4
  configs.check_sweep(toy, bases)


@pytest.mark.parametrize(
  ("overrides", "says"),
  [
    ({"model.latent_dim": 4}, "b/x: model.latent_dim"),
    ({"seed": Winner("a")}, "b/x: seed="),
  ],
)
def test_what_another_base_does_not_take_is_refused(bases, overrides, says):
  second = Phase(name="b", base=DENOISER, runs={"x": overrides})
  toy = Sweep(base=AUTOENCODER, phases=(phases()[0], second))
  with pytest.raises(UserError, match=f"^{says}"):
    configs.check_sweep(toy, bases)


@pytest.mark.parametrize("name", ["a", "b", "nobody", ""])
def test_a_winner_is_that_of_an_earlier_phase(name):
  value = {FROM: Winner(name)}
  with pytest.raises(UserError, match=f"^a/x: {FROM}=Winner..{name}"):
    Sweep(base="", phases=(Phase(name="a", runs={"x": value}), *phases()[1:]))
  with pytest.raises(UserError, match=f"^overrides: {FROM}=Winner"):
    made(**value)
  with pytest.raises(UserError, match="^Winner=3"):
    Winner(3)  # pyright: ignore


def test_a_recorded_sweep_has_all_of_its_bases(tmp_path, bases):
  toy = made()
  for _ in range(2):
    folders.record_sweep(tmp_path, toy, bases=bases, allow_change=False)
  assert folders.read_sweep(tmp_path) == (toy, bases)
  assert (tmp_path / "b/base.json").is_file()
  other = {**bases, "b": bases["b"] | {"seed": 5}}
  with pytest.raises(UserError, match="b: seed: 0 -> 5"):
    folders.record_sweep(tmp_path, toy, bases=other, allow_change=False)
  first, second, *_ = phases()
  fewer = Sweep(base=AUTOENCODER, phases=(first, second))
  with pytest.raises(UserError, match="phases: c"):
    folders.record_sweep(tmp_path, fewer, bases=bases, allow_change=False)


def test_another_name_of_the_same_base_is_no_change(tmp_path, bases):
  """A sweep that is run from another folder."""
  toy = made()
  folders.record_sweep(tmp_path, toy, bases=bases, allow_change=False)
  moved = json.loads(json.dumps(files.to_json(toy)).replace(f"{ROOT}/", ""))
  again = files.from_json(moved)
  assert again != toy
  folders.record_sweep(tmp_path, again, bases=bases, allow_change=False)


def run(workdir, *flags):
  return main(["sweep", f"--workdir={workdir}", *flags])


def test_a_winner_that_is_not_decided_yet_is_one_line(tmp_path, capsys):
  toy, bases = files.load_sweep(TOY)
  folders.record_sweep(tmp_path, toy, bases=bases, allow_change=False)
  assert run(tmp_path, "--only=two/more") == 2
  error = capsys.readouterr().err
  assert "one has no winner yet" in error and len(error.splitlines()) == 1


@pytest.mark.slow
def test_one_sweep_trains_on_top_of_its_own_winner(tmp_path, capsys):
  """And again, after another choice."""
  workdir = tmp_path / "sweep"
  assert run(workdir, f"--config={TOY}") == 0
  chosen = chosen_run(workdir / "one")
  more = workdir / "two/more"
  assert chosen_run(workdir) == more
  assert recorded(more) == str(chosen.resolve())
  assert (
    f"the weights of {chosen.resolve()} at" in (more / "log.txt").read_text()
  )
  assert run(workdir, f"--config={TOY}") == 0
  assert "two: 1 run, 0 to do" in capsys.readouterr().out
  other = ({"slow", "fast"} - {chosen.name}).pop()
  assert run(workdir, f"--choose=one={other}") == 0
  assert recorded(more) == str((workdir / "one" / other).resolve())
  assert (workdir / "archive/two/more.1/outcome.json").is_file()


def recorded(folder: pathlib.Path) -> str:
  return json.loads((folder / "config.json").read_text())["train"]["init_from"]

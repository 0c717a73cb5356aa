"""Sweep files, the configs of their runs, and errors."""

import pathlib

import pytest

from jaxgen.cli.main import main
from jaxgen.config.files import load_experiment
from jaxgen.config.overrides import flatten
from jaxgen.errors import UserError
from jaxgen.sweeps import (
  Phase,
  Sweep,
  Times,
  TradeOff,
  configs,
  files,
  grid,
)
from jaxgen.sweeps import folder as folders
from jaxgen.sweeps.configs import Decision
from jaxgen.sweeps.run_folder import RunFolder

ROOT = pathlib.Path(__file__).parents[2]
TOY = f"{ROOT}/tests/support/toy_sweep.py"


@pytest.fixture(scope="module")
def base():
  return load_base()


def load_base(*flags):
  path = f"{ROOT}/configs/rocks_patch_ae.py:smoke"
  return {"": load_experiment(path, list(flags)).to_dict()}


def test_a_grid_has_every_combination_once():
  found = grid({"model.width": (32, 64), "model.a_tuple": ((1, 2), (3,))})
  assert found["width_32-a_tuple_1x2"] == {
    "model.width": 32,
    "model.a_tuple": (1, 2),
  }
  assert len(found) == 4 and list(found)[1] == "width_32-a_tuple_3"


NAME = "latent_dim_16-width_64"


def two_phases(**options):
  first = Phase(
    name="a",
    runs=grid({"model.latent_dim": (8, 16), "model.width": (32, 64)}),
    overrides={"optimizer.b1": 0.5},
    images=640,
    **options,
  )
  second = Phase(name="b", runs={"x": {"model.latent_dim": Times(0.25)}})
  return Sweep(base="", phases=(first, second), overrides={"seed": 3})


def test_only_the_winners_values_are_passed_on(base):
  sweep = two_phases()
  first, second = sweep.phases
  runs = configs.run_configs(sweep, base, phase=first, decided={})
  config = flatten(runs[NAME])
  assert (config["model.latent_dim"], config["model.width"]) == (16, 64)
  assert config["stages.images"] == (640,) and config["optimizer.b1"] == 0.5
  passed = configs.passed_values(first, NAME, config=runs[NAME])
  decided = {"a": Decision(folder="a", passed=passed)}
  later = configs.run_configs(sweep, base, phase=second, decided=decided)["x"]
  config, flat = flatten(later), flatten(base[""])
  assert (config["model.latent_dim"], config["model.width"]) == (4, 64)
  for key in ("optimizer.b1", "stages.images"):
    assert config[key] == flat[key]
  assert config["seed"] == 3 and base[""]["seed"] == 0


def test_a_run_is_independent_of_the_one_before(base):
  phase = Phase(name="a", runs={"wide": {"model.width": 64}, "plain": {}})
  sweep = Sweep(base="", phases=(phase,))
  found = configs.run_configs(sweep, base, phase=phase, decided={})
  assert found["wide"]["model"]["width"] == 64
  assert found["plain"] == base[""]


def test_a_phase_passes_on_the_listed_keys(base):
  sweep = two_phases(passes_on=("model.width", "optimizer.b1"))
  first = sweep.phases[0]
  runs = configs.run_configs(sweep, base, phase=first, decided={})
  found = configs.passed_values(first, NAME, config=runs[NAME])
  assert found == {"model.width": 64, "optimizer.b1": 0.5}


def test_a_recorded_sweep_is_read_back():
  sweep, _ = files.load_sweep(TOY)
  assert files.from_json(files.to_json(sweep)) == sweep
  assert sweep.phases[1].runs["half"]["model.latent_dim"] == Times(0.5)


def test_a_base_is_found_from_the_folders_above(tmp_path, monkeypatch):
  monkeypatch.chdir(tmp_path)
  sweep, found = files.load_sweep(TOY)
  assert (
    found[""]["data"]["source"] == "rocks"
    and pathlib.Path(sweep.base.partition(":")[0]).is_absolute()
  )


@pytest.mark.parametrize(
  ("overrides", "says"),
  [
    ({"model.widht": 3}, "a/x: model.widht.*did you mean model.width"),
    ({"model.width": "wide"}, "a/x: model.width='wide'"),
    ({"model.width": Times(0.3)}, "a/x: model.width: .*32 times 0.3"),
    ({"model.name": Times(2)}, "a/x: model.name="),
  ],
)
def test_bad_overrides_are_named(base, overrides, says):
  phase = Phase(name="a", runs={"x": overrides})
  with pytest.raises(UserError, match=f"(?i){says}"):
    configs.check_sweep(Sweep(base="", phases=(phase,)), base)


def test_every_winner_is_tried_before_anything_runs(base):
  """A second phase that only some winners of the first one allow."""
  first = Phase(name="a", runs=grid({"model.latent_dim": (8, 6)}))
  second = Phase(name="b", runs={"x": {"model.latent_dim": Times(0.25)}})
  with pytest.raises(UserError, match="6 times 0.25"):
    configs.check_sweep(Sweep(base="", phases=(first, second)), base)


@pytest.mark.parametrize(
  ("options", "says"),
  [
    ({"metric": "beauty"}, "p.metric='beauty': .*mse, psnr"),
    ({"metric": "validation/x"}, "p.metric='validation/x': .*direction"),
    ({"metric": "psnr", "direction": "min"}, "p.direction='min': .*'max'"),
    ({"runs": {}}, "p.runs"),
    ({"runs": {"a/b": {}}}, "p.runs: .*'a/b'"),
    ({"runs": {"..": {}}}, r"p.runs: .*'\.\.'"),
    ({"runs": {"rule": {}}}, "p.runs: .*'rule'"),
    ({"name": "jobs"}, "phase name 'jobs'"),
    ({"images": -1}, "p.images=-1"),
    ({"groups": {"g": ("y",)}}, "p.groups: g: .*'y'"),
    ({"decides": "g"}, "p.decides='g'"),
  ],
)
def test_invalid_phases_are_refused(options, says):
  given = {"name": "p", "runs": {"x": {}}} | options
  with pytest.raises(UserError, match=says):
    Phase(**given)


def test_trade_offs_are_checked():
  with pytest.raises(UserError, match="gain"):
    TradeOff(gain=1.5)
  with pytest.raises(UserError, match="cost='beauty'"):
    TradeOff(cost="beauty")  # pyright: ignore


def test_a_changed_sweep_is_refused_with_the_difference(tmp_path):
  sweep, base = files.load_sweep(TOY)
  for _ in range(2):
    folders.record_sweep(tmp_path, sweep, bases=base, allow_change=False)
  other, _ = files.load_sweep(f"{TOY}:changed")
  with pytest.raises(UserError, match="phases: one: images: 96 -> 128"):
    folders.record_sweep(tmp_path, other, bases=base, allow_change=False)
  moved = load_base("--config.seed=5")
  with pytest.raises(UserError, match="seed: 0 -> 5"):
    folders.record_sweep(tmp_path, sweep, bases=moved, allow_change=False)
  folders.record_sweep(tmp_path, other, bases=base, allow_change=True)
  assert folders.read_sweep(tmp_path) == (other, base)


def test_an_outcome_holds_for_its_config_alone(tmp_path, base):
  run = RunFolder(path=tmp_path / "p" / "r", config=base[""])
  assert run.state == "missing"
  run.mark_failed("no")
  assert run.state == "failed"
  changed = RunFolder(path=run.path, config=load_base("--config.seed=5")[""])
  assert changed.state == "stale"
  archived = changed.archive(tmp_path)
  assert archived == tmp_path / "archive/p/r.1" and run.state == "missing"
  run.mark_failed("again")
  assert changed.archive(tmp_path).name == "r.2"


FILES = {
  "no_function.py": ("x = 1\n", "get_sweep(variant)"),
  "no_sweep.py": ("def get_sweep(v): return 3\n", "jaxgen.sweeps.Sweep"),
  "broken.py": ("def get_sweep(v:\n", "was never closed"),
  "raises.py": ("def get_sweep(v): return 1 / 0\n", "division by zero"),
}


@pytest.mark.parametrize("name", FILES)
def test_broken_files_end_with_one_line(name, tmp_path, capsys):
  content, says = FILES[name]
  path = tmp_path / name
  path.write_text(content)
  workdir = tmp_path / "w"
  assert main(["sweep", f"--config={path}", f"--workdir={workdir}"]) == 2
  error = capsys.readouterr().err
  assert says in error and name in error and len(error.splitlines()) == 1
  assert not workdir.exists()


@pytest.mark.parametrize(
  ("flags", "says"),
  [
    ([f"--config={TOY}:nonsense", "--choose=one"], "--choose=one: "),
    ([f"--config={TOY}", "--choose=three=x"], "phase three: "),
    ([f"--config={TOY}", "--choose=one=x"], "--choose=one=x: "),
    ([f"--config={TOY}", "--nonsense=1"], "--nonsense: "),
    (["--config=gone.py"], "--config=gone.py: "),
    ([], "--workdir="),
    (["--only=one/x"], "--workdir="),
    ([f"--config={TOY}", "--parallel=0"], "--parallel"),
  ],
)
def test_mistakes_on_the_command_line(flags, says, tmp_path, capsys):
  workdir = tmp_path / "w"
  assert main(["sweep", f"--workdir={workdir}", *flags]) == 2
  error = capsys.readouterr().err
  assert says in error and len(error.splitlines()) == 1
  assert not workdir.exists()


def test_a_folder_of_a_training_run_is_refused(tmp_path, capsys):
  (tmp_path / "config.json").write_text("{}")
  assert main(["sweep", f"--config={TOY}", f"--workdir={tmp_path}"]) == 2
  assert f"--workdir={tmp_path}" in capsys.readouterr().err


@pytest.mark.parametrize(
  ("values", "names"),
  [
    ({"runs": ["a"]}, "a.runs="),
    ({"runs": {"x": ["model.width"]}}, "a.runs="),
    ({"runs": {"x": {3: 4}}}, "a.runs="),
    ({"metric": ["mse"]}, "a.metric="),
    ({"images": "many"}, "a.images="),
    ({"overrides": 3}, "a.overrides="),
    ({"passes_on": 3}, "a.passes_on="),
    ({"groups": {"x": 3}}, "a.groups="),
    ({"groups": ["x"]}, "a.groups="),
    ({"trade_offs": 3}, "a.trade_offs="),
  ],
)
def test_fields_of_a_phase_have_their_types(values, names):
  with pytest.raises(UserError) as refused:
    Phase(**{"name": "a", "runs": {"x": {}}, **values})
  assert str(refused.value).startswith(names)


@pytest.mark.parametrize(
  ("values", "names"),
  [
    ({"base": 3}, "base=3"),
    ({"phases": 3}, "phases=3"),
    ({"phases": (3,)}, "phases=(3,)"),
    ({"overrides": ["x"]}, "overrides="),
  ],
)
def test_fields_of_a_sweep_have_their_types(values, names):
  phase = Phase(name="a", runs={"x": {}}, passes_on=("model.width",))
  with pytest.raises(UserError) as refused:
    Sweep(**{"base": "", "phases": [phase], **values})
  assert str(refused.value).startswith(names)


@pytest.mark.parametrize("factor", ["x", float("nan"), None])
def test_a_factor_is_a_finite_number(factor):
  with pytest.raises(UserError, match="^Times="):
    Times(factor)


@pytest.mark.parametrize(
  "overrides",
  [
    {"optimizer.learning_rate": float("nan")},
    {"optimizer.learning_rate": Times(-1.0)},
    {"stages.batch_size": (0,)},
    {"seed": -1},
    {"stages.images": (64, 64, 64), "stages.resolution": (32, 64)},
  ],
)
def test_values_of_every_run_are_checked_before_the_first(base, overrides):
  """Here, those of the last run of the last phase."""
  first = Phase(name="a", runs={"x": {}})
  second = Phase(name="b", runs={"x": {}, "last": overrides})
  with pytest.raises(UserError, match="^b/last: "):
    configs.check_sweep(Sweep(base="", phases=(first, second)), base)

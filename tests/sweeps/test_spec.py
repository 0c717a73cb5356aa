"""Sweep files, the configs of runs, and what is refused."""

import pathlib

import pytest

from jaxgen.cli.main import main
from jaxgen.config.files import flatten, load_config
from jaxgen.errors import UserError
from jaxgen.sweeps import Phase, Sweep, Times, TradeOff, files, grid
from jaxgen.sweeps import folder as folders

ROOT = pathlib.Path(__file__).parents[2]
TOY = f"{ROOT}/tests/support/toy_sweep.py"


@pytest.fixture(scope="module")
def base():
  return load_config(f"{ROOT}/configs/rocks_patch_ae.py:smoke", [])


def test_a_grid_has_every_combination_once():
  found = grid({"model.width": (32, 64), "model.a_tuple": ((1, 2), (3,))})
  assert found["width_32-a_tuple_1x2"] == {
    "model.width": 32,
    "model.a_tuple": (1, 2),
  }
  assert len(found) == 4 and list(found)[1] == "width_32-a_tuple_3"


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


def test_the_winners_values_flow_on_and_nothing_else(base):
  sweep = two_phases()
  first, second = sweep.phases
  runs = files.configs(sweep, base, first, {})
  run = runs["latent_dim_16-width_64"]
  assert (run.model.latent_dim, run.model.width) == (16, 64)
  assert run.stages.images == (640,) and run.optimizer.b1 == 0.5
  passed = {"a": files.passes(first, "latent_dim_16-width_64", run)}
  then = files.configs(sweep, base, second, passed)["x"]
  assert (then.model.latent_dim, then.model.width) == (4, 64)
  assert then.optimizer.b1 == base.optimizer.b1
  assert then.stages.images == base.stages.images and then.seed == 3
  assert base.seed == 0  # is left as it was


def test_a_run_has_nothing_of_the_one_before(base):
  phase = Phase(name="a", runs={"wide": {"model.width": 64}, "plain": {}})
  found = files.configs(Sweep(base="", phases=(phase,)), base, phase, {})
  assert found["wide"].model.width == 64
  assert found["plain"].model.width == base.model.width


def test_a_phase_passes_on_what_it_says(base):
  sweep = two_phases(passes_on=("model.width", "optimizer.b1"))
  runs = files.configs(sweep, base, sweep.phases[0], {})
  name = "latent_dim_16-width_64"
  found = files.passes(sweep.phases[0], name, runs[name])
  assert found == {"model.width": 64, "optimizer.b1": 0.5}


def test_what_is_kept_of_a_sweep_is_the_sweep():
  sweep, _ = files.load_sweep(TOY)
  assert files.decode(files.encode(sweep)) == sweep
  assert sweep.phases[1].runs["half"]["model.latent_dim"] == Times(0.5)


def test_a_base_is_found_from_the_folders_above(tmp_path, monkeypatch):
  monkeypatch.chdir(tmp_path)
  sweep, found = files.load_sweep(TOY)
  assert (
    found.data.source == "rocks"
    and pathlib.Path(sweep.base.partition(":")[0]).is_absolute()
  )


@pytest.mark.parametrize(
  ("overrides", "says"),
  [
    ({"model.widht": 3}, "a/x: model.widht.*did you mean model.width"),
    ({"model.width": "wide"}, "a/x: model.width='wide': int is needed"),
    ({"model.width": Times(0.3)}, "a/x: model.width: 32 times 0.3"),
    ({"model.name": Times(2)}, "it is no number"),
  ],
)
def test_bad_overrides_are_named(base, overrides, says):
  phase = Phase(name="a", runs={"x": overrides})
  with pytest.raises(UserError, match=f"(?i){says}"):
    files.check(Sweep(base="", phases=(phase,)), base)


def test_every_winner_is_tried_before_anything_runs(base):
  """A second phase that only some winners of the first one allow."""
  first = Phase(name="a", runs=grid({"model.latent_dim": (8, 6)}))
  second = Phase(name="b", runs={"x": {"model.latent_dim": Times(0.25)}})
  with pytest.raises(UserError, match="6 times 0.25"):
    files.check(Sweep(base="", phases=(first, second)), base)


@pytest.mark.parametrize(
  ("options", "says"),
  [
    ({"metric": "beauty"}, "'beauty': one of mse, psnr"),
    ({"metric": "validation/x"}, "needs direction"),
    ({"metric": "psnr", "direction": "min"}, "less is not more"),
    ({"runs": {}}, "needs runs"),
    ({"runs": {"a/b": {}}}, "without /"),
    ({"runs": {"..": {}}}, "no point"),
    ({"runs": {"rule": {}}}, "no run can be called"),
    ({"name": "jobs"}, "no phase can be called"),
    ({"images": -1}, "p.images=-1"),
    ({"groups": {"g": ("y",)}}, "no run 'y'"),
    ({"decides": "g"}, "is no group"),
  ],
)
def test_phases_that_mean_nothing_are_refused(options, says):
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
  folders.record(sweep, base, tmp_path, allow_change=False)
  folders.record(sweep, base, tmp_path, allow_change=False)
  other, _ = files.load_sweep(f"{TOY}:changed")
  with pytest.raises(UserError, match="phases: one: images: 96 -> 128"):
    folders.record(other, base, tmp_path, allow_change=False)
  moved = load_config(
    f"{ROOT}/configs/rocks_patch_ae.py:smoke", ["--config.seed=5"]
  )
  with pytest.raises(UserError, match="seed: 0 -> 5"):
    folders.record(sweep, moved, tmp_path, allow_change=False)
  folders.record(other, base, tmp_path, allow_change=True)
  kept, kept_base = folders.read(tmp_path)
  assert kept == other and flatten(kept_base) == flatten(base)


def test_an_outcome_holds_for_its_config_alone(tmp_path, base):
  run = folders.RunFolder(path=tmp_path / "p" / "r", config=base)
  assert run.state == "missing"
  run.fail("no")
  assert run.state == "failed"
  other = load_config(
    f"{ROOT}/configs/rocks_patch_ae.py:smoke", ["--config.seed=5"]
  )
  changed = folders.RunFolder(path=run.path, config=other)
  assert changed.state == "other"
  aside = changed.set_aside(tmp_path)
  assert aside == tmp_path / "set_aside/p/r.1" and run.state == "missing"
  run.fail("again")
  assert changed.set_aside(tmp_path).name == "r.2"


FILES = {
  "no_function.py": ("x = 1\n", "no function get_sweep"),
  "no_sweep.py": ("def get_sweep(v): return 3\n", "does not return"),
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
    ([f"--config={TOY}:nonsense", "--choose=one"], "PHASE=RUN is needed"),
    ([f"--config={TOY}", "--choose=three=x"], "no such phase; there are one"),
    ([f"--config={TOY}", "--choose=one=x"], "no such run; there are latent"),
    ([f"--config={TOY}", "--nonsense=1"], "--nonsense=1: there is no such"),
    (["--config=gone.py"], "gone.py: there is no such file"),
    ([], "holds no sweep"),
    (["--only=one/x"], "holds no sweep"),
    ([f"--config={TOY}", "--parallel=0"], "--parallel"),
  ],
)
def test_mistakes_on_the_command_line(flags, says, tmp_path, capsys):
  workdir = tmp_path / "w"
  assert main(["sweep", f"--workdir={workdir}", *flags]) == 2
  error = capsys.readouterr().err
  assert says in error and len(error.splitlines()) == 1
  assert not workdir.exists()


def test_a_runs_folder_is_no_sweeps(tmp_path, capsys):
  (tmp_path / "config.json").write_text("{}")
  assert main(["sweep", f"--config={TOY}", f"--workdir={tmp_path}"]) == 2
  assert "holds a run" in capsys.readouterr().err

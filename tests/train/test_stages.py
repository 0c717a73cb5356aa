"""Runs of several stages: hand-over, growth, schedules, memory."""

import csv
import dataclasses
import json
import shutil

import jax
import numpy as np
import pytest
from jaxgen.train.plan import make_plan
from jaxgen.train.programs import Programs
from support.faults import (
  AUTOENCODER,
  SLOW,
  command,
  numbers,
  rows,
  saved,
  start,
  steps,
  wait_for,
)
from support.programs import (
  ROUNDING,
  denoiser,
  distance,
  first_batch,
  gradient,
  plan,
)

import jaxgen
from jaxgen.cli.main import main
from jaxgen.config.files import load_config
from jaxgen.config.stages import AdvancePolicy, Stage
from jaxgen.data import pipeline
from jaxgen.errors import UserError
from jaxgen.images import normalize, resize
from jaxgen.metrics.images import similarity
from jaxgen.models import layers
from jaxgen.planning import cost, roofline
from jaxgen.planning.roofline import Speed
from jaxgen.train import loop, setup, transfer
from jaxgen.train.schedule import ramp
from jaxgen.trees import named
from jaxgen.workdir.progress import Progress

STAGES = {
  "stages.resolution": "(16,24,32)",
  "stages.patch_size": "(4,6,4)",  # larger ones, then more of them
  "model.grids": "(4,8)",
  "stages.images": "(128,128,128)",
  "stages.batch_size": "(32,)",
  "stages.warmup_images": "(0,64,64)",
  "stages.fade_images": "(0,128,96)",  # a run is killed within the first
}
TWO = STAGES | {
  "stages.resolution": "(16,24)",
  "stages.patch_size": "(4,6)",
  "model.grids": "()",
  "stages.images": "(128,128)",
  "stages.warmup_images": "(0,64)",
  "stages.fade_images": "(0,64)",
}


def several(devices=1, **changes):
  flags = {"stages.images": (64, 64), "stages.batch_size": (32,)}
  flags |= {"stages.resolution": (16, 24), "stages.patch_size": (4, 6)}
  return plan(devices, **flags | changes)


def config_of(argv):
  """The config that a command line trains."""
  flags = [x for x in argv if x.startswith("--config.")]
  return load_config(AUTOENCODER, flags)


def host(tree):
  return jax.tree.map(np.asarray, tree)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
  """The workdir of a run of three resolutions that nothing disturbed."""
  workdir = tmp_path_factory.mktemp("stages") / "run"
  assert main(command(workdir, **STAGES)) == 0
  return workdir


def test_a_run_killed_in_its_second_stage_goes_on_bit_for_bit(whole, tmp_path):
  process = start(command(tmp_path, **STAGES))
  try:
    wait_for(saved(tmp_path, 6), process)
  finally:
    process.kill()
    process.communicate()
  assert 6 <= steps(tmp_path)[-1] < 12
  again = start(command(tmp_path, **STAGES))
  said = again.communicate(timeout=SLOW)[0]
  assert again.returncode == 0, said
  assert numbers(whole) == numbers(tmp_path) and rows(whole) == rows(tmp_path)


def test_a_run_goes_on_across_a_boundary_bit_for_bit(tmp_path):
  """Ended where a stage ends, by a config of fewer stages."""
  first = {k: v.split(",")[0].strip("()") for k, v in TWO.items()}
  first = {k: f"({v},)" if v else "()" for k, v in first.items()}
  rate = "optimizer.schedule"
  one = command(tmp_path / "run", **first, **{rate: "constant"})
  all_ = command(tmp_path / "run", **TWO, **{rate: "constant"})
  assert main(one) == 0
  assert main([*all_, "--allow_config_change"]) == 0
  at_once = tmp_path / "other"
  assert main(command(at_once, **TWO, **{rate: "constant"})) == 0
  assert numbers(tmp_path / "run", 8) == numbers(at_once, 8)


def test_the_log_and_the_samples_know_their_stage(whole):
  with (whole / "metrics.csv").open() as file:
    found = [(r["stage"], r["resolution"]) for r in csv.DictReader(file)]
  assert found == [("1", "16")] * 4 + [("2", "24")] * 4 + [("3", "32")] * 4
  run = jaxgen.load(whole)  # the best is one of the last stage
  assert run.image_shape == (32, 32, 1) and run.sample(2).shape[1] == 32
  assert run.step > 8
  early = jaxgen.load(whole, 8) if 8 in steps(whole) else None
  assert early is None or early.image_shape == (24, 24, 1)


def test_previews_carry_their_stage(whole):
  names = sorted(p.name for p in (whole / "samples").iterdir())
  assert names == [f"{4 * i:08}_stage{i}.png" for i in (1, 2, 3)]


def test_larger_patches_keep_what_was_learnt(trained):
  """Held-out tiles, enlarged, lose less than a decibel; with a rule's leaf at
  random they lose more, though the toy has learnt little."""
  run = jaxgen.load(trained)
  row = run.plan.stages[0]
  twice = dict(resolution=2 * row.resolution, patch_size=2 * 8)
  assert run.task.model.options.patch_size == 8
  task = cost.change(run.plan, 0, **twice).task(0)
  fresh = jax.jit(task.init)(jax.random.key(5))
  params = transfer.transfer_params(
    run.params, fresh, task.model.rules(run.task.model)
  )
  small = normalize(run.images("validation", 48))
  side = twice["resolution"]
  large = jax.image.resize(small, (len(small), side, side, 1), "linear")
  before = psnr(run.task, run.params, small)
  kept = psnr(task, params, large)
  assert kept > before - 1
  for name in ("patch_in", "patch_out"):
    at_random = params | {name: fresh[name]}
    assert psnr(task, at_random, large) < kept - 0.5


def test_more_patches_keep_what_was_learnt(trained):
  """Those of the size of before; with levels of their own more than without,
  though the toy has learnt little."""
  run, found = jaxgen.load(trained), []
  row = run.plan.stages[0]
  small = normalize(run.images("validation", 48))
  side = 2 * row.resolution
  large = jax.image.resize(small, (len(small), side, side, 1), "linear")
  before = psnr(run.task, run.params, small)
  for grids in ((), (4, 8)):
    plan_ = cost.of_model(run.plan, grids=grids)
    task = cost.change(plan_, 0, resolution=side).task(0)
    assert run.task.model.grid == (4, 4) and task.model.grid == (8, 8)
    rules = task.model.rules(run.task.model)
    fresh = jax.jit(task.init)(jax.random.key(5))
    params = transfer.transfer_params(run.params, fresh, rules)
    found.append(psnr(task, params, large))
  assert found[1] > max(before - 1, found[0])


def psnr(task, params, images):
  codec = task.codec(params)
  found = jax.jit(lambda x: codec.decode(codec.encode(x)))(images)
  return float(np.mean(similarity(found, images)["psnr"]))


def test_equal_stages_hand_over_the_very_state():
  p = several(**{"stages.resolution": (16, 16), "stages.patch_size": (4, 4)})
  state = p.fresh()
  assert transfer.transfer_state(p, state, 0, 1) is state


def test_another_remat_changes_no_bit():
  same = {"stages.resolution": (16, 16), "stages.patch_size": (4, 4)}
  p = several(**same, **{"stages.remat": ("none", "full")})
  state = p.fresh()
  over = transfer.transfer_state(p, state, 0, 1)
  want = named(host(state))
  for name, leaf in named(host(over)).items():
    assert leaf.tobytes() == want[name].tobytes()


@pytest.mark.parametrize("devices", [1, 8])
def test_what_keeps_its_shape_is_kept_bit_for_bit(devices):
  """Parameters, averages and moments; moments of the others start anew."""
  p = several(devices, **{"train.fsdp": devices > 1})
  state = p.fresh()
  batch = next(p.layout.put(first_batch(p)) for _ in range(1))
  state, _ = jax.jit(p.step(0))(state, batch, p.pace(0))
  before, over = named(host(state)), transfer.transfer_state(p, state, 0, 1)
  assert jax.tree.map(lambda x: x.sharding, over) == jax.tree.map(
    lambda x: x.sharding, p.shapes(1)
  )
  changed = {"patch_in/kernel", "patch_out/kernel", "patch_out/bias"}
  for name, leaf in named(host(over)).items():
    resampled = any(name.endswith(x) for x in changed)
    if not resampled:
      np.testing.assert_array_equal(leaf, before[name], err_msg=name)
    elif name.startswith("opt_state"):
      assert not leaf.any()
    else:
      assert leaf.any() and leaf.shape != before[name].shape


def test_leaves_that_no_rule_maps_are_all_named():
  old = {"a": np.ones(2), "b": np.ones(3), "c": np.ones(1)}
  fresh = {"a": np.ones(2), "b": np.ones(4), "d": np.ones(5)}
  with pytest.raises(UserError) as e:
    transfer.transfer_params(old, fresh, {})
  for says in ("b: (3,) to (4,)", "d: missing to (5,)", "c: (1,) to nothing"):
    assert says in str(e.value)
  grown = transfer.transfer_params(
    old, {**old, "block_3": {"w": np.zeros(2)}}, {}
  )
  assert not grown["block_3"]["w"].any()


def test_another_run_lends_its_weights(trained, whole, tmp_path, capsys):
  flags = {k: v for k, v in STAGES.items() if "images" not in k}
  flags |= {"stages.resolution": "(48,)", "stages.patch_size": "(6,)"}
  flags |= {"stages.images": "(32,)", "optimizer.learning_rate": "1e-9"}
  flags |= {"optimizer.adam_learning_rate": "1e-9"}
  argv = command(tmp_path, **flags, **{"train.init_from": whole})
  assert main(argv) == 0
  assert "beginning with the weights" in capsys.readouterr().out
  ours, theirs = jaxgen.load(tmp_path), jaxgen.load(whole)
  for name in ("position_in", "latent_in/kernel"):
    a, b = (named(run.params)[name] for run in (ours, theirs))
    np.testing.assert_allclose(a, b, atol=1e-5)
  bad = command(tmp_path / "x", **{"train.init_from": tmp_path / "nowhere"})
  assert main(bad) == 2 and "nowhere" in capsys.readouterr().err


def test_a_stage_that_gets_no_better_ends():
  rule, stage = AdvancePolicy(window=100, tolerance=0.1, minimum=0.2), several()
  row = jax.tree.map(lambda x: x, stage.stages[0])
  due = lambda *scores: rule.due(row, scores)  # noqa: E731
  assert not due((50, 10.0))  # no window yet
  assert not due((50, 10.0), (150, 10.2))
  assert due((50, 10.0), (150, 10.05))
  assert not due((50, 10.0), (100, 10.2), (150, 9.0))
  late = AdvancePolicy(window=10, tolerance=0.1, minimum=1.0)
  assert not late.due(row, ((10, 1.0), (50, 1.0)))
  assert late.due(row, ((10, 1.0), (64, 1.0)))


def test_decisions_are_kept_and_read_again():
  p = Progress().scored(32, 1.5).end(64).scored(32, 2.5)
  assert Progress.read(json.loads(json.dumps(p.meta()))) == p
  assert p.ends([100, 100, 50]) == [64, 164, 214]
  assert Progress.read({"stage": 0}) == Progress()


def test_an_adaptive_run_decides_the_same_when_it_is_resumed(tmp_path):
  """With a tolerance that no training meets each stage ends at its minimum."""
  flags = TWO | {
    "train.advance": "adaptive",
    "train.advance_tolerance": 100.0,
    "train.advance_window": 32,
    "train.advance_minimum": 0.5,
    "train.evaluate_images": 32,
  }
  assert main(command(tmp_path / "a", **flags)) == 0
  ended = [r for r in rows(tmp_path / "a") if r["stage"] == "2"]
  assert ended[0]["images"] == "96" and len(ended) == 2
  other = tmp_path / "b"
  process = start(command(other, **flags))
  try:
    wait_for(saved(other, 3), process)
  finally:
    process.kill()
    process.communicate()
  assert main(command(other, **flags)) == 0
  assert rows(other) == rows(tmp_path / "a")
  last = steps(other)[-1]
  assert numbers(other, last) == numbers(tmp_path / "a", last)


def test_only_what_a_pace_tells_leaves_the_shapes_of_a_stage():
  """Any other field may change what is computed."""
  row = Stage(resolution=16, images=64, batch_size=32)
  for field in dataclasses.fields(Stage):
    before = getattr(row, field.name)
    value = "full" if field.name == "remat" else before + 1
    changed = dataclasses.replace(row, **{field.name: value})
    same = field.name in ("images", "rate", "warmup_images", "fade_images")
    assert (changed.shapes == row.shapes) == same, field.name


def test_a_ramp_of_no_length_is_over():
  assert float(ramp(np.float32(0), np.float32(0))) == 1.0
  assert float(ramp(np.float32(1), np.float32(4))) == 0.25
  assert float(ramp(np.float32(9), np.float32(4))) == 1.0
  assert float(ramp(np.float32(-9), np.float32(4))) == 0.0


@pytest.mark.parametrize("sizes, programs", [("(16,16)", 1), ("(16,24)", 2)])
def test_each_shape_is_compiled_once(tmp_path, monkeypatch, sizes, programs):
  """Stages that differ in rate, warm-up and fade alone share their programs;
  those of other shapes are forgotten where the stage ends."""
  made, counts = [], []
  real, forget = Programs.of, setup.forget_programs

  def of(plan, index):
    made.append(real(plan, index))
    return made[-1]

  def count():
    counts.extend(x.update._cache_size() for x in made)
    forget()
    counts.extend(x.update._cache_size() for x in made)

  monkeypatch.setattr(Programs, "of", of)
  monkeypatch.setattr(setup, "forget_programs", count)
  other = {
    "stages.learning_rate_factor": "(1.0,0.5)",
    "stages.warmup_images": "(0,32)",
  }
  sizes = {"stages.resolution": sizes, "stages.patch_size": "(4,)"}
  flags = TWO | other | sizes
  assert main(command(tmp_path, **flags)) == 0
  assert counts == [1, 0] * (programs - 1)
  assert [x.update._cache_size() for x in made] == [0] * (programs - 1) + [1]
  rates = [float(r["learning_rate"]) for r in rows(tmp_path)]
  assert len(set(rates)) == len(rates)


def test_a_stage_out_of_memory_starts_again_in_smaller_parts(
  tmp_path, monkeypatch, capsys
):
  """The second stage, with the error that XLA raises."""
  real, failed = loop.set_up, []

  def scarce(run, index):
    made = real(run, index)

    def step(state, batch):
      if index and run.plan.stages[index].accumulate < 4:
        failed.append(run.plan.stages[index].accumulate)
        raise jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: out of memory")
      return made.step(state, batch)

    return dataclasses.replace(made, step=step)

  monkeypatch.setattr(loop, "set_up", scarce)
  device = jax.devices()[:1]
  config = config_of(command(tmp_path, **TWO))
  assert loop.train(config, tmp_path, devices=device)
  said = capsys.readouterr().out
  assert failed == [1, 2] and said.count("out of memory") == 2
  kept = json.loads((tmp_path / "fit.json").read_text())
  assert [row["accumulate"] for row in kept.values()] == [4]
  assert steps(tmp_path)[-1] == 8


def test_noise_and_gradients_are_the_same_for_any_microbatch():
  p = denoiser(1)
  p.config.unlock()
  p.config.model.dropout = 0.0
  batch = first_batch(p)
  want = gradient(p)(batch)
  assert distance(gradient(p, parts=4)(batch), want) < ROUNDING


def test_the_quickest_way_that_fits_is_chosen(monkeypatch):
  monkeypatch.setattr(cost, "CODE", 0)  # more than all the rest of a toy
  p = plan(1, **{"stages.batch_size": (32,), "model.scan_layers": True})
  whole_ = cost.need(p, 0)
  assert whole_.accumulate == 1 and whole_.peak > whole_.activations > 0
  same = cost.fit(p, 0, whole_.total)
  assert same == whole_
  less = cost.fit(p, 0, whole_.total - 1)
  assert less.accumulate == 2 and less.peak < whole_.peak
  assert less.remat == "none"
  assert cost.fit(p, 0, 1000) is None
  assert list(cost.divisions(p, 0)) == [1, 2, 4, 8, 16, 32]
  eight = plan(8, **{"stages.batch_size": (32,)})
  assert list(cost.divisions(eight, 0)) == [1, 2, 4]


def test_a_refusal_names_the_largest_that_fits(monkeypatch):
  """A resolution; or where parameters alone are too many, a width."""
  monkeypatch.setattr(cost, "CODE", 0)

  def least(p):
    row = cost.change(p, 0, remat="full", accumulate=32)
    return cost.need(row, 0).total

  large = plan(1, **{"stages.resolution": (64,), "stages.batch_size": (32,)})
  memory = least(cost.change(large, 0, resolution=48))
  assert "48 pixels would fit" in cost.refusal(large, 0, memory)
  wide = plan(1, **{"model.width": 256, "stages.batch_size": (32,)})
  memory = least(cost.of_model(wide, width=128))
  assert "with model.width=128 it would" in cost.refusal(wide, 0, memory)
  assert "an eighth of its width" in cost.refusal(wide, 0, 1000)
  assert "the process alone takes" in cost.refusal(wide, 0, -5)


def test_a_run_fits_itself_and_keeps_to_it(tmp_path, capsys, monkeypatch):
  monkeypatch.setattr(cost, "CODE", 0)
  p = plan(1, **{"stages.batch_size": (32,)})
  gib = (cost.need(p, 0).total - 1 + cost.OVERHEAD // 8) / 2**30
  flags = {"batch.fit": "auto", "batch.memory_gib": gib}
  config = config_of(command(tmp_path, **flags, **{"stages.images": "(64,)"}))
  assert loop.train(config, tmp_path, devices=jax.devices()[:1])
  assert "microbatches of 16" in capsys.readouterr().out
  kept = json.loads((tmp_path / "fit.json").read_text())
  assert [*kept.values()] == [{"accumulate": 2, "remat": "none"}]
  (tmp_path / "fit.json").write_text("[{]")
  with pytest.raises(UserError, match="damaged"):
    loop.train(config, tmp_path, devices=jax.devices()[:1])


def test_a_training_is_told_its_memory(tmp_path, capsys):
  """As a flag, which `jaxgen plan` has too; refused before anything runs."""
  argv = command(tmp_path, **{"stages.images": "(64,)"})
  assert main([*argv, "--memory=1KiB"]) == 2
  assert "the process alone takes" in capsys.readouterr().err
  assert main([*argv, "--memory=much"]) == 2
  assert "--memory" in capsys.readouterr().err
  assert main([*argv, "--memory=64GiB"]) == 0
  assert [*json.loads((tmp_path / "fit.json").read_text()).values()]
  config = json.loads((tmp_path / "config.json").read_text())
  assert config["batch"] == {"fit": "auto", "memory_gib": 64.0}


def test_the_rate_and_the_fade_of_each_stage():
  """Closed forms: factor, warm-up and, anew in each stage, half a cosine."""
  flags = {
    "stages.learning_rate_factor": (1.0, 0.5),
    "stages.warmup_images": (0, 32),
    "stages.fade_images": (0, 64),
    "optimizer.warmup_images": 0,
    "optimizer.learning_rate": 0.01,
  }
  at = lambda p, x: float(  # noqa: E731
    p.pace(1).rate(p.optimizer, np.float32(64 + x))
  )
  flat = several(**flags, **{"optimizer.schedule": "constant"})
  found = [at(flat, x) for x in (0, 8, 32, 64)]
  np.testing.assert_allclose(found, [0, 0.00125, 0.005, 0.005], rtol=1e-5)
  anew = several(**flags, **{"optimizer.schedule": "stage_cosine"})
  half = lambda x: 0.005 * (1 + np.cos(np.pi * x / 64)) / 2  # noqa: E731
  found = [at(anew, x) for x in (16, 32, 48)]
  want = [half(16) / 2, half(32), half(48)]
  np.testing.assert_allclose(found, want, rtol=1e-4)


def test_a_level_fades_in_and_never_out_again():
  """Also those that no stage has stood at, and where nothing is new."""
  flags = {
    "model.name": "progressive_unet",
    "model.resolutions": (32, 48, 64),
    "stages.resolution": (32, 64, 64),
    "stages.images": (64, 64, 64),
    "stages.fade_images": (0, 64, 64),
  }
  p = growing(**flags)
  start = {f"outer_{i}_fade": np.float32(0) for i in (1, 2)}
  faded = lambda stage, params, images: p.task(stage).faded(  # noqa: E731
    params, p.pace(stage).faded(np.uint32(images))
  )
  half = faded(1, start, 64 + 32)
  assert [float(x) for x in half.values()] == [0.5, 0.5]
  whole_ = faded(1, half, 64 + 64)
  again = faded(2, whole_, 128 + 1)
  assert [float(x) for x in again.values()] == [1.0, 1.0]


def test_detail_fades_in_from_the_stage_before():
  """The loss of a stage's first step is that of means, enlarged; after the
  fade that of the images themselves."""
  flags = {"stages.fade_images": (0, 32), "stages.images": (64, 128)}
  p, plain = several(**flags), several(**{"stages.images": (64, 128)})
  assert (p.below(0), p.below(1), plain.below(1)) == (0, 16, 0)
  assert p.below(-1) == 16
  assert p.compiled_for(1) != plain.compiled_for(1)
  tiles = pipeline.fixed_tiles(p.source("train", 1), 32)
  images = pipeline.stack(tiles)["image"]
  state = transfer.transfer_state(p, p.fresh(), 0, 1)
  small = resize(resize(normalize(images), 16), 24)

  def mse(plan_, images, seen):
    at = dataclasses.replace(state, images=np.uint32(seen))
    step = jax.jit(plan_.step(1))
    return float(step(at, {"image": images}, plan_.pace(1))[1]["mse"])

  for share in (0.0, 0.5, 1.0):
    mixed = (1 - share) * small + share * normalize(images)
    found, want = mse(p, images, 64 + 32 * share), mse(plain, mixed, 64)
    assert found == pytest.approx(want, rel=1e-5)
  assert mse(p, images, 64) < 0.999 * mse(p, images, 96)


def test_where_no_detail_is_new_none_fades_in():
  """Neither in smaller images nor where blocks fade in instead."""
  smaller = several(
    **{"stages.resolution": (32, 16), "stages.fade_images": (0, 32)},
    **{"stages.patch_size": (4, 4)},
  )
  assert smaller.below(1) == 0
  assert growing(**{"stages.fade_images": (0, 64, 64)}).below(1) == 0


def growing(**changes):
  flags = [f"--config.{k}={v}" for k, v in changes.items()]
  config_ = load_config("configs/rocks_edm_progressive.py:smoke", flags)
  return make_plan(config_, jax.devices()[:1])


def test_averages_are_handed_over_like_the_weights():
  p = growing(**{"stages.images": (320, 160, 96)})
  state = p.fresh()
  shifted = dataclasses.replace(
    state,
    traces={
      k: jax.tree.map(lambda x: x + 1, v) for k, v in state.traces.items()
    },
  )
  over = transfer.transfer_state(p, shifted, 0, 1)
  for trace in over.traces.values():
    for name, leaf in named(host(trace)).items():
      if name.startswith("core"):
        np.testing.assert_array_equal(leaf, named(host(state.params))[name] + 1)


def test_a_stage_that_cannot_follow_is_refused_before_anything_is_trained(
  tmp_path, capsys
):
  flags = STAGES | {"stages.resolution": "(16,25,32)"}
  assert main(command(tmp_path, **flags)) == 2
  assert "stage 2 (stages.resolution=25" in capsys.readouterr().err
  smaller = {"stages.resolution": (64, 32), "stages.fade_images": (0, 0)}
  smaller |= {"stages.images": (64, 64), "stages.batch_size": (32,)}
  p = growing(**smaller, **{"model.resolutions": (32, 64)})
  with pytest.raises(UserError, match="outer_1_fade"):
    transfer.check_transfers(p)


def test_a_finished_stage_is_not_gone_back_to(whole, tmp_path, capsys):
  shutil.copytree(whole, tmp_path / "run")
  longer = STAGES | {"stages.images": "(512,128,128)"}
  argv = command(tmp_path / "run", **longer)
  assert main([*argv, "--allow_config_change"]) == 2
  assert "stages.images: after 384 images" in capsys.readouterr().err


def test_another_network_does_not_lend_its_weights(trained, tmp_path, capsys):
  flags = {"train.init_from": trained, "model.width": "64"}
  assert main(command(tmp_path, **flags)) == 2
  assert "model" in (said := capsys.readouterr().err) and "width is 32" in said


def test_operations_of_attention_in_chunks_are_all_counted(monkeypatch):
  p = plan(1, **{"model.encoder_depth": 1})
  want = cost.flops(p, 0)
  monkeypatch.setattr(layers, "UNCHUNKED_TOKENS", 4)
  assert cost.flops(p, 0) == want


def test_time_is_that_of_operations_or_of_memory():
  """The roofline's two roofs, and its corner."""
  rates = Speed(flops=100.0, bandwidth=20.0)
  assert rates.seconds(300, 10) == 3.0 and rates.seconds(300, 90) == 4.5
  assert rates.seconds(500, 100) == 5.0
  assert Speed(flops=100.0).seconds(300, 1e12) == 3.0


def test_rates_are_of_all_devices_and_shared_out(monkeypatch):
  """With calls that take a second: 2 n^3 operations of a product on each of
  eight devices, one array read and one written."""
  monkeypatch.setattr(
    roofline, "seconds", lambda call, repeats: float(call().any())
  )
  found = roofline.measure(np.float32, 8)
  assert found.flops == roofline.SHARE * 2 * roofline.PRODUCT**3
  assert found.bandwidth == roofline.REUSE * 2 * roofline.SUM
  assert roofline.measure(np.float32, 1).flops == 8 * found.flops


def test_memory_traffic_counts_every_turn_of_a_loop():
  """Four scanned layers move about what four unrolled ones do, though the
  compiler counts the body of a loop once; and a batch in parts what it does
  whole."""
  deep = {"model.encoder_depth": 4, "model.decoder_depth": 4}
  deep |= {"stages.batch_size": (32,), "model.width": 64}
  flat, looped, parts = (
    cost.need(plan(1, **deep, **more), 0).traffic
    for more in (
      {},
      {"model.scan_layers": True},
      {"stages.accumulate": (4,)},
    )
  )
  assert 0.8 < looped / flat < 1.6 and 0.8 < parts / flat < 1.6
  two = cost.need(plan(2, **deep), 0).traffic  # of each, half the images
  assert 0.4 < two / flat < 1.0


def test_the_verb(tmp_path, capsys):
  flags = [x for x in command(tmp_path, **TWO) if x.startswith("--config")]
  report = tmp_path / "plan.json"
  argv = ["plan", *flags, "--throughput=1e9", f"--json={report}"]
  assert main([*argv, "--memory=1GiB"]) == 0
  assert "stage 2 in 1.00 GiB: microbatch 32" in capsys.readouterr().out
  found = json.loads(report.read_text())
  first, second = found["stages"]
  assert (first["patches"], second["resolution"]) == (16, 24)
  seconds = 1000 * first["flops_per_image"] / 1e9 / 8  # on 8 devices
  assert first["seconds_per_1000"] == pytest.approx(seconds)
  assert main([*argv, "--memory=10KiB"]) == 2
  assert "does not fit" in capsys.readouterr().err
  for wrong in ("--memory=much", "--throughput=fast", "--devices=99"):
    assert main([*argv, wrong]) == 2
    assert wrong.split("=")[0] in capsys.readouterr().err

"""Transfer of parameters from one network to another, leaf by leaf."""

import dataclasses

import jax
import numpy as np
import pytest
from support.programs import denoiser, first_batch, growing, on_host, shardings
from support.staged import EQUAL, two_stages

import jaxgen
from jaxgen.errors import UserError
from jaxgen.images import normalize
from jaxgen.metrics.images import similarity
from jaxgen.planning import cost
from jaxgen.train import transfer
from jaxgen.train.programs import stage_programs
from jaxgen.train.schedule import stage_schedule
from jaxgen.trees import named


@pytest.fixture
def learned(trained):
  """A run, its first stage, and held-out images on [-1, 1]."""
  run = jaxgen.load(trained)
  devices = jax.devices()[:1]
  stage = stage_programs(run.experiment, devices=devices, names=run.names)[0]
  return run, stage, normalize(run.images("validation", 48))


def psnr(task, params, images):
  codec = task.codec(params)
  found = jax.jit(lambda x: codec.decode(codec.encode(x)))(images)
  return float(np.mean(similarity(found, images)["psnr"]))


def test_larger_patches_keep_what_was_learned(learned):
  """Held-out tiles, enlarged, lose less than a decibel; with a rule's leaf at
  random they lose more, though the toy has learned little."""
  run, stage, small = learned
  twice = dict(resolution=2 * stage.stage.resolution, patch_size=2 * 8)
  assert run.task.model.options.patch_size == 8
  task = cost.change(stage, **twice).task
  fresh = jax.jit(task.init)(jax.random.key(5))
  rules = task.model.rules(run.task.model)
  params = transfer.transfer_params(run.params, fresh, rules)
  side = twice["resolution"]
  large = jax.image.resize(small, (len(small), side, side, 1), "linear")
  before = psnr(run.task, run.params, small)
  kept = psnr(task, params, large)
  assert kept > before - 1
  for name in ("patch_in", "patch_out"):
    at_random = params | {name: fresh[name]}
    assert psnr(task, at_random, large) < kept - 0.5


def test_more_patches_keep_what_was_learned(learned):
  """Those of the size of before; with levels of their own more than without,
  though the toy has learned little."""
  run, stage, small = learned
  side, found = 2 * stage.stage.resolution, []
  large = jax.image.resize(small, (len(small), side, side, 1), "linear")
  before = psnr(run.task, run.params, small)
  for grids in ((), (4, 8)):
    grown = cost.change_model(stage, grids=grids)
    task = cost.change(grown, resolution=side).task
    assert run.task.model.grid == (4, 4) and task.model.grid == (8, 8)
    rules = task.model.rules(run.task.model)
    fresh = jax.jit(task.init)(jax.random.key(5))
    params = transfer.transfer_params(run.params, fresh, rules)
    found.append(psnr(task, params, large))
  assert found[1] > max(before - 1, found[0])


def test_equal_stages_hand_over_the_very_state():
  first, second = two_stages(**EQUAL)
  state = first.fresh_state()
  assert transfer.transfer_state(state, first, second) is state


def test_another_remat_changes_no_bit():
  first, second = two_stages(**EQUAL, **{"stages.remat": ("none", "full")})
  state = first.fresh_state()
  want = named(on_host(state))
  over = transfer.transfer_state(state, first, second)
  for name, leaf in named(on_host(over)).items():
    assert leaf.tobytes() == want[name].tobytes()


@pytest.mark.parametrize("devices", [1, 8])
def test_what_keeps_its_shape_is_kept_bit_for_bit(devices):
  """Parameters, averages and moments; moments of the others start from zero."""
  first, second = two_stages(devices, **{"train.fsdp": devices > 1})
  batch = first.layout.put(first_batch(first))
  schedule = stage_schedule(first.experiment, 0)
  update = jax.jit(first.plain_update)
  state, _ = update(first.fresh_state(), batch, schedule)
  before = named(on_host(state))
  over = transfer.transfer_state(state, first, second)
  assert shardings(over) == second.shardings
  changed = {"patch_in/kernel", "patch_out/kernel", "patch_out/bias"}
  for name, leaf in named(on_host(over)).items():
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


def test_averages_are_transferred_like_the_weights():
  first, second, *_ = growing(**{"stages.images": (320, 160, 96)})
  state = first.fresh_state()
  shifted = {
    k: jax.tree.map(lambda x: x + 1, v) for k, v in state.ema_profiles.items()
  }
  assert shifted
  state = dataclasses.replace(state, ema_profiles=shifted)
  over = transfer.transfer_state(state, first, second)
  want = named(on_host(state.params))
  for profile in over.ema_profiles.values():
    for name, leaf in named(on_host(profile)).items():
      if name.startswith("core"):
        np.testing.assert_array_equal(leaf, want[name] + 1)


def test_a_stage_that_cannot_follow_is_refused():
  programs = growing(
    **{
      "stages.resolution": (64, 32),
      "stages.fade_images": (0, 0),
      "stages.images": (64, 64),
      "stages.batch_size": (32,),
      "model.resolutions": (32, 64),
    }
  )
  with pytest.raises(UserError, match="outer_1_fade"):
    transfer.check_transfers(programs)
  transfer.check_transfers(programs[::-1])


def test_a_warm_start_has_the_weights_and_fresh_moments():
  first, second = two_stages()
  shift = lambda x: x + 1  # noqa: E731
  params = jax.tree.map(shift, first.fresh_state().params)
  initial = transfer.InitialWeights(
    model=first.task.model, params=params, origin="there"
  )
  state, fresh = transfer.warm_start(second, initial), second.fresh_state()
  assert shardings(state) == second.shardings
  jax.tree.map(np.testing.assert_array_equal, state.ema, state.params)
  jax.tree.map(np.testing.assert_array_equal, state.opt_state, fresh.opt_state)
  found, old = named(on_host(state.params)), named(on_host(params))
  same = [k for k in found if found[k].shape == old[k].shape]
  assert 0 < len(same) < len(found) and int(state.step) == 0
  for name in same:
    np.testing.assert_array_equal(found[name], old[name])


def test_weights_of_another_network_are_refused_by_what_differs():
  first, _ = two_stages()
  wide = two_stages(**{"model.width": 64})[0]
  initial = transfer.InitialWeights(
    model=wide.task.model, params=wide.state_shapes.params, origin="there"
  )
  with pytest.raises(
    UserError, match="train.init_from: .*width=32, expected 64"
  ):
    transfer.warm_start(first, initial)
  other = growing()[0]
  initial = dataclasses.replace(initial, model=other.task.model)
  with pytest.raises(UserError, match="train.init_from: .*model.name"):
    transfer.warm_start(first, initial)


def test_weights_for_features_of_other_frequencies_are_refused():
  """The first layer of the time embedding would read other numbers."""
  first, other = denoiser(1), denoiser(1, **{"model.time_frequency": 16.0})
  initial = transfer.InitialWeights(
    model=other.task.model, params=other.state_shapes.params, origin="there"
  )
  with pytest.raises(UserError, match="time_frequency=1000.0, expected 16.0"):
    transfer.warm_start(first, initial)

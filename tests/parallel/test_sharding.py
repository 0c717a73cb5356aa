"""Laws of devices: results do not depend on how a run is sharded."""

import collections
import dataclasses
import functools
import os
import subprocess
import sys
from typing import Any

import jax
import numpy as np
import pytest
from support.checkpoints import restore_state, save_state
from support.programs import (
  ROOT,
  ROUNDING,
  VISIBLE,
  distance,
  few_steps,
  first_batch,
  gradient,
  held_out,
  integer_state,
  latents,
  program,
  shardings,
)

import jaxgen
from jaxgen.parallel import sharding
from jaxgen.parallel.sharding import make_mesh
from jaxgen.train import step as training
from jaxgen.train.schedule import stage_schedule

FSDP = pytest.mark.parametrize("fsdp", [False, True])


@pytest.mark.user_path
@FSDP
def test_the_gradient_is_the_same_on_1_and_8_devices(fsdp):
  """Dropout included: its noise belongs to the image, not to the device."""
  one = program(1, **{"model.dropout": 0.3})
  eight = program(8, **{"model.dropout": 0.3, "train.fsdp": fsdp})
  placed = jax.tree.leaves(shardings(eight.state_shapes.params))
  assert any(not s.is_fully_replicated for s in placed) == fsdp
  images = first_batch(one)
  assert distance(gradient(eight)(images), gradient(one)(images)) < ROUNDING


@pytest.mark.parametrize("method", ["ect", "mean_flow"])
def test_that_of_a_few_step_model_is_the_same_on_1_and_8_devices(method):
  one, eight = (few_steps(n, **{"consistency.method": method}) for n in (1, 8))
  images = first_batch(one)
  assert distance(gradient(eight)(images), gradient(one)(images)) < ROUNDING
  alone, shared = held_out(one), held_out(eight)
  assert shared == pytest.approx(alone, rel=1e-3)


def test_one_wrong_image_shows_in_the_gradient():
  """What the tolerance of the other tests is worth."""
  p = program(8)
  images, compute = first_batch(p), gradient(p)
  wrong = {"image": images["image"].copy()}
  wrong["image"][5] = wrong["image"][6]
  assert distance(compute(wrong), compute(images)) > VISIBLE


def test_accumulation_gives_the_gradient_of_the_whole_batch():
  p = program(8)
  images = first_batch(p)
  want = gradient(p)(images)
  assert distance(gradient(p, parts=4)(images), want) < ROUNDING
  assert distance(gradient(program(1), parts=8)(images), want) < ROUNDING


def microbatches_differ(p):
  """Two microbatches of the same images: is the mean of their gradients not
  that of the first?"""
  half = first_batch(p)["image"][:16]
  twice: Any = {"image": np.repeat(half, 2, axis=0)}  # microbatches are strided
  first = gradient(p)({"image": half})
  apart = distance(gradient(p, parts=2)(twice), first)
  assert apart < ROUNDING or apart > VISIBLE
  return apart > VISIBLE


def test_each_microbatch_has_noise_of_its_own(monkeypatch):
  noisy = program(1, **{"model.dropout": 0.5})
  assert microbatches_differ(noisy)
  assert not microbatches_differ(program(1))  # nothing else tells them apart
  same = lambda key, indices: jax.numpy.repeat(key[None], len(indices))  # noqa: E731
  monkeypatch.setattr(training.rng, "per_sample", same)
  assert not microbatches_differ(noisy)  # the mistake would be seen


def sliced(devices: int, slices: int, **changes: Any) -> Any:
  """A program on devices of several slices."""
  p = program(devices, **changes)
  mesh = make_mesh(jax.devices()[:devices], slices=slices)
  return dataclasses.replace(p, layout=dataclasses.replace(p.layout, mesh=mesh))


@FSDP
@pytest.mark.parametrize("slices", [2, 4])
def test_the_gradient_is_the_same_on_several_slices(fsdp, slices):
  changes = {"model.dropout": 0.3, "train.fsdp": fsdp}
  one, p = program(8, **changes), sliced(8, slices, **changes)
  assert dict(p.layout.mesh.shape) == {"replica": slices, "data": 8 // slices}
  images = first_batch(one)
  assert distance(gradient(p)(images), gradient(one)(images)) < ROUNDING


SIXTEEN = """
import dataclasses, jax
from jaxgen.parallel.sharding import make_mesh
from support.programs import ROUNDING, distance, first_batch, gradient, program
one = program(16, **{"train.fsdp": True})
mesh = make_mesh(slices=4)
assert mesh.devices.shape == (4, 4)
layout = dataclasses.replace(one.layout, mesh=mesh)
four, images = dataclasses.replace(one, layout=layout), first_batch(one)
assert distance(gradient(four)(images), gradient(one)(images)) < ROUNDING
"""


@pytest.mark.slow
def test_the_gradient_is_the_same_on_four_slices_of_four():
  env = {"JAX_NUM_CPU_DEVICES": "16", "PYTHONPATH": f"{ROOT}:{ROOT}/tests"}
  command = [sys.executable, "-c", SIXTEEN]
  assert not subprocess.run(command, env=os.environ | env).returncode


def test_parameters_are_sharded_within_a_slice_and_batches_over_all():
  p = sliced(8, 2, **{"train.fsdp": True})
  leaves = jax.tree.leaves(p.state_shapes.params)
  parts = {x.size // np.prod(x.sharding.shard_shape(x.shape)) for x in leaves}
  assert parts == {1, 4}
  assert p.layout.batch.shard_shape((16, 4)) == (2, 4)
  images = p.layout.put({"image": np.arange(16)})["image"]
  np.testing.assert_array_equal(images, np.arange(16))
  assert {len(s.device_set) for s in jax.tree.leaves(p.shardings)} == {8}


def test_slices_are_those_that_devices_report():
  Device = collections.namedtuple("Device", "id slice_index")
  devices: Any = [Device(i, (i // 2) % 2) for i in range(8)]
  groups = sharding._slices(devices, 0)
  assert [[d.id for d in x] for x in groups] == [[0, 1, 4, 5], [2, 3, 6, 7]]
  assert sharding._slices(devices[:3], 0) == [devices[:3]]  # of unequal sizes
  one = make_mesh(jax.devices())
  assert one.axis_names == ("data",) and one == make_mesh(slices=1)


@FSDP
def test_a_few_updates_are_the_same_on_1_and_8_devices(fsdp):
  """Parameters, relative to the way they went: so loosely for the optimizer's
  sake, see `laws`."""
  ends = []
  for p in (program(1), program(8, **{"train.fsdp": fsdp})):
    state, images = p.fresh_state(), p.layout.put(first_batch(p))
    start = jax.tree.map(np.asarray, state.params)
    placed = shardings(p.state_shapes), p.layout.replicated
    schedule = stage_schedule(p.experiment, 0)
    step = jax.jit(
      functools.partial(p.plain_update, schedule=schedule), out_shardings=placed
    )
    for _ in range(3):
      state, metrics = step(state, images)
    moved = jax.tree.map(lambda a, b: np.asarray(a) - b, state.params, start)
    ends.append((moved, metrics))
  (want, one), (got, eight) = ends
  assert distance(got, want) < 1e-3
  for name in ("loss", "gradient_norm"):
    assert float(eight[name]) == pytest.approx(float(one[name]), rel=1e-4)


def test_held_out_metrics_and_the_bank_are_the_same_on_1_and_8_devices():
  one, eight = program(1), program(8)
  assert held_out(eight) == pytest.approx(held_out(one), rel=1e-5)
  np.testing.assert_allclose(latents(eight), latents(one), 1e-4, 1e-5)


@pytest.mark.parametrize("there, back", [(8, 1), (1, 8)])
def test_a_checkpoint_fits_any_number_of_devices(tmp_path, there, back):
  """Bit by bit; on 8 the parameters are spread (FSDP)."""
  source, target = (program(n, **{"train.fsdp": n > 1}) for n in (there, back))
  want = integer_state(source)
  save_state(tmp_path, jax.device_put(want, shardings(source.state_shapes)))
  got = restore_state(tmp_path, target.state_shapes)
  jax.tree.map(np.testing.assert_array_equal, got, want)
  placed = jax.tree.leaves(shardings(got))
  assert placed == jax.tree.leaves(shardings(target.state_shapes))
  assert {len(s.device_set) for s in placed} == {back}


def test_samples_do_not_depend_on_devices_or_batch_size(trained):
  """Other shapes are summed in another order, so a value on the edge between
  two of the 256 levels can fall on either side."""
  want = jaxgen.load(trained).sample(12, seed=3, batch=16).astype(int)
  one = jaxgen.load(trained, devices=jax.devices()[:1])
  for run, batch in ((one, 12), (one, 5), (jaxgen.load(trained), 8)):
    got = run.sample(12, seed=3, batch=batch)
    assert np.abs(got - want).max() <= 1
    assert np.mean(got != want) < 1e-3

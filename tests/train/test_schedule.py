"""Schedules are functions of images seen."""

import dataclasses
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest
from support.programs import growing
from support.staged import two_stages

from jaxgen.config.optimizer import OptimizerConfig
from jaxgen.train.schedule import Events, Schedule, looks, ramp, stage_schedule

CONFIG = OptimizerConfig()


def rate(images, total=1000, **changes):
  config = dataclasses.replace(CONFIG, **changes)
  schedule = Schedule(
    begin=0.0, planned=0.0, total=total, warmup=config.warmup_images
  )
  return float(schedule.rate(config, images))


def test_the_rate_rises_linearly_and_falls_as_a_cosine():
  kw: dict[str, Any] = dict(learning_rate=2.0, warmup_images=100)
  flat: dict[str, Any] = dict(schedule="constant", **kw)
  assert rate(50, **flat) == pytest.approx(1.0)
  assert rate(100, **flat) == rate(900, **flat) == pytest.approx(2.0)
  assert rate(500, **kw) == pytest.approx(1.0)
  assert rate(250, **kw) == pytest.approx(1 + np.cos(np.pi / 4))
  assert rate(1000, **kw) == pytest.approx(0.0, abs=1e-6)
  assert rate(1e-3, learning_rate=2.0, warmup_images=0) == pytest.approx(2.0)


def test_the_rate_knows_images_not_steps():
  """The same images in larger batches have the same rate."""
  images = jnp.arange(0, 1000, 100)
  rates = [rate(i, warmup_images=300) for i in images]
  assert rates[::2] == [rate(i, warmup_images=300) for i in images[::2]]


def test_a_ramp_of_no_length_is_over():
  assert float(ramp(jnp.float32(0), jnp.float32(0))) == 1.0
  assert float(ramp(jnp.float32(1), jnp.float32(4))) == 0.25
  assert float(ramp(jnp.float32(9), jnp.float32(4))) == 1.0
  assert float(ramp(jnp.float32(-9), jnp.float32(4))) == 0.0


def test_the_rate_and_the_fade_of_each_stage():
  """Closed forms: factor, warm-up and, restarted in each stage, half a
  cosine."""
  flags = {
    "stages.learning_rate_factor": (1.0, 0.5),
    "stages.warmup_images": (0, 32),
    "stages.fade_images": (0, 64),
    "optimizer.warmup_images": 0,
    "optimizer.learning_rate": 0.01,
  }

  def rates(schedule, *images):
    program = two_stages(**flags, **{"optimizer.schedule": schedule})[1]
    place = stage_schedule(program.experiment, 1)
    config = program.experiment.optimizer
    return [float(place.rate(config, jnp.float32(64 + x))) for x in images]

  flat = rates("constant", 0, 8, 32, 64)
  np.testing.assert_allclose(flat, [0, 0.00125, 0.005, 0.005], rtol=1e-5)
  restarted = rates("stage_cosine", 16, 32, 48)
  half = lambda x: 0.005 * (1 + np.cos(np.pi * x / 64)) / 2  # noqa: E731
  want = [half(16) / 2, half(32), half(48)]
  np.testing.assert_allclose(restarted, want, rtol=1e-4)


def test_what_an_early_end_leaves_out_of_the_schedule_is_skipped():
  experiment = two_stages()[0].experiment
  early = stage_schedule(experiment, 1, begin=32)
  planned = stage_schedule(experiment, 1)
  assert (early.begin, planned.begin) == (32, 64)
  config = experiment.optimizer
  for into in (0, 20, 64):
    found = early.rate(config, jnp.float32(32 + into))
    assert float(found) == float(planned.rate(config, jnp.float32(64 + into)))


def test_a_level_fades_in_and_never_out_again():
  """Also those that no stage has stood at, and where nothing is new."""
  programs = growing(
    **{
      "model.name": "progressive_unet",
      "model.resolutions": (32, 48, 64),
      "stages.resolution": (32, 64, 64),
      "stages.images": (64, 64, 64),
      "stages.fade_images": (0, 64, 64),
    }
  )

  def faded(stage, params, images):
    program = programs[stage]
    share = stage_schedule(program.experiment, stage).fade(jnp.uint32(images))
    assert program.task.set_fade is not None
    return program.task.set_fade(params, share)

  start = {f"outer_{i}_fade": jnp.float32(0) for i in (1, 2)}
  half = faded(1, start, 64 + 32)
  assert [float(x) for x in half.values()] == [0.5, 0.5]
  whole = faded(1, half, 64 + 64)
  again = faded(2, whole, 128 + 1)
  assert [float(x) for x in again.values()] == [1.0, 1.0]


@pytest.mark.parametrize("every", [0, 1, 30, 49, 50, 333, 1000, 10**6])
@pytest.mark.parametrize("batch", [1, 7, 32])
def test_a_run_is_looked_at_at_least_four_times(every, batch):
  """Within the first 5%, and within each quarter."""
  total, events = 1000, looks(every, 1000)
  seen = [x for x in range(batch, total, batch) if events.due(x, batch)]
  assert seen[0] < 50 + batch
  for quarter in (250, 500, 750):
    assert any(quarter - 250 < x < quarter + batch for x in seen)
  regular = {x for x in seen if events.regular(x, batch)}
  assert regular == {x for x in seen if Events(every=every).due(x, batch)}


def test_an_interval_that_is_short_enough_is_kept():
  assert looks(50, 1000).extra == looks(1, 1000).extra == ()
  assert looks(500, 1000).extra == (50, 250, 750)
  assert looks(0, 1000).extra == (50, 250, 500, 750)

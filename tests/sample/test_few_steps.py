"""Samplers of few-step models: which run takes which, and exact samples."""

import functools

import numpy as np
import pytest
from support.few_step_run import SIDE, STD, few_step_run

from jaxgen.diffusion.samplers import SAMPLERS
from jaxgen.errors import UserError
from jaxgen.evaluation.candidates import candidates
from jaxgen.sample import few_steps
from jaxgen.sample.options import FEW_STEPS, PRESETS
from jaxgen.sample.program import prior_of

METHODS = ("", "ect", "mean_flow")
run_of = functools.cache(few_step_run)
std = lambda images: images.std() / 127.5  # noqa: E731


@pytest.mark.parametrize(
  ("method", "calls"), [("", 35), ("ect", 2), ("mean_flow", 2)]
)
def test_the_default_sampler_is_that_of_the_run(method, calls):
  run = run_of(method)
  assert run.network_calls() == calls
  sampler = few_steps.default_sampler(run)
  assert run.network_calls(sampler=sampler) == calls
  assert run.network_calls(steps=3) == (5 if not method else 3)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("sampler", [*PRESETS, *SAMPLERS])
def test_other_samplers_are_refused_in_one_line(method, sampler):
  run, few = run_of(method), sampler.replace("-", "_").startswith(FEW_STEPS)
  fits = {
    "": not few,
    "ect": sampler.startswith("consistency"),
    "mean_flow": True,
  }[method]
  assert few_steps.admits(run, sampler) == fits
  if fits:
    assert run.network_calls(sampler=sampler) >= 1
    return
  with pytest.raises(UserError) as error:
    run.network_calls(sampler=sampler)
  assert f"sampler={sampler}" in str(error.value)
  assert "\n" not in str(error.value) and "consistency" in str(error.value)


@pytest.mark.parametrize("calls", [1, 2, 4])
@pytest.mark.parametrize("kind", ["consistency", "flow-map"])
def test_exact_models_have_the_spread_of_the_data_at_any_calls(kind, calls):
  run = run_of("ect" if kind == "consistency" else "mean_flow")
  images = run.sample(128, batch=128, sampler=f"{kind}-{calls}")
  assert std(images) == pytest.approx(STD, rel=0.03)


def test_a_flow_map_goes_the_same_way_in_any_steps():
  flow = run_of("mean_flow")
  images = [flow.sample(4, sampler=f"flow-map-{n}") for n in (1, 2)]
  far = np.abs(np.subtract(*images, dtype=int))
  assert far.max() <= 1
  noisy = [run_of("ect").sample(4, sampler=f"consistency-{n}") for n in (1, 2)]
  assert np.abs(np.subtract(*noisy, dtype=int)).mean() > 5


@pytest.mark.parametrize("method", ["ect", "mean_flow"])
def test_known_pixels_stay_and_need_no_corrections(method):
  run = run_of(method)
  images = np.full((64, SIDE, SIDE, 1), 200, np.uint8)
  mask = np.zeros((SIDE, SIDE), bool)
  mask[2:6, 2:6] = True
  filled = run.inpaint(images, mask)
  np.testing.assert_array_equal(filled[:, ~mask], images[:, ~mask])
  assert std(filled[:, mask]) == pytest.approx(STD, rel=0.1)
  assert few_steps.corrections_of(run, None, None) == 0
  assert few_steps.corrections_of(run_of(""), None, None) == 2
  with pytest.raises(UserError, match="corrections=1"):
    run.inpaint(images, mask, corrections=1)


def test_variations_keep_some_of_the_image():
  """With half of two steps the second remains: from a level of 0.8."""
  images = np.full((64, SIDE, SIDE, 1), 250, np.uint8)
  run = run_of("ect")
  varied = run.edit(images, strength=0.5)
  kept = STD / np.hypot(STD, 0.8) * (250 / 127.5 - 1)
  assert varied.mean() / 127.5 - 1 == pytest.approx(kept, abs=0.02)
  new = run.edit(images, strength=1.0)
  assert abs(new.mean() / 127.5 - 1) < 0.02


def test_what_needs_a_denoiser_is_refused():
  run, image = run_of("ect"), np.zeros((SIDE, SIDE, 1), np.uint8)
  with pytest.raises(UserError, match="interpolation: .*few-step"):
    run.interpolate(image, image)
  with pytest.raises(UserError, match="prior: .*few-step"):
    prior_of(run)
  with pytest.raises(UserError, match="weak=run: .*few-step"):
    run_of("").sample(2, weak=run, guidance=2.0)
  with pytest.raises(UserError, match="guidance=2.0: expected 1"):
    run.sample(2, weak=run_of(""), guidance=2.0)


def test_candidates_have_the_samplers_of_their_runs():
  methods = lambda run, *given: [  # noqa: E731
    x.method for x in candidates([run], given)
  ]
  assert methods(run_of("ect")) == [f"consistency-{n}" for n in (1, 2, 4)]
  assert methods(run_of("mean_flow")) == [f"flow-map-{n}" for n in (1, 2, 4)]
  assert not any(x.startswith(("cons", "flow")) for x in methods(run_of("")))
  both = ("heun-18", "consistency-2")
  assert methods(run_of("ect"), *both) == ["consistency-2"]
  assert methods(run_of(""), *both) == ["heun-18"]
  with pytest.raises(UserError, match="--samplers=heun-18.*consistency-2"):
    methods(run_of("ect"), "heun-18")

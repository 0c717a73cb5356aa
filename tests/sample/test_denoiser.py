import dataclasses
import functools
import re

import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

import jaxgen
from jaxgen.cli.main import main
from jaxgen.diffusion.samplers import SAMPLERS
from jaxgen.errors import UserError
from jaxgen.sample.options import (
  FEW_STEPS,
  SamplingKeywords,
  SamplingOptions,
)
from jaxgen.sample.program import sampling_program
from jaxgen.workdir.posthoc_ema import PosthocEMA

GRANITE = {"rock_type": "granite", "zoom_level": "macro"}
FAST = {"sampler": "euler", "steps": 3}


@pytest.fixture(scope="module")
def run(denoiser):
  return jaxgen.load(denoiser)


def close(a, b):
  """Equal but for levels that rounding has moved by one."""
  far = np.abs(a.astype(int) - b.astype(int))
  return far.max() <= 1 and (far > 0).mean() < 0.01


def test_image_i_is_a_function_of_the_seed_and_i(run):
  whole = run.sample(11, seed=1, **FAST)
  assert whole.shape == (11, 32, 32, 3) and whole.dtype == np.uint8
  assert close(run.sample(5, seed=1, batch=8, **FAST), whole[:5])
  assert (run.sample(11, seed=2, **FAST) != whole).mean() > 0.5
  assert len(np.unique(whole.reshape(11, -1), axis=0)) == 11


OF_DENOISERS = [x for x in SAMPLERS if x not in FEW_STEPS]


@pytest.mark.parametrize("sampler", [*OF_DENOISERS, "ddim-25"])
def test_every_sampler_gives_images(run, sampler):
  steps = None if sampler == "ddim-25" else 3
  images = run.sample(8, sampler=sampler, steps=steps, batch=8)
  assert images.shape == (8, 32, 32, 3) and images.std() > 5


def test_conditions_and_guidance_change_the_images(run):
  free = run.sample(8, **FAST)
  conditional = run.sample(8, conditions=GRANITE, **FAST)
  two = run.sample(8, conditions=GRANITE, guidance=3.0, **FAST)
  apart = run.sample(
    8, conditions=GRANITE, guidance_weights={"rock_type": 3.0}, **FAST
  )
  found = [free, conditional, two, apart]
  assert len({x.tobytes() for x in found}) == 4
  one = run.sample(8, conditions=GRANITE, guidance=1.0, **FAST)
  np.testing.assert_array_equal(one, conditional)
  nowhere = run.sample(
    8, conditions=GRANITE, guidance=3.0, interval=(1e5, 1e6), **FAST
  )
  assert close(nowhere, conditional)


def test_a_weaker_checkpoint_guides(run):
  weak = jaxgen.load(run.workdir, f"ema-0.1@{PosthocEMA(run.workdir).steps[0]}")
  alone, guided = (
    run.sample(8, conditions=GRANITE, **FAST, **more)
    for more in ({}, {"weak": weak, "guidance": 2.0})
  )
  assert (alone != guided).mean() > 0.1
  itself = run.sample(8, conditions=GRANITE, weak=run, guidance=2.0, **FAST)
  assert close(itself, alone)
  free = run.sample(8, weak=weak, guidance=2.0, interval=(1e5, 1e6), **FAST)
  assert close(free, run.sample(8, **FAST))


def test_eta_and_churn_reach_the_sampler(run):
  for sampler, name in (("ddim", "eta"), ("edm_stochastic", "churn")):
    free, some = (
      run.sample(8, sampler=sampler, steps=4, **{name: x}) for x in (0.0, 1.0)
    )
    assert (free != some).mean() > 0.1
  ddpm = run.sample(8, sampler="ddpm", steps=4)
  assert close(run.sample(8, sampler="ddim", steps=4, eta=1.0), ddpm)


def test_requests_of_a_shape_share_one_program(run):
  run.sample(9, conditions=GRANITE, guidance=2.0, **FAST)
  compiled = run.cached(sampling_program)._cache_size()
  for i, rock in enumerate(run.conditions["rock_type"]):
    conditions = {"rock_type": rock}
    run.sample(9 + i, seed=i, conditions=conditions, guidance=1.5 + i, **FAST)
  every = {"rock_type": ["granite"] * 9}  # a value for each image
  ends = np.float32(0.0), 100
  run.sample(9, conditions=every, guidance=2.0, interval=ends, **FAST)
  assert run.cached(sampling_program)._cache_size() == compiled


def test_keywords_are_the_fields_of_the_options():
  fields = {x.name for x in dataclasses.fields(SamplingOptions)}
  assert fields == set(SamplingKeywords.__annotations__)


def test_the_trajectory_ends_in_the_images(run):
  images, seen = run.sample(9, trajectory=True, batch=8, **FAST)
  assert seen.shape == (3, 9, 32, 32, 3) and images.shape == seen[-1].shape
  assert close(seen[-1], images) and not close(seen[0], images)


def test_another_resolution(run):
  assert run.sample(2, resolution=48, **FAST).shape == (2, 48, 48, 3)


@pytest.mark.parametrize(
  ("options", "says"),
  [
    ({"sampler": "magic"}, "sampler='magic'"),
    ({"steps": 0}, "steps=0"),
    ({"sampler": "ddpm", "steps": 2000}, "steps=2000"),
    ({"conditions": {"color": "red"}}, "color=red"),
    ({"conditions": {"rock_type": "lava"}}, "rock_type=lava"),
    ({"guidance": 2.0}, "guidance=2.0"),
    ({"guidance": float("nan"), "conditions": GRANITE}, "guidance=nan"),
    ({"guidance_weights": {"rock_type": 2.0}}, "guidance_weights: rock_type"),
    ({"resolution": 30}, "resolution 30"),
    ({"seed": -1}, "seed=-1"),
    ({"weak": "itself"}, "weak="),
    ({"weak": 3}, "weak=3"),
    ({"interval": 3}, "interval=3"),
    ({"interval": (5, 1)}, "interval=(5, 1)"),
    ({"interval": (1, 5)}, "interval="),
    ({"conditions": "granite"}, "conditions='granite'"),
    ({"conditions": {"rock_type": [["granite"]]}}, "rock_type=[["),
    ({"guidance_weights": [1]}, "guidance_weights=[1]"),
    ({"guidance_weights": {"rock_type": 2.0}, "guidance": 2.0}, "guidance and"),
    ({"resolution": -32}, "resolution=-32"),
    ({"eta": 0.5}, "eta=0.5"),
    ({"sampler": "ddim-25", "eta": 2.0}, "eta=2.0"),
  ],
)
def test_what_the_run_cannot_do_is_named(run, options, says):
  if options.get("weak") == "itself":
    options = {"weak": run}
  with pytest.raises(UserError, match=re.escape(says)):
    run.sample(2, **(FAST | options))


def test_conditions_of_another_number_are_refused(run):
  with pytest.raises(UserError, match="conditions: .* rock_type"):
    run.sample(3, conditions={"rock_type": ["granite", None]}, steps=2)
  with pytest.raises(UserError, match="rock_type=lava"):
    run.sample(2, conditions={"rock_type": ["granite", "lava"]}, steps=2)


@pytest.mark.user_path
def test_the_verb_takes_conditions_as_flags(denoiser, tmp_path, capsys):
  command = ["sample", f"--workdir={denoiser}", f"--out={tmp_path}", "--num=4"]
  fast = ["--sampler=euler", "--steps=3"]
  more = ["--rock_type=granite", "--guidance=2", "--denoising_video"]
  assert main([*command, *fast, *more]) == 0
  assert len(list(tmp_path.glob("0*.png"))) == 4
  with Image.open(tmp_path / "denoising.gif") as video:
    assert getattr(video, "n_frames", 1) == 3
  weights = ["--rock_type=granite", "--guidance_weights=rock_type=2"]
  assert main([*command, *fast, *weights, "--interval=0.1,2"]) == 0
  weak = ["--weak=latest", "--guidance=2", "--resolution=48"]
  assert main([*command, *fast, *weak]) == 0
  with Image.open(tmp_path / "00000.png") as image:
    assert image.size == (48, 48)
  capsys.readouterr()
  for wrong, says in (
    ("--rock_typ=granite", "Did you mean --rock_type="),
    ("granite", "error: granite: "),
    ("--rock_type", "--rock_type=VALUE"),
    ("--rock_type=lava", "error: --rock_type=lava: "),
    ("--guidance_weights=rock_type=two", "got 'two'"),
    ("--interval=2,1", "--interval=2,1"),
    ("--method=gmm", "--method is for autoencoders"),
    ("--weak=9999", "no checkpoint '9999'"),
    ("--weak=latest", "weak="),
  ):
    assert main([*command, wrong]) == 2
    error = capsys.readouterr().err
    assert says in error and error.count("\n") == 1


def test_verbs_of_autoencoders_refuse_a_denoiser(denoiser, tmp_path, capsys):
  out = f"--out={tmp_path}"
  verb = ["reconstruct", f"--workdir={denoiser}", "--input=x", out]
  assert main(verb) == 2
  assert f"--workdir={denoiser}" in capsys.readouterr().err


def test_an_autoencoder_refuses_the_flags_of_denoisers(
  trained, tmp_path, capsys
):
  command = ["sample", f"--workdir={trained}", f"--out={tmp_path}"]
  for flag in ("--sampler=heun", "--rock_type=granite", "--denoising_video"):
    assert main([*command, flag]) == 2
    assert flag.partition("=")[0] in capsys.readouterr().err


def test_nan_weights_are_reported(run):
  bad = jaxgen.load(run.workdir)
  nan = {k: v for k, v in bad.params.items()}
  nan["patch_out"] = {k: v * jnp.nan for k, v in nan["patch_out"].items()}
  object.__setattr__(bad, "params", nan)
  with pytest.raises(UserError, match="not finite"):
    bad.sample(2, **FAST)


def test_the_data_are_not_needed_for_sampling(run, monkeypatch):
  fail = functools.lru_cache(lambda *_: pytest.fail("opened"))
  monkeypatch.setattr("jaxgen.data.sources.build", fail)
  again = jaxgen.load(run.workdir)
  assert again.conditions == run.conditions
  assert close(again.sample(4, **FAST), run.sample(4, **FAST))

"""Few-step models and the denoisers that they are tuned from."""

import dataclasses
import re

import jax
import numpy as np
import pytest
from support import companions
from support.configs import programs, toy_denoiser, toy_few_steps

from jaxgen.errors import UserError
from jaxgen.tasks.companion import Companions
from jaxgen.train import teacher, transfer
from jaxgen.trees import named

NAMES = {"kind": ("a", "b")}


def program(maker, **sections):
  small = {
    "stages": {"resolution": (8,)},
    "model": {"patch_size": 4, "width": 16},
    "data": {"source": "rocks"},
  }
  names = {*small, *sections}
  merged = {k: small.get(k, {}) | sections.get(k, {}) for k in names}
  return programs(maker(**merged), 1, names=NAMES)[0]


def initial(**sections):
  """The weights of a denoiser, with all that its run knows."""
  found = program(toy_denoiser, **sections)
  return transfer.InitialWeights(
    model=found.task.model,
    params=companions.random_params(found.task),
    origin="there",
    experiment=found.experiment,
    names=NAMES,
  )


@pytest.mark.parametrize("method", ["ect", "mean_flow"])
def test_a_run_begins_with_the_denoiser_s_weights(method):
  """Those of learned loss weights are dropped, those of the level of a step's
  end are new."""
  own = program(toy_few_steps, consistency={"method": method})
  old = initial(diffusion={"uncertainty": True})
  teacher.check_teacher(own, old)
  params = named(jax.tree.map(np.asarray, transfer.warm_start(own, old).params))
  before = named(old.params)
  assert before.keys() - params.keys() == {"uncertainty"}
  fresh = params.keys() - before.keys()
  assert bool(fresh) == (method == "mean_flow")
  assert all("numbers_next_level" in name for name in fresh)
  for name in params.keys() - fresh:
    np.testing.assert_array_equal(params[name], before[name])


def test_only_learned_loss_weights_are_dropped():
  own, old = program(toy_few_steps), initial()
  more = dataclasses.replace(old, params={**old.params, "extra": np.zeros(2)})
  with pytest.raises(UserError, match="extra"):
    transfer.warm_start(own, more)
  keeps = program(toy_denoiser, diffusion={"uncertainty": True})
  with pytest.raises(UserError, match="uncertainty"):
    transfer.warm_start(keeps, old)


@pytest.mark.parametrize(
  ("sections", "named_field"),
  [
    ({"diffusion": {"sigma_data": 0.6}}, "diffusion.sigma_data=0.5, but 0.6"),
    ({"diffusion": {"noise_map": True}}, "diffusion.noise_map"),
    ({"hint": {"kind": "edges"}}, "hint.kind=, but edges"),
    ({"latent": {"normalize": "whiten"}}, "latent.normalize=channel"),
    ({"stages": {"resolution": (16,)}}, "stages.resolution: .*8, but 16"),
    ({"diffusion": {"conditions": ("kind",)}}, "diffusion.conditions"),
  ],
)
def test_another_denoiser_is_refused_by_what_differs(sections, named_field):
  own = program(toy_few_steps, train={"init_from": "runs/edm"})
  with pytest.raises(UserError) as error:
    teacher.check_teacher(own, initial(**sections))
  message = str(error.value)
  assert message.startswith("train.init_from=runs/edm: ")
  assert re.search(named_field, message) and "\n" not in message


def test_other_values_of_a_condition_are_refused():
  conditions = {"diffusion": {"conditions": ("kind",)}}
  own, old = program(toy_few_steps, **conditions), initial(**conditions)
  teacher.check_teacher(own, old)
  other = dataclasses.replace(old, names={"kind": ("a", "c")})
  with pytest.raises(UserError, match="kind is one of a, b, but a, c"):
    teacher.check_teacher(own, other)


def test_latents_of_another_autoencoder_are_refused():
  own, old = program(toy_few_steps), initial()
  run = companions.linear()
  latent = dataclasses.replace(own, companions=Companions(runs={"codec": run}))
  with pytest.raises(UserError, match="latent.run=runs/ae .*none"):
    teacher.check_teacher(latent, old)
  same = dataclasses.replace(old, companions=Companions(runs={"codec": run}))
  teacher.check_teacher(latent, same)
  with pytest.raises(UserError, match="latent.run is empty"):
    teacher.check_teacher(own, same)
  moved = dataclasses.replace(run, digest="c" * 32, origin="runs/other")
  other = dataclasses.replace(old, companions=Companions(runs={"codec": moved}))
  with pytest.raises(UserError, match="runs/other"):
    teacher.check_teacher(latent, other)


def test_other_runs_have_no_teacher():
  own = program(toy_denoiser)
  teacher.check_teacher(own, initial(diffusion={"sigma_data": 0.6}))


def test_scratch_is_warned_of(capsys):
  teacher.warn_of_scratch(program(toy_few_steps).experiment)
  assert "train.init_from" in capsys.readouterr().out
  few = {"consistency": {"pretrain_images": 320}}
  teacher.warn_of_scratch(program(toy_few_steps, **few).experiment)
  teacher.warn_of_scratch(program(toy_denoiser).experiment)
  assert not capsys.readouterr().out

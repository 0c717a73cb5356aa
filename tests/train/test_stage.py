"""The task, data, shardings and programs of a stage."""

import functools

import jax
import numpy as np
import pytest
from support.configs import check, toy, toy_denoiser
from support.faults import command, rows
from support.programs import growing, program, stages
from support.staged import EQUAL, TWO, two_stages

from jaxgen.cli.main import main
from jaxgen.config.parse import parse
from jaxgen.data.sources import fingerprint
from jaxgen.errors import UserError
from jaxgen.train import run
from jaxgen.train.programs import stage_programs
from jaxgen.train.stage import StageProgram


def test_detail_fades_in_only_where_images_become_larger():
  """Not in the first stage, nor where blocks fade in instead."""
  first, second = two_stages(**{"stages.fade_images": (0, 32)})
  assert (first.fade_from, second.fade_from) == (0, 16)
  plain = two_stages()[1]
  assert plain.fade_from == 0 and plain.shapes != second.shapes
  smaller = {"stages.resolution": (32, 16), "stages.fade_images": (0, 32)}
  same = {"stages.patch_size": (4, 4)}
  assert two_stages(**smaller, **same)[1].fade_from == 0
  assert growing(**{"stages.fade_images": (0, 64, 64)})[1].fade_from == 0


def test_batches_of_evaluation_divide_over_the_devices():
  flags = {"stages.batch_size": (48,), "stages.accumulate": (3,)}
  for devices, batch in ((1, 16), (3, 18), (8, 16)):
    assert program(devices, **flags).evaluation_batch == batch


def test_the_fresh_state_lies_where_the_shardings_say():
  p = program(8, **{"train.fsdp": True})
  state = p.fresh_state()
  placed = jax.tree.map(lambda x: x.sharding, state)
  assert placed == p.shardings
  assert any(not x.is_fully_replicated for x in jax.tree.leaves(placed))


def test_batches_begin_at_the_requested_batch():
  p = program(1)
  batches = p.batches(0)
  every = [np.asarray(next(batches)["image"]) for _ in range(3)]
  batches.close()
  late = p.batches(2)
  np.testing.assert_array_equal(next(late)["image"], every[2])
  late.close()
  assert not np.array_equal(every[0], every[1])


def test_each_stage_draws_batches_of_its_own():
  first, second = (next(p.batches(0))["image"] for p in two_stages(**EQUAL))
  assert not np.array_equal(first, second)


def test_only_a_task_that_draws_from_latents_has_a_cache():
  assert program(1).latent_cache is not None
  assert growing()[0].latent_cache is None


@pytest.mark.parametrize(
  ("stage", "named"),
  [
    ({"batch_size": (36,)}, "stages.batch_size"),
    ({"accumulate": (8,)}, "stages.batch_size"),
    ({"resolution": (512,)}, "512|1024"),
  ],
)
def test_what_does_not_fit_devices_or_data_is_named(stage, named):
  with pytest.raises(UserError, match=named):
    check(toy(stages=stage))


def test_a_condition_that_the_data_lack_is_named():
  with pytest.raises(UserError, match="diffusion.conditions"):
    check(toy_denoiser(diffusion={"conditions": ("zoom_level",)}))


def test_of_several_stages_the_wrong_one_is_named():
  stages_ = {
    "resolution": (32, 512),
    "images": (64, 64),
    "patch_size": (0, 256),
  }
  with pytest.raises(UserError, match=r"^stage 2 \(stages.resolution=512"):
    check(toy(stages=stages_))


def test_a_fingerprint_is_that_of_the_data_of_both_splits():
  textures = fingerprint(parse(toy()))
  assert len(textures.split()) == 2
  assert fingerprint(parse(toy(model={"width": 64}))) == textures
  for data in ({"source": "rocks"}, {"source": "rocks", "seed": 1}):
    other = fingerprint(parse(toy(data=data)))
    assert other != textures and other == fingerprint(parse(toy(data=data)))


def test_names_are_those_of_the_data_unless_given():
  config = toy_denoiser(diffusion={"conditions": ("label",)})
  assert stage_programs(parse(config))[0].names == {
    "label": ("brick", "grass", "gravel")
  }
  given = {"label": ("a", "b")}
  programs = stage_programs(parse(config), names=given)
  assert programs[0].names == given
  assert [p.index for p in stages(1, **TWO)] == [0, 1]


@pytest.mark.slow
@pytest.mark.parametrize("sizes, programs", [("(16,16)", 1), ("(16,24)", 2)])
def test_each_shape_is_compiled_once(tmp_path, monkeypatch, sizes, programs):
  """Stages that differ in rate, warm-up and fade alone share their programs;
  those of other shapes are freed where the stage ends."""
  made, counts = [], []
  make, free = StageProgram.update.func, run.free_programs

  def update(self):
    made.append(make(self))
    return made[-1]

  def count():
    counts.extend(x._cache_size() for x in made)
    free()
    counts.extend(x._cache_size() for x in made)

  counted = functools.cached_property(update)
  counted.__set_name__(StageProgram, "update")
  monkeypatch.setattr(StageProgram, "update", counted)
  monkeypatch.setattr(run, "free_programs", count)
  other = {
    "stages.learning_rate_factor": "(1.0,0.5)",
    "stages.warmup_images": "(0,32)",
  }
  sizes = {"stages.resolution": sizes, "stages.patch_size": "(4,)"}
  flags = TWO | other | sizes
  assert main(command(tmp_path, **flags)) == 0
  assert counts == [1, 0] * (programs - 1)
  assert [x._cache_size() for x in made] == [0] * (programs - 1) + [1]
  rates = [float(r["learning_rate"]) for r in rows(tmp_path)]
  assert len(set(rates)) == len(rates)

"""Checks of sections against each other: one line that names the field."""

from typing import Any

import pytest
from support import controls
from support.configs import toy, toy_denoiser, toy_few_steps

from jaxgen.config import defaults
from jaxgen.config.parse import parse
from jaxgen.errors import UserError

AE = "runs/autoencoder"
RECONSTRUCTION = {"kind": "reconstruction", "run": AE}
MASKS = {"source": "folder", "masks": "masks"}
SEGMENTS = {"kind": "segments", "num_classes": 3}
RESIDUAL = {"target": "residual"}


@pytest.mark.parametrize(
  "sections",
  [
    {},
    {"hint": {"kind": "edges"}},
    {"hint": {"kind": "lowres", "factor": 8, "noise": 0.5}},
    {"hint": RECONSTRUCTION | {"noise": 0.1}},
    {"hint": SEGMENTS, "data": MASKS},
    {"hint": SEGMENTS, "data": {"source": "rocks"}},
    {"hint": {"kind": "image"}, "data": {"source": "folder", "hints": "x"}},
    {"hint": RECONSTRUCTION | {"drop_prob": 0.0}, "diffusion": RESIDUAL},
    {"hint": {"kind": "lowres", "drop_prob": 0.0}, "diffusion": RESIDUAL},
    {"latent": {"run": AE, "normalize": "whiten", "views": 4}},
    {"latent": {"views": 4}},  # a config whose run is a flag
    {"diffusion": {"conditions": ("hint",)}},  # of the data, without a hint
  ],
)
def test_sections_that_fit_pass(sections):
  experiment = parse(toy_denoiser(**sections))
  for name, values in sections.items():
    section = getattr(experiment, name)
    assert all(getattr(section, k) == v for k, v in values.items())


@pytest.mark.parametrize(
  ("sections", "culprit", "remedy"),
  [
    ({"hint": {"kind": "reconstruction"}}, "hint.run", "workdir"),
    ({"hint": {"kind": "edges", "run": AE}}, f"hint.run={AE}", "hint.kind"),
    ({"hint": {"kind": "segments"}}, "hint.num_classes=0", "classes"),
    ({"hint": SEGMENTS}, "hint.kind=segments", "data.masks"),
    ({"hint": {"kind": "image"}}, "hint.kind=image", "data.hints"),
    ({"data": {"hints": "x"}}, "data.hints=x", "hint.kind=image"),
    (
      {"hint": SEGMENTS, "data": {"source": "arrays", "masks": "m"}},
      "hint.kind=segments",
      "data.source=folder",
    ),
    ({"hint": {"kind": "edges", "noise": 0.1}}, "hint.noise=0.1", "lowres"),
    ({"hint": {"kind": "lowres", "factor": 3}}, "hint.factor=3", "32"),
    ({"diffusion": RESIDUAL}, "diffusion.target=residual", "hint.kind"),
    (
      {"diffusion": RESIDUAL, "hint": {"kind": "edges", "drop_prob": 0.0}},
      "diffusion.target=residual",
      "hint.kind=reconstruction or lowres",
    ),
    (
      {"diffusion": RESIDUAL, "hint": {"kind": "lowres"}},
      "hint.drop_prob=0.1",
      "expected 0",
    ),
    (
      {"latent": {"run": AE}, "hint": {"kind": "edges"}},
      "hint.kind=edges",
      f"latent.run={AE}",
    ),
    (
      {"diffusion": {"noise_map": True}, "hint": {"kind": "edges"}},
      "hint.kind=edges",
      "diffusion.noise_map",
    ),
    (
      {"diffusion": {"noise_map": True}, "latent": {"run": AE}},
      f"latent.run={AE}",
      "diffusion.noise_map",
    ),
    (
      {"diffusion": {"conditions": ("hint",)}, "hint": {"kind": "edges"}},
      "diffusion.conditions",
      "'hint'",
    ),
  ],
)
def test_sections_that_contradict_each_other_are_named(
  sections: dict[str, Any], culprit, remedy
):
  with pytest.raises(UserError) as error:
    parse(toy_denoiser(**sections))
  message = str(error.value)
  assert message.startswith(culprit) and remedy in message
  assert "\n" not in message and message.endswith(".")


def test_of_several_stages_the_one_that_a_hint_does_not_fit_is_named():
  config = toy_denoiser(hint={"kind": "lowres", "factor": 8})
  config.stages.update(resolution=(32, 36), images=(64, 64))
  with pytest.raises(UserError, match="^stage 2 .*hint.factor=8"):
    parse(config)


@pytest.mark.parametrize("section", ["hint", "latent"])
def test_an_autoencoder_has_no_such_section(section):
  with pytest.raises(UserError, match=f"^{section}: no such section"):
    parse(toy().to_dict() | {section: {}})


@pytest.mark.parametrize(
  ("sections", "culprit", "remedy"),
  [
    ({"diffusion": {"uncertainty": True}}, "diffusion.uncertainty", "False"),
    ({"diffusion": {"noise_map": True}}, "diffusion.noise_map", "False"),
    (
      {"diffusion": {"sigma_max": 0.5}},
      "consistency.second_sigma=0.8",
      "diffusion.sigma_max=0.5",
    ),
    (
      {"stages": {"resolution": (32, 64)}},
      "stages.resolution",
      "a single stage",
    ),
    (
      {"consistency": {"pretrain_images": 960}},
      "consistency.pretrain_images=960",
      "stages.images=960",
    ),
  ],
)
def test_what_few_step_models_cannot_have_is_named(sections, culprit, remedy):
  with pytest.raises(UserError) as error:
    parse(toy_few_steps(**sections))
  message = str(error.value)
  assert message.startswith(culprit) and remedy in message


@pytest.mark.parametrize(
  ("model", "sections", "culprit", "remedy"),
  [
    ("unet", {"control": {"base": ""}}, "control.base=''", "a denoiser"),
    ("unet", {"hint": {"kind": ""}}, "hint.kind=''", "a hint"),
    ("unet", {"hint": {"drop_prob": 0.1}}, "hint.drop_prob=0.1", "expected 0"),
    (
      "unet",
      {
        "diffusion": {"target": "residual"},
        "hint": {"kind": "lowres", "factor": 2},
      },
      "diffusion.target=residual",
      "image",
    ),
    ("dit", {"model": {"scan_layers": True}}, "model.scan_layers", "False"),
    ("unet", {"latent": {"run": AE, "views": 2}}, "latent.views=2", "0"),
    (
      "unet",
      {"stages": {"resolution": (8, 16), "images": (64, 64)}},
      "stages.resolution",
      "a single stage",
    ),
  ],
)
def test_what_controls_cannot_have_is_named(model, sections, culprit, remedy):
  with pytest.raises(UserError) as error:
    parse(controls.control_config(model, **sections))
  message = str(error.value)
  assert message.startswith(culprit) and remedy in message


@pytest.mark.parametrize("model", ["unet", "dit"])
def test_controls_have_hints_of_latents(model):
  parse(controls.control_config(model, latent={"run": AE}))
  other = controls.control_config(model)
  other.model = defaults.mlp()
  with pytest.raises(UserError, match="^model.name=mlp: expected unet or dit"):
    parse(other)


def test_only_few_step_models_have_a_method():
  assert parse(toy_few_steps()).few_steps == "ect"
  assert parse(toy_denoiser()).few_steps == parse(toy()).few_steps == ""


@pytest.mark.parametrize("model", ["ddpm_unet", "song_unet"])
@pytest.mark.parametrize(
  ("section", "values", "culprit"),
  [
    ("hint", {"kind": "edges"}, "hint.kind=edges"),
    ("diffusion", {"conditions": ("label",)}, "diffusion.conditions"),
    ("diffusion", {"noise_map": True}, "diffusion.noise_map=True"),
    ("diffusion", {"uncertainty": True}, "diffusion.uncertainty=True"),
    ("diffusion", {}, ""),
  ],
)
def test_networks_of_others_are_told_nothing_but_the_noise_level(
  section, values, culprit, model
):
  config = defaults.denoiser(getattr(defaults, model)())
  config.stages.resolution = (32,)
  config[section].update(values)
  if not culprit:
    parse(config)
    return
  with pytest.raises(UserError, match=f"{culprit}.*model.name={model}"):
    parse(config)


@pytest.mark.parametrize(
  ("model", "task"),
  [
    ("ddpm_unet", "consistency"),
    ("ddpm_unet", "control"),
    ("song_unet", "control"),
  ],
)
def test_networks_of_others_are_of_no_other_family(task, model):
  config = getattr(defaults, task)(getattr(defaults, model)())
  if task == "control":
    config.hint.kind, config.control.base = "edges", "runs/base"
  with pytest.raises(UserError, match=f"model.name={model}.*task={task}"):
    parse(config)


def test_the_network_of_edm_is_tuned_to_few_steps_by_ect_alone():
  config = defaults.consistency(defaults.song_unet())
  config.stages.resolution = (32,)
  parse(config)
  config.consistency.method = "mean_flow"
  with pytest.raises(UserError, match="method=mean_flow: expected ect"):
    parse(config)

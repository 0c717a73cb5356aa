"""A denoiser of diffusers: its outputs, as diffusers has computed them, and
what is refused."""

import re
import shutil

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from compare_diffusers import REFERENCE, TOLERANCE, differences
from support.diffusers_folders import DATA, change

import jaxgen
from jaxgen.cli.main import main
from jaxgen.diffusion import vp
from jaxgen.interop import diffusers

SCHEDULER = {
  "_class_name": "DDPMScheduler",
  "num_train_timesteps": 1000,
  "beta_start": 0.0001,
  "beta_end": 0.02,
  "beta_schedule": "linear",
}


@pytest.fixture(scope="module")
def reference():
  return dict(np.load(DATA / "unet" / REFERENCE))


@pytest.fixture(scope="module")
def run(tmp_path_factory):
  """The imported denoiser, only to be read."""
  out = tmp_path_factory.mktemp("import") / "unet"
  assert main(["import", f"--from={DATA / 'unet'}", f"--out={out}"]) == 0
  return jaxgen.load(out)


@pytest.fixture
def copy(tmp_path):
  """The model of diffusers with its scheduler, to be damaged."""
  copy = shutil.copytree(DATA / "unet", tmp_path / "unet")
  write_scheduler(copy)
  return copy


def write_scheduler(folder):
  (folder / diffusers.SCHEDULER).write_text("{}")
  change(folder, diffusers.SCHEDULER, **SCHEDULER)


def test_outputs_are_those_of_diffusers(run, reference):
  """The noise, and the clean image of diffusers' DDPM: at the first, a middle
  and the last step."""
  assert reference["time"].tolist() == [0, 500, 999]
  errors = differences(run, reference)
  assert errors.keys() == {"noise", "clean"}
  assert max(errors.values()) < TOLERANCE


@pytest.mark.parametrize(
  ("field", "value"),
  [
    ("downsample_padding", 1),
    ("flip_sin_to_cos", True),
    ("freq_shift", 0),
    ("norm_eps", 1e-5),
    ("attention_head_dim", 4),
  ],
)
def test_each_detail_of_the_arithmetic_matters(
  field, value, copy, run, reference
):
  change(copy, **{field: value})
  model = diffusers.read(copy).experiment.model
  network = run.task.model.clone(options=model)
  params = jax.tree.map(np.asarray, run.params)  # on one device
  z, time = (jnp.asarray(reference[k], jnp.float32) for k in ("z", "time"))
  noise = network.apply({"params": params}, z, time)
  assert np.abs(noise - reference["noise"]).max() > 5 * TOLERANCE


def test_it_samples_at_the_levels_of_its_training(run):
  config = run.experiment.diffusion
  np.testing.assert_allclose(config.sigma_min, vp.SIGMAS[0], rtol=1e-3)
  np.testing.assert_allclose(config.sigma_max, vp.SIGMAS[-1], rtol=5e-3)
  options = {"seed": 3, "sampler": "euler", "steps": 2}
  images = run.sample(3, **options)
  assert images.shape == (3, 16, 16, 3) and np.ptp(images) > 0
  np.testing.assert_array_equal(run.sample(2, **options), images[:2])


def set_to(**fields):
  return lambda folder: change(folder, **fields)


def schedule(**fields):
  return lambda folder: change(folder, diffusers.SCHEDULER, **fields)


def in_a_pipeline(folder):
  """The scheduler in a folder beside that of the model."""
  scheduler = folder.with_name("scheduler")
  scheduler.mkdir()
  (folder / diffusers.SCHEDULER).unlink()
  write_scheduler(scheduler)
  change(scheduler, diffusers.SCHEDULER, beta_end=0.012)


REFUSED = {
  "scheduler_config.json: beta_schedule='cosine'": schedule(
    beta_schedule="cosine"
  ),
  "prediction_type='v_prediction'": schedule(prediction_type="v_prediction"),
  "num_train_timesteps=4000": schedule(num_train_timesteps=4000),
  "scheduler/scheduler_config.json: beta_end=0.012": in_a_pipeline,
  "time_embedding_type='fourier'": set_to(time_embedding_type="fourier"),
  "time_embedding_dim=8: expected 16": set_to(time_embedding_dim=8),
  "num_class_embeds=10: expected None": set_to(num_class_embeds=10),
  "resnet_time_scale_shift": set_to(resnet_time_scale_shift="scale_shift"),
  "downsample_padding=2": set_to(downsample_padding=2),
  "down_block_types": set_to(down_block_types=["DownBlock2D", "SkipDown"]),
  "up_block_types: expected attention at": set_to(
    up_block_types=["UpBlock2D", "UpBlock2D"]
  ),
  "model.attention": set_to(block_out_channels=[4]),
  "model.widths=..: expected": set_to(block_out_channels=[]),
  "model.head_dim=3": set_to(attention_head_dim=3),
  "model.frequency_shift=2": set_to(freq_shift=2),
  "model.dropout": set_to(dropout="x"),
  "missing: .*attentions.0.group_norm.weight": set_to(
    down_block_types=["AttnDownBlock2D"] * 2,
    up_block_types=["AttnUpBlock2D"] * 2,
  ),
}


@pytest.mark.parametrize("reason", REFUSED)
def test_what_cannot_be_imported_is_refused_in_one_line(reason, copy, capsys):
  REFUSED[reason](copy)
  out = copy.with_name("out")
  assert main(["import", f"--from={copy}", f"--out={out}"]) == 2
  error = capsys.readouterr().err
  assert re.search(reason, error) and error.count("\n") == 1
  assert not out.exists()

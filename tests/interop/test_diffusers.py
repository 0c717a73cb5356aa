"""An autoencoder of diffusers: its outputs, as diffusers has computed them, and
what is refused."""

import pathlib
import re
import shutil
from typing import Any

import jax
import ml_dtypes
import numpy as np
import pytest
from compare_diffusers import REFERENCE, TOLERANCE, differences
from safetensors.numpy import load_file, save_file
from support.diffusers_folders import CONFIG, DATA, change

import jaxgen
from jaxgen.cli.main import main
from jaxgen.config import defaults
from jaxgen.config.parse import parse
from jaxgen.config.variants import smoke
from jaxgen.errors import UserError
from jaxgen.formats.png import write_png
from jaxgen.interop import diffusers, diffusers_names
from jaxgen.models import ddpm_blocks, kl_autoencoder
from jaxgen.models.attention import attend
from jaxgen.models.ddpm_blocks import Downsample
from jaxgen.runs import companions
from jaxgen.tasks import families
from jaxgen.typing import LossInputs

WEIGHTS = diffusers.WEIGHTS[0]

MOMENTS = {
  "latents_mean": [0.1, -0.2, 0.3, 0.0],
  "latents_std": [1.1, 0.9, 0.8, 1.3],
}


@pytest.fixture(scope="module")
def reference():
  return dict(np.load(DATA / "kl" / REFERENCE))


@pytest.fixture(scope="module")
def run(tmp_path_factory):
  """The autoencoder, imported with a normalization of its latents."""
  folder = tmp_path_factory.mktemp("import")
  shutil.copytree(DATA / "kl", folder / "kl")
  change(folder / "kl", scaling_factor=0.5, shift_factor=0.25)
  out = folder / "imported"
  assert main(["import", f"--from={folder / 'kl'}", f"--out={out}"]) == 0
  return jaxgen.load(out)


@pytest.fixture(scope="module")
def expected():
  """The weights, as they are imported."""
  return diffusers.read(DATA / "kl").arrays


@pytest.fixture
def copy(tmp_path):
  """The model of diffusers, to be damaged."""
  return shutil.copytree(DATA / "kl", tmp_path / "kl")


def rename(folder: pathlib.Path, name) -> None:
  """Rename all weights."""
  arrays = load_file(folder / WEIGHTS)
  save_file({name(k): x for k, x in arrays.items()}, folder / WEIGHTS)


def assert_equal(arrays, others) -> None:
  jax.tree.map(np.testing.assert_array_equal, arrays, others)


def test_outputs_are_those_of_diffusers(run, reference):
  errors = differences(run, reference)
  assert errors.keys() == {"mean", "log_variance", "decoded"}
  assert max(errors.values()) < TOLERANCE


def symmetric(*, asymmetric, **options):
  return Downsample(asymmetric=not asymmetric, **options)


MUTATIONS = {
  "padding": (ddpm_blocks, "Downsample", symmetric),
  "epsilon": (kl_autoencoder, "EPSILON", 1e-5),
  "attention": (ddpm_blocks, "attend", lambda q, k, v: attend(2 * q, k, v)),
}


@pytest.mark.parametrize("name", MUTATIONS)
def test_each_detail_of_the_arithmetic_matters(
  name, run, reference, monkeypatch
):
  monkeypatch.setattr(*MUTATIONS[name])
  mean = jax.jit(run.task.codec(run.params).encode)(reference["images"])
  center, scale = run.task.model.moments
  errors = np.abs(mean * scale + center - reference["mean"])
  assert errors.max() > 5 * TOLERANCE


@pytest.mark.parametrize("scaling", [0.18215, 2.0])
@pytest.mark.parametrize("moments", [{}, MOMENTS])
def test_latents_are_those_that_pipelines_denoise(copy, moments, scaling):
  """Pipelines of diffusers compute (z - shift) scaling, or with moments of
  channels (z - mean) scaling / std."""
  change(copy, **moments, scaling_factor=scaling, shift_factor=0.25)
  model: Any = diffusers.read(copy).experiment.model
  mean, std = moments.values() if moments else (np.full(4, 0.25), np.ones(4))
  z = np.random.default_rng(0).normal(size=(3, 4))
  ours = (z - np.array(model.latent_mean)) / np.array(model.latent_std)
  np.testing.assert_allclose(ours, (z - mean) * scaling / std)


def test_a_denoiser_of_its_latents_trains(run):
  """Of the program only the shapes are computed."""
  config = smoke(defaults.denoiser(defaults.unet()))
  config.latent.run = str(run.workdir)
  config.stages.resolution = (16,)
  experiment = parse(config)
  found = companions.find(experiment)
  task = families.build(experiment, {}, companions=found)
  assert task.latent_shape == (8, 8, 4)
  inputs = LossInputs(frozen=found.frozen(task))
  keys = jax.random.split(jax.random.key(0), 2)
  params = jax.eval_shape(task.init, keys[0])
  batch = {"image": np.zeros((2, 16, 16, 3), np.uint8)}
  loss, metrics = jax.eval_shape(task.loss, params, batch, keys, inputs)
  assert loss.shape == () and "mse" in metrics


def test_the_data_are_those_that_it_is_used_with(copy, tmp_path):
  photos = tmp_path / "photos"
  photos.mkdir()
  for i in range(6):
    write_png(photos / f"{i}.png", np.full((32, 32, 1), 40 * i, np.uint8))
  data = diffusers.read(copy, data=photos).experiment.data
  assert (data.source, data.path, data.channels) == ("folder", str(photos), 3)
  with pytest.raises(UserError, match="gone"):
    diffusers.read(copy, data=tmp_path / "gone")


@pytest.mark.parametrize(
  ("side", "expected"),
  [(64, 64), (1024, 256), (None, 256), ([32, 32], 32), ([32, 64], 256)],
)
def test_images_have_the_side_of_the_training_at_most_256(copy, side, expected):
  change(copy, sample_size=side)
  stages = diffusers.read(copy).experiment.stages
  assert [x.resolution for x in stages] == [expected]


def former(name: str) -> str:
  """The name of a weight before diffusers 0.17."""
  for before, today in diffusers_names.FORMER.items():
    name = name.replace(f".{today}.", f".{before}.")
  return name


def test_weights_of_all_times_are_the_same(copy, expected):
  arrays = load_file(copy / WEIGHTS)
  old = {former(k): x for k, x in arrays.items()}
  assert len(old.keys() - arrays.keys()) == 16  # four layers, twice
  save_file(old, copy / WEIGHTS)
  assert_equal(diffusers.read(copy).arrays, expected)
  for name, x in arrays.items():
    if "attentions" in name and x.ndim == 2:
      arrays[name] = x[:, :, None, None]  # as 1 x 1 convolutions
  save_file(arrays, copy / WEIGHTS)
  assert_equal(diffusers.read(copy).arrays, expected)


@pytest.mark.parametrize("dtype", [np.float16, ml_dtypes.bfloat16])
def test_half_precision_becomes_float32(copy, dtype, expected):
  arrays = {k: x.astype(dtype) for k, x in load_file(copy / WEIGHTS).items()}
  save_file(arrays, copy / WEIGHTS)
  for name, x in diffusers.read(copy).arrays.items():
    rounded = expected[name].astype(dtype).astype(np.float32)
    np.testing.assert_array_equal(x, rounded, strict=True)


def test_a_file_of_pytorch_is_read_without_it(copy):
  """The file has one tensor, `encoder.conv_in.bias`, as torch.save of 2.14 has
  written it."""
  shutil.copy(DATA / "one_tensor.bin", copy)
  with pytest.raises(UserError) as error:
    diffusers.read(copy / "one_tensor.bin")
  message = str(error.value)
  assert (
    "0 are not in the model" in message
    and "encoder.conv_in.bias" not in message
  )


def test_all_names_without_a_partner_are_listed(copy):
  gone = (
    "encoder.conv_in.bias",
    "decoder.mid_block.attentions.0.to_out.0.bias",
  )
  rename(copy, lambda k: f"x.{k}" if k in gone else k)
  with pytest.raises(UserError) as error:
    diffusers.read(copy)
  message = str(error.value)
  assert all(message.count(name) == 2 for name in gone)
  assert all(f"x.{name}" in message for name in gone) and "\n" not in message
  change(copy, use_quant_conv=False)
  with pytest.raises(UserError, match="quant_conv.bias, quant_conv.weight"):
    diffusers.read(copy)


def wide(folder):
  arrays = load_file(folder / WEIGHTS)
  arrays["quant_conv.bias"] = np.zeros(9, np.float32)
  save_file(arrays, folder / WEIGHTS)


def whole_numbers(folder):
  arrays = load_file(folder / WEIGHTS)
  arrays["quant_conv.bias"] = np.zeros(8, np.int32)
  save_file(arrays, folder / WEIGHTS)


def infinite(folder):
  arrays = load_file(folder / WEIGHTS)
  arrays["quant_conv.bias"][2] = np.inf
  save_file(arrays, folder / WEIGHTS)


def twice(folder):
  arrays = load_file(folder / WEIGHTS)
  name = "encoder.mid_block.attentions.0.to_q.bias"
  arrays[name.replace("to_q", "query")] = arrays[name]
  save_file(arrays, folder / WEIGHTS)


def cut(folder):
  path = folder / WEIGHTS
  path.write_bytes(path.read_bytes()[:-100])


def as_pipeline(folder):
  files = list(folder.iterdir())
  (folder / "vae").mkdir()
  for path in files:
    path.rename(folder / "vae" / path.name)
  (folder / diffusers.PIPELINE).write_text("{}")


def set_to(**fields):
  return lambda folder: change(folder, **fields)


REFUSED = {
  "quant_conv.bias: expected .8,. for quant_conv/bias, got .9,.": wide,
  "quant_conv.bias: expected floating-point numbers, got int32": whole_numbers,
  "quant_conv.bias: expected finite numbers": infinite,
  "to_q.bias: expected one of them": twice,
  f"{WEIGHTS} is damaged": cut,
  f"{WEIGHTS}: no such file": lambda x: (x / WEIGHTS).unlink(),
  f"{CONFIG}: no such file": lambda x: (x / CONFIG).unlink(),
  f"{CONFIG} is damaged": lambda x: (x / CONFIG).write_text("{"),
  f"{CONFIG}: expected a model of diffusers": set_to(_class_name=...),
  "_class_name='AutoencoderDC': expected one of": set_to(
    _class_name="AutoencoderDC"
  ),
  "_class_name=.3.: expected one of": set_to(_class_name=[3]),
  "down_block_types": set_to(down_block_types=["DownEncoderBlock2D", "Attn"]),
  "up_block_types=3: expected a list": set_to(up_block_types=3),
  "out_channels=4: expected 3": set_to(out_channels=4),
  "act_fn='mish': expected 'silu'": set_to(act_fn="mish"),
  "model.norm_groups=3 does not divide": set_to(norm_num_groups=3),
  "model.norm_groups='2'": set_to(norm_num_groups="2"),
  "model.num_res_blocks=0": set_to(layers_per_block=0),
  "model.latent_std": set_to(scaling_factor=-1.0),
  "model.latent_mean": set_to(latents_mean=[1.0]),
  "latents_std='x': expected a number": set_to(latents_std=["x"] * 4),
  "scaling_factor=.1.: expected a number": set_to(scaling_factor=[1]),
  "latent_channels='4': expected an integer": set_to(latent_channels="4"),
  "block_out_channels=8: expected a list": set_to(block_out_channels=8),
  "--subfolder=NAME, one of vae": as_pipeline,
}


@pytest.mark.parametrize("reason", REFUSED)
def test_what_cannot_be_imported_is_refused_in_one_line(reason, copy, capsys):
  REFUSED[reason](copy)
  out = copy.with_name("out")
  assert main(["import", f"--from={copy}", f"--out={out}"]) == 2
  error = capsys.readouterr().err
  assert re.search(reason, error) and error.count("\n") == 1
  assert not out.exists()

"""Models of `diffusers`, as `save_pretrained` writes them, without that
library or PyTorch."""

from __future__ import annotations

import pathlib
from typing import Any

from jaxgen.config import defaults
from jaxgen.config.experiment import Experiment
from jaxgen.config.parse import parse
from jaxgen.errors import UserError
from jaxgen.interop import diffusers_config as configs
from jaxgen.interop import diffusers_names, diffusers_unet, weights_file
from jaxgen.interop.diffusers_fields import Described
from jaxgen.interop.imported import Imported, data_section, sizes_of
from jaxgen.interop.names import of_torch, placed

WEIGHTS = (  # the first that is there is read
  "diffusion_pytorch_model.safetensors",
  "diffusion_pytorch_model.fp16.safetensors",
  "diffusion_pytorch_model.bin",
)
SCHEDULER = "scheduler_config.json"
SIGMA_MIN, SIGMA_MAX = 0.01, 157.0  # of DDPM's first and last step
PIPELINE = "model_index.json"
LARGEST = 256  # default side of images: the textures have no larger tiles


def read(
  path: pathlib.Path,
  *,
  resolution: int | None = None,
  data: pathlib.Path | None = None,
) -> Imported:
  """A model of diffusers in terms of ours.

  Args:
    path: a folder with a config and weights, or the file of its weights.
    resolution: side of the images; by default that of its training, at most
      `LARGEST`.
    data: images that it is used with; by default the built-in textures.

  Raises:
    UserError: a file is missing or damaged, the model is not supported, or
      parameters have no partner.
  """
  folder, file = _files(path)
  config = folder / configs.CONFIG
  content = configs.read(config)
  try:
    described = configs.describe(content)
    if described.task == "diffusion":
      _check_scheduler(folder)
    experiment = _experiment(described, resolution, data)
    sizes = sizes_of(experiment, {})
  except UserError as e:
    raise UserError(f"{config}: {str(e).rstrip('.')}.") from e
  try:
    arrays = placed(
      sizes.shapes,
      diffusers_names.current(weights_file.read(file)),
      partner=diffusers_names.partner,
      convert=of_torch,
    )
  except UserError as e:
    label = "" if str(e).startswith(str(file)) else f"{file}: "
    raise UserError(f"{label}{e}") from e
  return Imported(
    experiment=experiment,
    names={},
    arrays=arrays,
    latent_shape=sizes.latent_shape,
  )


def _files(path: pathlib.Path) -> tuple[pathlib.Path, pathlib.Path]:
  """The folder of a model, and the file of its weights."""
  if path.is_file():
    return path.parent, path
  if not path.is_dir():
    raise UserError(f"{path}: no such file or folder.")
  config = path / configs.CONFIG
  if (path / PIPELINE).is_file() and not config.is_file():
    parts = [x.parent.name for x in sorted(path.glob(f"*/{configs.CONFIG}"))]
    raise UserError(
      f"{path} is a pipeline of several models: expected --subfolder=NAME, one"
      f" of {', '.join(parts) or 'none'}."
    )
  found = [path / name for name in WEIGHTS if (path / name).is_file()]
  return path, found[0] if found else path / WEIGHTS[0]


def _experiment(
  described: Described, resolution: int | None, data: pathlib.Path | None
) -> Experiment:
  """The config of a model."""
  config = _BASES[described.task]().to_dict()
  side = resolution or min(described.side or LARGEST, LARGEST)
  config["data"] = data_section(data, side, described.channels)
  config["model"] |= described.model
  config["stages"]["resolution"] = (side,)
  if described.task == "diffusion":
    config["diffusion"] |= {"sigma_min": SIGMA_MIN, "sigma_max": SIGMA_MAX}
  return parse(config)


def _check_scheduler(folder: pathlib.Path) -> None:
  """Raise a UserError unless the scheduler beside a model, if there is one, is
  that of DDPM."""
  for path in (folder, folder.parent / "scheduler"):
    if (path / SCHEDULER).is_file():
      try:
        diffusers_unet.check_scheduler(configs.read(path / SCHEDULER))
      except UserError as e:
        raise UserError(f"{path / SCHEDULER}: {e}") from e


def _denoiser() -> Any:
  return defaults.denoiser(defaults.ddpm_unet())


def _autoencoder() -> Any:
  return defaults.autoencoder(defaults.kl_autoencoder())


_BASES = {"autoencoder": _autoencoder, "diffusion": _denoiser}

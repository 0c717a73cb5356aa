"""The space of the latents of an autoencoder, for denoisers that work there
(Rombach et al. 2022, arXiv:2112.10752)."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping

import numpy as np

from jaxgen.config.experiment import Experiment
from jaxgen.latents import normalization
from jaxgen.latents.normalization import Normalization
from jaxgen.tasks.companion import Companion, check_images
from jaxgen.tasks.latent_checks import check_model
from jaxgen.tasks.space import NUMBERS, Frozen, Shape, Space
from jaxgen.tasks.stored_latents import latents, stored
from jaxgen.typing import Array, Batch, Codec

CODEC = "codec"  # the companion's name


def latent(
  experiment: Experiment, companion: Companion, resolution: int
) -> Space:
  """The latents of a companion, normalized.

  Its codec's `encode` gives the mean of a posterior, or with keys `(b,)` draws
  from it.

  Args:
    experiment: the config.
    companion: the autoencoder.
    resolution: side of the images.

  Raises:
    UserError: images or model do not fit the autoencoder.
  """
  task = companion.task
  shape = state_shape(task.latent_shape)
  check_images(experiment, companion, resolution, field="latent.run")
  check_model(experiment, task.latent_shape)

  def states(batch: Batch, keys: Array, frozen: Frozen) -> Array:
    found = latents(task.codec(frozen[CODEC]), batch, keys)
    return _affine(frozen).normalize(found.reshape(-1, *shape))

  views = experiment.latent.views
  return Space(
    shape=shape,
    states=states,
    codec=lambda frozen, hint: latent_codec(companion, frozen),
    cell=_cell(companion),
    stored=stored(task.codec, companion.params) if views else None,
    numbers=unfitted(shape[2]),
    fit=functools.partial(_fit, experiment),
  )


def state_shape(latent_shape: tuple[int, ...]) -> Shape:
  """The shape of a state: vectors have a height and width of 1, tokens and
  small images are as they are."""
  if len(latent_shape) == 1:
    return 1, 1, latent_shape[0]
  rows, columns, channels = latent_shape
  return rows, columns, channels


def _cell(companion: Companion) -> int:
  """The side of the square of a position; see `Space.cell`. Tokens see the
  whole image."""
  shape = companion.task.latent_shape
  options = getattr(companion.task.model, "options", None)
  if len(shape) == 1 or getattr(options, "latent", "") == "tokens":
    return 0
  return companion.image_shape[0] // shape[0]


def latent_codec(companion: Companion, frozen: Frozen) -> Codec:
  """The codec between images and normalized latents as states."""
  codec, affine = companion.task.codec(frozen[CODEC]), _affine(frozen)
  shape = state_shape(codec.latent_shape)

  def encode(images: Array, key: Array | None = None) -> Array:
    return affine.normalize(codec.encode(images, key).reshape(-1, *shape))

  def decode(latents: Array) -> Array:
    unpacked = affine.denormalize(latents).reshape(-1, *codec.latent_shape)
    return codec.decode(unpacked)

  return Codec(encode=encode, decode=decode, latent_shape=shape)


def _affine(frozen: Frozen) -> Normalization:
  return Normalization(**frozen[NUMBERS])


def unfitted(channels: int) -> Mapping[str, np.ndarray]:
  """The numbers of a map that changes nothing."""
  identity = np.eye(channels, dtype=np.float32)
  mean = np.zeros(channels, np.float32)
  return {"mean": mean, "forward": identity, "backward": identity}


def _fit(experiment: Experiment, found: np.ndarray) -> Mapping[str, np.ndarray]:
  fitted = normalization.fit(
    found,
    experiment.latent.normalize,
    sigma_data=experiment.diffusion.sigma_data,
  )
  fields = dataclasses.fields(fitted)
  return {x.name: np.asarray(getattr(fitted, x.name)) for x in fields}

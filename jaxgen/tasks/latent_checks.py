"""Checks of a denoiser's config against the autoencoder in whose latents it
works."""

from __future__ import annotations

from jaxgen.config.experiment import Experiment
from jaxgen.errors import UserError

MLP = "mlp"  # the model of vectors


def check_model(experiment: Experiment, latent_shape: tuple[int, ...]) -> None:
  """Raise a UserError unless vectors, and only they, have a model of
  vectors."""
  name, numbers = experiment.model.name, latent_shape[0]
  if len(latent_shape) == 1 and name != MLP:
    raise UserError(
      f"model.name={name}: expected {MLP} for latents of {numbers} numbers."
    )
  if len(latent_shape) > 1 and name == MLP:
    size = " x ".join(map(str, latent_shape))
    raise UserError(
      f"model.name={MLP}: expected latents that are vectors, got {size}; use"
      " unet or dit."
    )

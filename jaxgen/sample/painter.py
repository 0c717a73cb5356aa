"""A loaded hybrid of an autoencoder and a denoiser of what it lacks."""

from __future__ import annotations

import dataclasses

from jaxgen.config.experiment import Experiment
from jaxgen.sample import painted_images, painting
from jaxgen.sample.autoencoder import AutoencoderRun
from jaxgen.sample.denoiser import DenoiserRun


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class PainterRun(DenoiserRun):
  """A loaded run of a denoiser of residuals, with its autoencoder.

      run.sample(16, seed=0, method="gmm")
      run.reconstruct(images)

  It encodes as the autoencoder does, and decodes to images with painted detail;
  its methods take the fields of `SamplingOptions` as keywords.

  Attributes:
    autoencoder: the run's copy of the autoencoder.
  """

  autoencoder: AutoencoderRun = dataclasses.field(repr=False)

  sample = painting.sample
  network_calls = painting.network_calls
  sampling_bytes = painting.sampling_bytes
  encode = painting.encode
  decode = painting.decode
  reconstruct = painting.reconstruct
  interpolate = painting.interpolate
  encode_windows = painted_images.encode_windows
  decode_images = painted_images.decode_images
  reconstruct_images = painted_images.reconstruct_images
  paint = painting.paint


def paints(experiment: Experiment) -> bool:
  """Whether a run is a hybrid."""
  residual = experiment.diffusion.target == "residual"
  return residual and experiment.hint.kind == "reconstruction"

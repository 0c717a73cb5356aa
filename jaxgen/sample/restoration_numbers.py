"""Restored images in digital numbers."""

from __future__ import annotations

import numpy as np

from jaxgen.restoration.camera import PerPixel
from jaxgen.restoration.named_operators import NamedOperator
from jaxgen.sample import restoration_checks as checks
from jaxgen.sample.exposure import Exposure, Stack
from jaxgen.sample.resolution_choice import Choice
from jaxgen.sample.restoration_run import Drawn
from jaxgen.sample.restored import Restoration
from jaxgen.sample.run import LoadedRun


def in_numbers(
  drawn: Drawn,
  exposed: Exposure,
  measured: NamedOperator,
  *,
  run: LoadedRun,
  ndim: int,
  samples: int,
  std_factor: float,
  choice: Choice | None,
) -> Restoration:
  """The results in digital numbers, without what was padded."""
  num, height, width, _ = exposed.electrons.shape
  factor = measured.factor
  crop = np.s_[:, : height * factor, : width * factor]
  each = drawn.images[crop]
  parts = each.reshape(num, -1, *each.shape[1:])
  mean, std, numbers = parts.mean(1), None, _numbers(each, exposed)
  if drawn.variance is not None:
    variance = drawn.variance[crop]
    std = np.sqrt(np.where(variance > 0, variance, np.nan))
  elif samples > 1:
    std = parts.std(1, ddof=1)
  shaped = lambda x: _shaped(x, ndim)  # noqa: E731
  step = exposed.scale * _fit(exposed.camera.gain, mean)
  kept = numbers.reshape(num, -1, *each.shape[1:]).swapaxes(0, 1)
  return Restoration(
    mean=shaped(_numbers(mean, exposed)),
    std=None if std is None else shaped(std * step * std_factor),
    samples=np.stack([shaped(x) for x in kept]) if samples else None,
    white=exposed.white,
    std_factor=std_factor,
    checks=checks.check(
      exposed,
      mean,
      parts if samples else None,
      std,
      operator=measured.operator,
      config=run.experiment.diffusion,
    ),
    choice=choice,
    calls=drawn.calls,
    seconds=drawn.seconds,
  )


def _numbers(x: Stack, exposed: Exposure) -> Stack:
  """Images in digital numbers of a camera without noise and saturation."""
  electrons = exposed.scale * x + exposed.offset
  gain, black = (
    _fit(value, x) for value in (exposed.camera.gain, exposed.camera.black)
  )
  return electrons * gain + black


def _fit(value: PerPixel, like: Stack) -> np.ndarray:
  """A number for images; of a map its mean, by channel if the images have the
  counts' ones, since results have no pattern of the sensor."""
  level = np.asarray(value, np.float32)
  if level.ndim > 2:
    level = level.mean((-3, -2))
  same = level.shape[-1:] in ((), (1,), like.shape[-1:])
  return np.broadcast_to(level if same else level.mean(), like.shape)


def _shaped(x: Stack, ndim: int) -> np.ndarray:
  """Images with as many axes as the counts."""
  x = np.asarray(x, np.float32)
  x = x if ndim == 4 else x[0]
  return x[..., 0] if ndim == 2 else x

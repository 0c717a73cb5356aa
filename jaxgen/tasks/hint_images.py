"""The images of hints, by the kinds of the section `hint`."""

from __future__ import annotations

import functools
from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np

from jaxgen.config.experiment import Experiment
from jaxgen.data.findings import Findings
from jaxgen.data.source import Element
from jaxgen.errors import UserError
from jaxgen.images import downsample_matrix, normalize, upsample_matrix
from jaxgen.models.conditioning import HINT
from jaxgen.tasks.companion import Companion, Companions, check_images
from jaxgen.tasks.hint import Hint
from jaxgen.tasks.space import Frozen
from jaxgen.tasks.task import NO_FINDINGS, UNLABELED
from jaxgen.typing import Array, Batch

LUMA = (0.299, 0.587, 0.114)  # Rec. 601


def build(
  experiment: Experiment, companions: Companions, resolution: int
) -> Hint | None:
  """The hints of an experiment at one resolution; None if there are none.

  Raises:
    UserError: the images do not fit the hint.
  """
  config, channels = experiment.hint, experiment.data.channels
  if not config.kind:
    return None
  config.check(resolution)
  make = functools.partial(Hint, drop_prob=config.drop_prob, noise=config.noise)
  if config.kind == "segments":
    segments = functools.partial(_segments, config.num_classes)
    return make(image=segments, channels=config.num_classes, field="mask")
  if config.kind == "image":
    channels = experiment.data.hint_channels
    return make(image=_given, channels=channels, field="hint")
  if config.kind == "edges":
    return make(image=_edges, channels=1)
  if config.kind == "lowres":
    lowres = functools.partial(_lowres, config.factor)
    return make(image=lowres, channels=channels)
  companion = companions.runs[HINT]
  check_images(experiment, companion, resolution, field="hint.run")
  image = functools.partial(_reconstruction, companion)
  return make(image=image, channels=channels)


def _reconstruction(
  companion: Companion, batch: Batch, frozen: Frozen
) -> Array:
  """The image encoded and decoded by the companion."""
  codec = companion.task.codec(frozen[HINT])
  decoded = codec.decode(codec.encode(normalize(batch["image"])))
  return jax.lax.stop_gradient(decoded)


def _lowres(factor: int, batch: Batch, frozen: Frozen) -> Array:
  """Area averages of squares of `factor` pixels, enlarged linearly."""

  def both_ways(side: int) -> np.ndarray:
    small = side // factor
    return upsample_matrix(small, side) @ downsample_matrix(side, small)

  x = normalize(batch["image"])
  rows, columns = map(both_ways, x.shape[1:3])
  return jnp.einsum("ai,bj,nijc->nabc", rows, columns, x)


def _segments(num_classes: int, batch: Batch, frozen: Frozen) -> Array:
  """Ones in the channel of a pixel's class; zeros where it has no label."""
  return jax.nn.one_hot(batch["mask"], num_classes)


def _given(batch: Batch, frozen: Frozen) -> Array:
  """The image that belongs to it."""
  return normalize(batch["hint"])


def _edges(batch: Batch, frozen: Frozen) -> Array:
  """The magnitude of Sobel's gradient of the luma, in [0, 1)."""
  x = normalize(batch["image"])
  gray = x @ jnp.asarray(LUMA) if x.shape[-1] == 3 else jnp.mean(x, -1)
  p = jnp.pad(gray, ((0, 0), (1, 1), (1, 1)), mode="edge")
  across = p[:, :-2] + 2 * p[:, 1:-1] + p[:, 2:]
  down = p[:, :, :-2] + 2 * p[:, :, 1:-1] + p[:, :, 2:]
  gradient = jnp.hypot(
    across[:, :, 2:] - across[:, :, :-2], down[:, 2:] - down[:, :-2]
  )
  return jnp.tanh(gradient / 4)[..., None]


def check_data(
  experiment: Experiment,
  elements: Sequence[Element],
  findings: Findings = NO_FINDINGS,
) -> None:
  """Raise a UserError if masks are missing, or have labels without a class."""
  config = experiment.hint
  if config.kind != "segments":
    return
  if "mask" not in elements[0]:
    raise UserError(
      "hint.kind=segments: the data have no masks; set data.masks to their"
      " folder."
    )
  seen = np.unique(np.stack([x["mask"] for x in elements])).tolist()
  highest = max({*seen, *findings.masks} - {UNLABELED}, default=0)
  if highest >= config.num_classes:
    raise UserError(
      f"hint.num_classes={config.num_classes}: expected at least"
      f" {highest + 1}, for mask labels up to {highest} ({UNLABELED}: no"
      " label)."
    )

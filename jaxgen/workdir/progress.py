"""The ends of a run's stages: after a number of images, or by the held-out
metric."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Mapping, Sequence
from typing import Any

Scores = tuple[tuple[int, float], ...]  # (images of the stage, metric)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Progress:
  """The ends of stages decided so far; a part of every checkpoint, so that a
  resumed run decides the same.

  Attributes:
    ended: images seen at the end of each stage that is over.
    scores: held-out metric of the current stage, by its images.
  """

  ended: tuple[int, ...] = ()
  scores: Scores = ()

  @classmethod
  def from_metadata(cls, metadata: Mapping[str, Any]) -> Progress:
    """The progress in the metadata of a checkpoint; none where they lack it."""
    scores = ((int(a), float(b)) for a, b in metadata.get("scores", ()))
    ended = map(int, metadata.get("ended", ()))
    return cls(ended=tuple(ended), scores=tuple(scores))

  def to_metadata(self) -> dict[str, Any]:
    """The progress as JSON has it."""
    return {"ended": list(self.ended), "scores": [list(x) for x in self.scores]}

  def scored(self, images: int, score: float) -> Progress:
    """The progress after an evaluation, `images` into the stage."""
    return dataclasses.replace(self, scores=(*self.scores, (images, score)))

  def end(self, images: int) -> Progress:
    """The progress after the current stage, which ended at `images` seen."""
    return Progress(ended=(*self.ended, images))

  def ends(self, lengths: Sequence[int]) -> list[int]:
    """The images seen at the end of each stage, of which `lengths` are
    planned."""
    ended = self.ended[: len(lengths)]
    last = ended[-1] if ended else 0
    rest = itertools.accumulate(lengths[len(ended) :], initial=last)
    return [*ended, *list(rest)[1:]]

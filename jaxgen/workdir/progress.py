"""Progress through the stages of a run, which end after a number of images or
by the held-out metric."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Mapping, Sequence
from typing import Any

Scores = tuple[tuple[int, float], ...]  # (images of the stage, metric)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Progress:
  """The stage ends so far; stored in every checkpoint, so that a resumed run
  makes the same decisions.

  Attributes:
    ended: images seen at the end of each finished stage.
    scores: held-out metric of the current stage, by images of the stage.
  """

  ended: tuple[int, ...] = ()
  scores: Scores = ()

  @classmethod
  def from_metadata(cls, metadata: Mapping[str, Any]) -> Progress:
    """The progress in the metadata of a checkpoint; empty if missing."""
    scores = ((int(a), float(b)) for a, b in metadata.get("scores", ()))
    ended = map(int, metadata.get("ended", ()))
    return cls(ended=tuple(ended), scores=tuple(scores))

  def to_metadata(self) -> dict[str, Any]:
    """The progress as JSON values."""
    return {"ended": list(self.ended), "scores": [list(x) for x in self.scores]}

  def scored(self, images: int, score: float) -> Progress:
    """The progress after an evaluation, `images` into the stage."""
    return dataclasses.replace(self, scores=(*self.scores, (images, score)))

  def end(self, images: int) -> Progress:
    """The progress after the current stage, which ended after `images`."""
    return Progress(ended=(*self.ended, images))

  def ends(self, lengths: Sequence[int]) -> list[int]:
    """The images seen at the end of each stage, given the planned lengths."""
    ended = self.ended[: len(lengths)]
    last = ended[-1] if ended else 0
    rest = itertools.accumulate(lengths[len(ended) :], initial=last)
    return [*ended, *list(rest)[1:]]

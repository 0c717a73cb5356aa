"""Where each stage of a run ends: at a number of images, or when it has stopped
getting better."""

from __future__ import annotations

import dataclasses
import itertools
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
  pass


@dataclasses.dataclass(frozen=True, kw_only=True)
class Progress:
  """What has been decided so far; a part of every checkpoint, so that a resumed
  run decides the same.

  Attributes:
    ended: images seen at the end of each stage that ended early or in time.
    scores: held-out metric of the stage that runs, by its images.
  """

  ended: tuple[int, ...] = ()
  scores: tuple[tuple[int, float], ...] = ()

  @classmethod
  def read(cls, meta: Any) -> Progress:
    """From the metadata of a checkpoint; those of before had none."""
    scores = [(int(a), float(b)) for a, b in meta.get("scores", ())]
    return cls(ended=tuple(map(int, meta.get("ended", ()))), scores=(*scores,))

  def meta(self) -> dict[str, Any]:
    """As JSON has it."""
    return {"ended": list(self.ended), "scores": [list(x) for x in self.scores]}

  def scored(self, images: int, score: float) -> Progress:
    """With another score, `images` into the stage."""
    return dataclasses.replace(self, scores=(*self.scores, (images, score)))

  def end(self, images: int) -> Progress:
    """With the stage ended."""
    return Progress(ended=(*self.ended, images))

  def ends(self, lengths: list[int]) -> list[int]:
    """Images seen at the end of each stage, of which `lengths` are planned."""
    done = self.ended[: len(lengths)]
    last = done[-1] if done else 0
    rest = itertools.accumulate(lengths[len(done) :], initial=last)
    return [*done, *list(rest)[1:]]

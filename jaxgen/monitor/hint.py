"""A note on runs that hardly use their hint."""

from __future__ import annotations

from collections.abc import Sequence

from jaxgen.workdir.metrics_csv import HELDOUT, Row

GAP = f"{HELDOUT}hint_gap"
USUAL = 0.02  # a smaller gap is doubtful
EARLY = 0.2  # fraction of a run in which nothing is said


def notes(rows: Sequence[Row], total: int) -> tuple[str, ...]:
  """A note if, after a fifth of a run of `total` images, other hints than an
  image's own make hardly any difference to the held-out loss."""
  scored = [row for row in rows if GAP in row]
  if not scored or not total:
    return ()
  gap, share = scored[-1][GAP], scored[-1].get("images", 0) / total
  if share < EARLY or gap >= USUAL:
    return ()
  return (
    f"the hint is hardly used: {GAP}={gap:.3f} after {100 * share:.0f}% of the"
    f" run ({USUAL} or more is usual).",
  )

"""Messages about many files: counts by reason, and the first names."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Sequence

from jaxgen.errors import UserError

_SHOWN = 5  # names, or reasons
_DETAIL = re.compile(r"\s*\([^()]*\)")


def listed(names: Sequence[str], separator: str = ", ") -> str:
  """The first names, and the number of the others."""
  others = len(names) - _SHOWN
  more = f"{separator}and {others:,} more" if others > 0 else ""
  return separator.join(names[:_SHOWN]) + more


def by_reason(problems: Iterable[str]) -> dict[str, list[str]]:
  """The names of "name: reason" by their reason, the most frequent first;
  reasons without what is in parentheses, which differs between files."""
  return {
    reason: [problem.partition(": ")[0] for problem in group]
    for reason, group in _groups(problems).items()
  }


def counted(problems: Sequence[str]) -> str:
  """How many "name: reason" there are of each reason, and the first ones: of
  many, those of every reason in turn."""
  groups = _groups(problems)
  counts = [f"{len(group):,} {reason}" for reason, group in groups.items()]
  if len(problems) > _SHOWN:
    turns = itertools.zip_longest(*groups.values())
    problems = [x for turn in turns for x in turn if x is not None]
  reasons = f"{listed(counts, '; ')}: " if len(counts) > 1 else ""
  return reasons + listed(problems, "; ")


def report_bad(problems: Sequence[str], remedy: str) -> UserError:
  """One error for all unusable files: how many, why, and the first names."""
  count = f"{len(problems):,} unusable images"
  return UserError(f"{count}: {counted(problems)}. {remedy}")


def _groups(problems: Iterable[str]) -> dict[str, list[str]]:
  """Problems by their reason, the most frequent first."""
  groups: dict[str, list[str]] = {}
  for problem in problems:
    reason = _DETAIL.sub("", problem.partition(": ")[2])
    groups.setdefault(reason, []).append(problem)
  return dict(sorted(groups.items(), key=lambda item: -len(item[1])))

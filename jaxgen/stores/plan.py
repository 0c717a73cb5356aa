"""What to send and what to fetch: pure functions of listings.

A checkpoint is its files, `checkpoints/STEP/...`, and its mark,
`checksums/STEP.json`, which is written last and removed first: one without it
does not exist. So it is with a companion's copy and its `companion.json`.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from typing import NamedTuple

from jaxgen.stores.store import Remote

SMALL = 1 << 24  # bytes; larger files are sent with checkpoints only
_IN_CHECKPOINT = re.compile(r"((?:.*?/)?)checkpoints/([^/]+)(/.*)?")
_MARK = re.compile(r"(?:.*/)?(?:checksums/\d+|companion)\.json")
_MARK_OF_RUN = re.compile(r"checksums/\d+\.json")


class Local(NamedTuple):
  """A file: bytes, and the time of its last write in nanoseconds."""

  size: int
  time: int


class Synced(NamedTuple):
  """A file and its object at a time when they were equal."""

  local: Local
  tag: str


class Push(NamedTuple):
  """What makes the store as the folder, in this order.

  Attributes:
    unmark: objects to delete first: marks of checkpoints that are replaced.
    upload: files to send; marks last.
    delete: objects to delete; marks first.
  """

  unmark: tuple[str, ...]
  upload: tuple[str, ...]
  delete: tuple[str, ...]


class Pull(NamedTuple):
  """What makes the folder as the store.

  Attributes:
    download: objects to fetch; marks last.
    remove: files to remove; marks first.
    replaced: whether another process has written checkpoints since, so that
      those of the folder that the store does not have are of no use.
  """

  download: tuple[str, ...]
  remove: tuple[str, ...]
  replaced: bool


def mark_of(name: str) -> str | None:
  """The mark of the checkpoint that a file is a part of, if of any."""
  found = _IN_CHECKPOINT.fullmatch(name)
  return f"{found[1]}checksums/{found[2]}.json" if found else None


def is_mark(name: str) -> bool:
  """Whether a file says that others are complete."""
  return _MARK.fullmatch(name) is not None


def marks_of_run(names: Iterable[str]) -> set[str]:
  """The marks of the run's own checkpoints."""
  return {x for x in names if _MARK_OF_RUN.fullmatch(x)}


def shown(names: Collection[str]) -> set[str]:
  """The names that count: neither hidden (locks, unfinished files) nor of a
  checkpoint without a mark."""
  return {
    name
    for name in names
    if not _is_hidden(name) and (mark_of(name) or name) in names
  }


def _is_hidden(name: str) -> bool:
  parts = name.split("/")
  return any(x.startswith(".") or x.endswith(".part") for x in parts)


def marks_last(names: Iterable[str]) -> tuple[str, ...]:
  """An order in which marks follow what they mark: those of copies within a
  copy before its own, and those of the run at the end."""
  return tuple(sorted(names, key=lambda x: (is_mark(x), -x.count("/"), x)))


def marks_first(names: Iterable[str]) -> tuple[str, ...]:
  """The reverse order, for removals."""
  return marks_last(names)[::-1]


def plan_push(
  local: Mapping[str, Local],
  synced: Mapping[str, Synced],
  *,
  everything: bool,
) -> Push:
  """What to send.

  Args:
    local: the files that count, of the folder.
    synced: the objects of the store, as far as they count.
    everything: else, unless a checkpoint is new, only small files are sent and
      nothing is deleted.
  """
  known = {name: x.local for name, x in synced.items()}
  changed = {name for name in local if known.get(name) != local[name]}
  if not everything and not any(map(is_mark, changed)):
    small = {x for x in changed if local[x].size <= SMALL and not mark_of(x)}
    return Push((), marks_last(small), ())
  replaced = {mark_of(x) for x in changed} & synced.keys() & local.keys()
  # the last checkpoint of the store stays until there is another
  gone = synced.keys() - local.keys() if marks_of_run(local) else ()
  return Push(
    marks_first(x for x in replaced if x),
    marks_last(changed | {x for x in replaced if x}),
    marks_first(gone),
  )


def plan_pull(
  remote: Mapping[str, Remote],
  local: Mapping[str, Local],
  synced: Mapping[str, Synced],
) -> Pull:
  """What to fetch.

  A file that only one side has changed since they were equal is taken from that
  side. One that both have changed is taken from the store if another process
  has written checkpoints there, and else from the folder: then this is what a
  training run could not send before it died.

  Args:
    remote: all objects of the store.
    local: the files that count, of the folder.
    synced: the objects as last seen from here.
  """
  there = shown(remote.keys())
  marks = marks_of_run(there) | marks_of_run(synced)
  tags = {name: remote[name].tag for name in there}
  known = {name: x.tag for name, x in synced.items()}
  replaced = any(tags.get(x) != known.get(x) for x in marks)
  before = {name: x.local for name, x in synced.items()}
  mine = {name for name in local if before.get(name) != local[name]}
  theirs = {name for name in there if known.get(name) != tags[name]}
  fetched = (there - local.keys()) | (theirs - mine)
  gone = local.keys() - there
  removed = (gone & synced.keys()) - mine
  if replaced:
    fetched |= there & mine
    removed |= {x for x in gone if x in synced or mark_of(x) or is_mark(x)}
  return Pull(marks_last(fetched), marks_first(removed), replaced)

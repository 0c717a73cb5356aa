"""Splits and classes that the folders of a data set name.

A folder is a split only if a partner stands beside it, in the same folder:
`train` next to `valid`, `val`, `validation`, `dev`, `test` or one of their
other names. Otherwise such a name is a class like any other, unless the folder
stands alone: it then divides nothing, and the classes are inside.
"""

from __future__ import annotations

import pathlib
import re
from collections.abc import Sequence
from typing import Literal, NamedTuple

Kind = Literal["train", "validation", "test"]

_NAMES: dict[Kind, tuple[str, ...]] = {
  "train": ("train", "training"),
  "validation": (
    *("validation", "valid", "val", "dev", "development"),
    *("eval", "evaluation", "holdout", "held_out", "held-out"),
  ),
  "test": ("test", "testing"),
}
_SUFFIX = re.compile(r"[ _-]?(set|split|data|images|(19|20)\d\d)$")
_CONTAINERS = ("images", "prior_clean")  # neither splits nor classes

_Path = tuple[str, ...]
_Tree = dict[_Path, set[str]]


class Place(NamedTuple):
  """What the folders of an item say.

  Attributes:
    kind: its split; None outside of all.
    folder: the folder of the split, as it is written.
    paired: whether a partner stands beside that folder.
    label: its class; None outside of all.
  """

  kind: Kind | None = None
  folder: str = ""
  paired: bool = False
  label: str | None = None


def places(names: Sequence[str]) -> list[Place]:
  """What the folders of each item say; names are relative paths, with `/`."""
  paths = [pathlib.PurePosixPath(name).parts[:-1] for name in names]
  tree = _tree(set(paths))
  known = {path: _place(path, tree) for path in set(paths)}
  return [known[path] for path in paths]


def split_kind(folder: str) -> Kind | None:
  """The split that a folder would be next to a partner; None for others."""
  name = folder.strip().casefold()
  forms = name, _SUFFIX.sub("", name)
  for kind, known in _NAMES.items():
    if any(form in known for form in forms):
      return kind
  return None


def _tree(paths: set[_Path]) -> _Tree:
  """The folders inside each folder."""
  tree: _Tree = {}
  for path in paths:
    for depth, folder in enumerate(path):
      tree.setdefault(path[:depth], set()).add(folder)
  return tree


def _place(path: _Path, tree: _Tree) -> Place:
  place = Place()
  for depth, folder in enumerate(path):
    beside = tree[path[:depth]]
    kind, paired = split_kind(folder), _are_splits(beside)
    alone = len(beside) == 1 and place.kind is None
    if kind and (alone or (paired and not place.paired)):
      place = place._replace(kind=kind, folder=folder, paired=paired)
    elif place.label is None and folder.casefold() not in _CONTAINERS:
      place = place._replace(label=folder)
  return place


def _are_splits(folders: set[str]) -> bool:
  """Whether folders side by side are for training and held out."""
  kinds = {split_kind(folder) for folder in folders} - {None}
  return "train" in kinds and len(kinds) > 1

"""Choice of the images and labels among the named arrays of a file."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping, Sequence

from jaxgen.config.data import Split
from jaxgen.formats.npz import Header

_IMAGES = ("image", "images", "clean_norm")  # names that need no choice
OBJECTS = (  # the remedy
  "; objects are not read: save numbers, as by numpy.stack(list(array))"
)
_LABELS = ("label", "labels", "y", "target", "targets", "class", "classes")
_TOKENS = {
  "train": ("train", "training"),
  "validation": ("validation", "valid", "val", "dev"),
  "test": ("test", "testing"),
}
_TOKEN = "|".join(x for tokens in _TOKENS.values() for x in tokens)
_PREFIX = re.compile(rf"({_TOKEN})(?:[_. -]+(.*))?", re.IGNORECASE)
_SUFFIX = re.compile(rf"(.*?)[_. -]+({_TOKEN})", re.IGNORECASE)
_SHORT = re.compile(rf"(x|y)({_TOKEN})", re.IGNORECASE)  # xtrain


@dataclasses.dataclass(frozen=True, kw_only=True)
class Part:
  """An array of images and that of their labels.

  Attributes:
    images: its name.
    labels: the name of the array of labels; None without labels.
    split: the split that the names say; None: they say none.
  """

  images: str
  labels: str | None = None
  split: Split | None = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class Choice:
  """The arrays of images that are used, and the names of those that are not."""

  parts: Sequence[Part]
  unused: Sequence[str] = ()


def choose(headers: Mapping[str, Header], key: str) -> Choice:
  """Choose the array named `key`; without it the only one that can be the
  images, or those of the splits: `x_train` and `x_test`, `train_images` and
  `val_images`, ...

  Raises:
    ValueError: there is none, or several are possible.
  """
  plausible = _plausible(headers)
  groups = _groups(plausible)
  if key in headers:
    chosen = [key]
  elif key:
    chosen = list(groups.get(key.lower(), {}).values())
    if not chosen:
      raise ValueError(f"data.key={key}: expected one of {_listed(headers)}")
  else:
    chosen = _guess(headers, plausible, groups)
  _check_types(headers, chosen)
  unused = [name for name in plausible if name not in chosen]
  if len(chosen) > 1:
    held_out = [x for x in chosen if _split(x) != "train"]
    preferred = [x for x in held_out if _split(x) == "validation"]
    used = [x for x in chosen if _split(x) == "train"]
    used += preferred or held_out
    unused += [x for x in chosen if x not in used]
    chosen = used
  several = len(chosen) > 1
  parts = [_part(headers, name, with_split=several) for name in chosen]
  return Choice(parts=parts, unused=unused)


def _check_types(headers: Mapping[str, Header], names: Sequence[str]) -> None:
  objects = [name for name in names if headers[name].dtype.hasobject]
  if objects:
    raise ValueError(
      f"expected numbers, got {_listed(headers, objects)}{OBJECTS}"
    )


def _guess(
  headers: Mapping[str, Header],
  plausible: Sequence[str],
  groups: Mapping[str, Mapping[str, str]],
) -> list[str]:
  named = [name for name in plausible if name.lower() in _IMAGES]
  if len(named) == 1 or len(plausible) == 1:
    return [(named or plausible)[0]]
  for group in groups.values():
    if len(group) == len(plausible) > 1 and "train" in group:
      return list(group.values())
  if not plausible:
    _check_types(headers, list(headers))
    known = f"got {_listed(headers)}" if headers else "got none"
    raise ValueError(
      "expected an array of images, such as `clean_norm` in a .pt or `images`"
      f" in an .npz, {known}"
    )
  raise ValueError(
    f"several arrays can be the images: {_listed(headers, plausible)}; choose"
    " one by data.key"
  )


def _plausible(headers: Mapping[str, Header]) -> list[str]:
  """The names of the arrays that can be images."""
  dims = {
    name: len(header.shape)
    for name, header in headers.items()
    if len(header.shape) in (2, 3, 4) and _stem(name) not in _LABELS
  }
  for kinds in ("uif", "bc"):  # the others only to be refused by their type
    known = [x for x in dims if headers[x].dtype.kind in kinds]
    if known:
      return [name for name in known if dims[name] > 2] or known
  return []


def _groups(names: Sequence[str]) -> dict[str, dict[str, str]]:
  """Names that differ in their split alone: name by split by the rest."""
  groups: dict[str, dict[str, str]] = {}
  for name in names:
    if split := _split(name):
      groups.setdefault(_stem(name), {}).setdefault(split, name)
  return groups


def _part(headers: Mapping[str, Header], name: str, *, with_split: bool):
  split = _split(name)
  labels = [x for x in headers if _stem(x) in _LABELS and x != name]
  own = [x for x in labels if _split(x) == split]
  common = [x for x in labels if _split(x) is None]
  if not own and not with_split:
    own = common
  side: Split = "train" if split == "train" else "validation"
  return Part(
    images=name,
    labels=own[0] if own else None,
    split=side if with_split else None,
  )


def _parse(name: str) -> tuple[str, str]:
  """The token of a split in a name, and the rest; both in lower case."""
  if match := _PREFIX.fullmatch(name):
    return match[1].lower(), (match[2] or "").lower()
  if match := _SUFFIX.fullmatch(name) or _SHORT.fullmatch(name):
    return match[2].lower(), match[1].lower()
  return "", name.lower()


def _split(name: str) -> str | None:
  token = _parse(name)[0]
  return next((x for x, tokens in _TOKENS.items() if token in tokens), None)


def _stem(name: str) -> str:
  return _parse(name)[1]


def _listed(
  headers: Mapping[str, Header], names: Sequence[str] | None = None
) -> str:
  shown = list(headers) if names is None else names
  return ", ".join(
    f"{name or '(the only array)'} {headers[name].shape} {headers[name].dtype}"
    for name in shown
  )

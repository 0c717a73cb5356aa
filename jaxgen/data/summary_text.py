"""A data summary as lines of text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from jaxgen.data.summary import NAMED, DataSummary

LISTED = 12  # classes, or labels of masks, that are listed
_COLORS = {1: "gray", 3: "RGB"}


def brief(summary: DataSummary) -> list[str]:
  """The lines that a run prints at its start."""
  tiles, why = _tiles(summary, "train"), f", {summary.split}"
  entries = [
    (
      "held out",
      _count(summary.validation, "image") + why * bool(summary.split),
    ),
    ("tiles", _form(summary)),
    *_contents(summary),
  ]
  return [
    f"training on {_count(summary.train, 'image')} ({tiles}):"
    f" {_origin(summary)}",
    *(f"  {name}: {text}" for name, text in entries),
  ]


def full(summary: DataSummary) -> list[str]:
  """All that is known, a line for each subject."""
  entries = [
    ("data", _origin(summary)),
    (
      "trained on",
      f"{_count(summary.train, 'image')}, {_tiles(summary, 'train')}",
    ),
    (
      "held out",
      f"{_count(summary.validation, 'image')}, {_tiles(summary, 'validation')}",
    ),
    ("split", summary.split),
    ("tiles", _form(summary)),
    ("sizes", _sizes(summary.sizes)),
    *_contents(summary),
    ("duplicates", str(summary.duplicates or "")),
  ]
  return [f"{name:12} {text}" for name, text in entries if text]


def _origin(summary: DataSummary) -> str:
  return f"{summary.source} {summary.path}".strip()


def _count(number: int, noun: str) -> str:
  return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _tiles(summary: DataSummary, split: str) -> str:
  return f"{_count(summary.tiles[split], 'tile')} per epoch"


def _form(summary: DataSummary) -> str:
  side, channels = summary.resolution, summary.channels
  color = _COLORS.get(channels, f"{channels} channels")
  bits = f"{summary.bits} bits" if summary.bits else "floating point"
  black, white = summary.value_range
  low, high = summary.value_seen
  return (
    f"{side} x {side} pixels, {color}, {bits}, black {black:g}, white"
    f" {white:g}; values from {low:g} to {high:g}"
  )


def _sizes(sizes: Sequence[tuple[int, int]]) -> str:
  shown = [f"{width} x {height}" for height, width in sizes]
  return " to ".join(dict.fromkeys(shown)) + " pixels" if sizes else ""


def _contents(summary: DataSummary) -> Iterator[tuple[str, str]]:
  """Classes, masks and what is not used."""
  if summary.classes:
    about = "" if summary.counted else "about "
    yield "classes", about + _listed(summary.classes, "{:,}")
  if summary.unlabelled:
    yield "unlabelled", _count(summary.unlabelled, "image")
  if summary.masks:
    yield "masks", _listed(summary.masks, "{:.3%}")
  for reason, names in summary.skipped.items():
    shown = ", ".join(names[:NAMED]) + ", ..." * (len(names) > NAMED)
    yield "skipped", f"{len(names)} ({reason}): {shown}"


def _listed(values: Mapping, form: str) -> str:
  shown = [f"{k} {form.format(x)}" for k, x in list(values.items())[:LISTED]]
  more = len(values) - LISTED
  return ", ".join(shown) + (f" and {more} more" if more > 0 else "")

"""Partition of photographs into training and validation, and why."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

from jaxgen.config.data import DataConfig, Split
from jaxgen.data import folder_names, splits
from jaxgen.data.photos import Photos
from jaxgen.errors import UserError
from jaxgen.formats import problems

_Boxes = list[tuple[int, splits.Box]]
OUTSIDE = "outside the folders of the splits"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Partition:
  """The photographs of each split.

  Attributes:
    boxes: photographs with the part that belongs to the split. Those that are
      too small are included, so that splits do not depend on the resolution.
    how: how they were divided, and why, in a sentence.
    by_regions: whether the splits are parts of the same photographs.
    unused: names of the photographs in neither split, by reason.
    duplicates: identical photographs that were dropped.
    shared: those among them that are in both folders of the splits.
    shared_file: whether all photographs are of one file, so that it is in both.
  """

  boxes: Mapping[Split, _Boxes]
  how: str
  by_regions: bool = False
  unused: Mapping[str, Sequence[str]] = dataclasses.field(default_factory=dict)
  duplicates: int = 0
  shared: int = 0
  shared_file: bool = False


def partition(photos: Photos, options: DataConfig, *, size: int) -> Partition:
  """Divide photographs by their folders, else by `options.split_by`.

  Raises:
    UserError: fewer than two photographs to be divided by files.
  """
  if not photos.names:
    return Partition(boxes={"train": [], "validation": []}, how="")
  indices = splits.by_folder(photos.names, photos.digests)
  if indices is not None:
    return _by_folder(photos, indices, options)
  percent = f"{100 * options.validation_fraction:g} %"
  why = "there are no folders train and validation side by side"
  duplicates = len(photos.digests) - len(splits.unique(photos.digests))
  if options.split_by == "regions":
    return Partition(
      boxes={
        "train": _strips(photos, options, split="train", size=size),
        "validation": _strips(photos, options, split="validation", size=size),
      },
      how=f"by regions: {percent} of each photograph, an end of its longer side"
      f" of at least a tile, are held out (data.split_by=regions; {why})",
      by_regions=True,
      duplicates=duplicates,
    )
  indices = splits.by_digest(
    photos.digests, options.validation_fraction, files=photos.files
  )
  held, files = len(indices["validation"]), len({*photos.files})
  share = f"{percent} of the images"
  if 1 < files < len(photos.files):
    share = f"{held:,} images, those of whole files"
  return Partition(
    boxes=_whole(photos, indices),
    how=f"by files: {share}, chosen by their content, are held out"
    f" (data.split_by=files; {why})",
    duplicates=duplicates,
    shared_file=files == 1 < len(photos.files),
  )


def _by_folder(
  photos: Photos, indices: Mapping[Split, Sequence[int]], options: DataConfig
) -> Partition:
  places = folder_names.places(photos.names)
  _check_beside(places, options)
  held_out = places[indices["validation"][0]].kind
  members = {
    kind: [i for i, place in enumerate(places) if place.kind == kind]
    for kind in ("train", held_out)
  }
  contents = [{photos.digests[i] for i in x} for x in members.values()]
  total = sum(len(x) for x in members.values())
  unused = _unused(photos.names, places, used=tuple(members))
  how = (
    f"by folders: {_folders(places, 'train')} is trained on,"
    f" {_folders(places, held_out)} is held out"
  )
  others = {place.kind for place in places} - {None, *members}
  others = [f"{_folders(places, kind)} is not used" for kind in others]
  return Partition(
    boxes=_whole(photos, indices),
    how=", ".join((how, *others)) + " (they stand side by side)",
    unused=unused,
    duplicates=total - sum(len(x) for x in indices.values()),
    shared=len(contents[0] & contents[1]),
  )


def _check_beside(
  places: Sequence[folder_names.Place], options: DataConfig
) -> None:
  """Raise a UserError for folders of images outside of the splits, unless they
  are skipped: either these are classes, or the splits are not."""
  found = {x.label for x in places if x.label and x.kind is None}
  if options.on_bad == "skip" or not found:
    return
  kinds = [place.kind for place in places if place.paired]
  known = " and ".join(_folders(places, kind) for kind in dict.fromkeys(kinds))
  shown = problems.listed([f"{name}/" for name in sorted(found)])
  raise UserError(
    f"{options.path}: {shown}, outside of {known}, which divide the images, are"
    " in neither split: move them into these or elsewhere, rename"
    f" {known} if they are classes, or leave the others out by"
    " data.on_bad=skip"
  )


def _unused(
  names: Sequence[str],
  places: Sequence[folder_names.Place],
  *,
  used: Sequence[str | None],
) -> dict[str, list[str]]:
  unused: dict[str, list[str]] = {}
  for name, place in zip(names, places, strict=True):
    if place.kind not in used:
      folder = (
        f"in {place.folder}/, in neither split" if place.kind else OUTSIDE
      )
      unused.setdefault(folder, []).append(name)
  return unused


def _folders(places: Sequence[folder_names.Place], kind: str | None) -> str:
  """The names of the folders of a split."""
  found = {place.folder for place in places if place.kind == kind}
  return " and ".join(f"{folder}/" for folder in sorted(found))


def _whole(
  photos: Photos, indices: Mapping[Split, Sequence[int]]
) -> dict[Split, _Boxes]:
  return {
    split: [(i, splits.Box(0, 0, *photos.sizes[i])) for i in chosen]
    for split, chosen in indices.items()
  }


def _strips(
  photos: Photos, options: DataConfig, *, split: Split, size: int
) -> _Boxes:
  boxes = []
  for photo in splits.unique(photos.digests):
    height, width = photos.sizes[photo]
    side = min(size, height, width, max(height, width) // 2)
    box = splits.by_region(
      height,
      width,
      split=split,
      fraction=options.validation_fraction,
      size=side if options.upsample else size,
    )
    if box is not None:
      boxes.append((photo, box))
  return boxes

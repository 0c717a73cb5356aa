"""A data section for images of which only the path is given."""

from __future__ import annotations

import dataclasses
import pathlib
from typing import Literal

import numpy as np

from jaxgen.config.data import DataConfig
from jaxgen.data import pipeline, sources
from jaxgen.data.source import Source
from jaxgen.errors import UserError
from jaxgen.formats.image_files import SUFFIXES

Kind = Literal["folder", "arrays", "records"]
ARRAYS = (".npy", ".npz", ".pt")
RECORDS = (".array_record", ".arrayrecord")
MASKS = ("masks", "labels")  # folders beside images/
LARGEST, SMALLEST = 64, 8  # sides of a tile in pixels
PROBED = 64  # tiles that are examined for color
FEW = 5  # images, below which regions of each are held out


@dataclasses.dataclass(frozen=True, kw_only=True)
class Guess:
  """A section `data` that fits the files, the side of a tile, and sentences
  about what does not fit."""

  options: DataConfig
  resolution: int
  notes: tuple[str, ...] = ()


def guess(path: pathlib.Path, *, resolution: int | None = None) -> Guess:
  """The data section for a folder or file.

  Source, masks, split, channels and, unless it is given, the resolution are
  those that fit the files. Unusable images are skipped.

  Raises:
    UserError: there is nothing to read.
  """
  options = DataConfig(
    source=_source(path),
    path=str(path),
    split_by="regions",
    upsample=True,
    on_bad="skip",
  )
  probe = sources.build(options, "train", SMALLEST)
  num, side = _num_images(probe), resolution or _resolution(probe)
  by: Literal["regions", "files"] = "regions" if num < FEW else "files"
  masks, notes = _masks(path, options, num=num)
  options = dataclasses.replace(options, masks=masks, split_by=by)
  channels = 1 if _is_gray(sources.build(options, "train", side)) else 3
  options = dataclasses.replace(options, channels=channels)
  return Guess(options=options, resolution=side, notes=notes)


def _num_images(source: Source) -> int:
  return source.findings.images.get("train", len(source))


def _resolution(source: Source) -> int:
  """A power of two that fits in the smallest image."""
  sizes = source.findings.sizes
  smallest = min((min(size) for size in sizes), default=LARGEST)
  side = 2 ** int(np.log2(max(smallest, 1)))
  return min(max(side, SMALLEST), LARGEST)


def _source(path: pathlib.Path) -> Kind:
  if path.is_file():
    return _source_of(path.suffix.lower(), path)
  if not path.is_dir():
    raise UserError(f"{path}: no such folder or file")
  suffixes = {x.suffix.lower() for x in path.rglob("*") if x.is_file()}
  if not suffixes & {*SUFFIXES} and suffixes & {*ARRAYS}:
    return "arrays"
  if not suffixes & {*SUFFIXES} and suffixes & {*RECORDS}:
    return "records"
  return "folder"


def _source_of(suffix: str, path: pathlib.Path) -> Kind:
  if suffix in ARRAYS:
    return "arrays"
  if suffix in RECORDS:
    return "records"
  raise UserError(
    f"{path}: expected a folder of images, or a file {', '.join(ARRAYS)} or"
    f" {RECORDS[0]}"
  )


def _masks(
  path: pathlib.Path, options: DataConfig, *, num: int
) -> tuple[str, tuple[str, ...]]:
  """The folder of masks beside the folder `images`, if it has a mask of each of
  the images; and what is to be said of it."""
  names = [name for name in MASKS if (path / name).is_dir()]
  if not names or not (path / "images").is_dir():
    return "", ()
  name = names[0]
  masked = sources.build(
    dataclasses.replace(options, masks=name), "train", SMALLEST
  )
  if _num_images(masked) == num:
    return name, ()
  note = (
    f"{name}/ has masks of {_num_images(masked)} of {num} images: not used."
  )
  return "", (note,)


def _is_gray(source: Source) -> bool:
  """Whether all channels of some tiles are equal."""
  tiles = pipeline.stack(pipeline.fixed_tiles(source, PROBED))["image"]
  return bool((tiles == tiles[..., :1]).all())

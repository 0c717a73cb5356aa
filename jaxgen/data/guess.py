"""A data section for images of which only the path is given."""

from __future__ import annotations

import dataclasses
import pathlib

import numpy as np

from jaxgen.config.data import DataConfig
from jaxgen.data import pipeline, sources
from jaxgen.data.source import Source
from jaxgen.errors import UserError
from jaxgen.formats.image_files import SUFFIXES

ARRAYS = (".npy", ".npz", ".pt")
RECORDS = (".array_record", ".arrayrecord")
MASKS = ("masks", "labels")  # folders beside images/
LARGEST, SMALLEST = 64, 8  # sides of a tile in pixels
FEW = 5  # images, below which regions of each are held out


def guess_options(path: pathlib.Path) -> DataConfig:
  """The section `data` for a folder or file: its source, masks, split and
  channels. Unusable images are skipped.

  Raises:
    UserError: there is nothing to read.
  """
  options = DataConfig(
    source=_source(path),
    path=str(path),
    masks=_masks(path),
    split_by="regions",
    upsample=True,
    on_bad="skip",
  )
  probe = sources.build(options, "train", SMALLEST)
  images = probe.findings.images.get("train", len(probe))
  return dataclasses.replace(
    options,
    split_by="regions" if images < FEW else "files",
    channels=1 if _is_gray(probe) else options.channels,
  )


def guess_resolution(options: DataConfig) -> int:
  """The side of a tile: a power of two that fits in the smallest image."""
  sizes = sources.build(options, "train", SMALLEST).findings.sizes
  smallest = min((min(size) for size in sizes), default=LARGEST)
  side = 2 ** int(np.log2(max(smallest, 1)))
  return min(max(side, SMALLEST), LARGEST)


def _source(path: pathlib.Path) -> str:
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


def _source_of(suffix: str, path: pathlib.Path) -> str:
  if suffix in ARRAYS:
    return "arrays"
  if suffix in RECORDS:
    return "records"
  raise UserError(
    f"{path}: expected a folder of images, or a file {', '.join(ARRAYS)} or"
    f" {RECORDS[0]}"
  )


def _masks(path: pathlib.Path) -> str:
  """The folder of masks beside the folder `images`, if there is one."""
  if not (path / "images").is_dir():
    return ""
  return next((name for name in MASKS if (path / name).is_dir()), "")


def _is_gray(source: Source) -> bool:
  """Whether all channels of some tiles are equal."""
  tiles = pipeline.stack(pipeline.fixed_tiles(source, 16))["image"]
  return bool((tiles == tiles[..., :1]).all())

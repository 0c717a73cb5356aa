"""Encoded images in `array_record` files, read without TensorFlow."""

from __future__ import annotations

import dataclasses
import functools
import glob
import pathlib
from concurrent import futures
from typing import Any, Literal

import msgpack
import numpy as np

from jaxgen.config.data import DataConfig, Split
from jaxgen.config.fields import check_value
from jaxgen.data import photos, splits, tiles
from jaxgen.data.resize import to_channels
from jaxgen.data.source import Source
from jaxgen.errors import UserError
from jaxgen.formats import image_files

_SUFFIXES = (".array_record", ".arrayrecord")


def records(options: DataConfig, split: Split, resolution: int) -> Source:
  """Tiles of encoded images in `array_record` files: `path` is a file, a folder
  of files or a glob.

  A record is the content of an image file, or a msgpack map with that content
  as `image` and optionally an integer `label`. Every record is decoded once at
  the start, as by `folder`.

  Options used: `path, channels, crop, crop_size, upsample, split_by,
  validation_fraction, on_bad, cache_mb, threads`.

  Raises:
    UserError: no such file; or records that are not images or too small (all
      are listed by number).
  """
  check_value("data.channels", Literal[1, 3], options.channels)
  paths = _record_paths(options.path)
  stamps = tuple((p.stat().st_size, p.stat().st_mtime_ns) for p in paths)
  names = tuple(str(path) for path in paths)
  checked = _check_records(names, stamps, options.threads)
  good = [i for i, (info, _) in enumerate(checked) if not isinstance(info, str)]
  infos = [x for x, _ in checked if isinstance(x, image_files.ImageInfo)]
  label_names, labels = splits.number_labels(
    np.array([checked[i][1] for i in good], np.int64)
  )
  described = photos.Photos(
    names=[f"record {i}" for i in good],
    sizes=[(info.height, info.width) for info in infos],
    digests=[info.digest for info in infos],
    load=RecordPhotos(
      paths=names,
      records=tuple(good),
      bits=max((info.bits for info in infos), default=8),
      channels=options.channels,
    ),
    labels=labels if label_names else (),
    label_names=label_names,
    problems=[
      f"record {i}: {info}"
      for i, (info, _) in enumerate(checked)
      if isinstance(info, str)
    ],
  )
  return tiles.cut(described, options, split=split, resolution=resolution)


@dataclasses.dataclass(frozen=True, kw_only=True)
class RecordPhotos:
  """A decoder of the image in the i-th usable record; picklable."""

  paths: tuple[str, ...]
  records: tuple[int, ...]
  bits: int
  channels: int

  def __call__(self, photo: int) -> photos.Photo:
    data, _ = parse_record(_open_records(self.paths)[self.records[photo]])
    image = image_files.decode(data, bits=self.bits)
    return (to_channels(image, 1) if self.channels == 1 else image,)


def parse_record(record: bytes) -> tuple[bytes, int]:
  """The encoded image of a record and its label; -1 without a label."""
  try:
    content = msgpack.unpackb(record)
  except ValueError:  # not msgpack: the image itself
    return record, -1
  if not isinstance(content, dict) or "image" not in content:
    return record, -1
  label = content.get("label")
  return content["image"], -1 if label is None else max(int(label), -1)


def _record_paths(path: str) -> list[pathlib.Path]:
  root = pathlib.Path(path)
  if path and root.is_dir():
    paths = [x for x in root.rglob("*") if x.suffix in _SUFFIXES]
    # tfds writes NAME.array_record-00000-of-00001
    paths += [x for x in root.rglob("*.array_record-*") if x.is_file()]
  else:
    paths = [pathlib.Path(x) for x in glob.glob(path)]
  if not paths:
    raise UserError(
      f"data.path={path!r}: expected an array_record file, a folder of"
      f" {_SUFFIXES[0]} files, or a glob"
    )
  return sorted(paths)


@functools.lru_cache(maxsize=4)
def _open_records(paths: tuple[str, ...]) -> Any:
  from array_record.python import array_record_data_source

  for path in paths:
    try:
      len(array_record_data_source.ArrayRecordDataSource([path]))
    except Exception as error:
      raise UserError(
        f"{path} is damaged or not an array_record file:"
        f" {image_files.reason(error)}"
      ) from error
  return array_record_data_source.ArrayRecordDataSource(list(paths))


@functools.cache
def _check_records(
  paths: tuple[str, ...], stamps: tuple[tuple[int, int], ...], threads: int
) -> list[tuple[image_files.ImageInfo | str, int]]:
  """The `ImageInfo` of each record, or why it cannot be used, and its label."""
  del stamps  # part of the cache key
  data = _open_records(paths)

  def check(index: int) -> tuple[image_files.ImageInfo | str, int]:
    try:
      image, label = parse_record(data[index])
      info = image_files.check(image)
      if info.dtype not in ("uint8", "uint16"):
        return f"{info.dtype}: expected 8 or 16 bits per value", label
      return info, label
    except Exception as error:
      return image_files.reason(error), -1

  with futures.ThreadPoolExecutor(max(threads, 1)) as pool:
    return list(pool.map(check, range(len(data))))

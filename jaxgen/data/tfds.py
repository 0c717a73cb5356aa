"""TensorFlow Datasets and `array_record` files, both without TensorFlow."""

from __future__ import annotations

import dataclasses
import functools
import glob
import hashlib
import pathlib
import re
from concurrent import futures
from typing import Any, Literal

import msgpack
import numpy as np

from jaxgen.config.data import DataConfig, Split
from jaxgen.config.fields import check_value
from jaxgen.data import splits, tiles
from jaxgen.data.resize import centre_square, resize, to_channels
from jaxgen.data.source import Element, Source
from jaxgen.errors import UserError
from jaxgen.formats import image_files

_VALIDATION = ("validation", "test")  # the first of them that is there
_RECORD_SUFFIXES = (".array_record", ".arrayrecord")


@dataclasses.dataclass(eq=False, kw_only=True)
class ExampleSource:
  """A `Source` of one tile for each example of a TFDS set; picklable."""

  data: Any  # tfds' random access: data[i] is a dict
  start: int
  num_examples: int
  image_key: str
  label_key: str  # empty: no labels
  options: DataConfig
  random: bool
  resolution: int
  name: str
  label_names: tuple[str, ...]
  attribute_names: dict[str, tuple[str, ...]]
  fingerprint: str

  def __len__(self) -> int:
    return self.num_examples

  def read(self, index: int, rng: np.random.Generator | None = None) -> Element:
    """As `Source.read`; without a generator the crop is the middle.

    Raises:
      UserError: an image smaller than a tile, and `upsample` is not set.
    """
    if not 0 <= index < self.num_examples:
      raise IndexError(f"tile {index} of {self.num_examples}")
    example = self.data[self.start + index]
    crop = self._crop(example[self.image_key], index, rng)
    tile = resize(np.ascontiguousarray(crop), self.resolution)
    element = {"image": np.array(to_channels(tile, self.options.channels))}
    if self.label_key:
      element["label"] = np.array(example[self.label_key], np.int32)
    return element

  def _crop(
    self, image: np.ndarray, index: int, rng: np.random.Generator | None
  ) -> np.ndarray:
    whole = self.options.crop == "whole"
    size = self.options.crop_size * (not whole) or self.resolution
    height, width = image.shape[:2]
    if min(height, width) < size and not self.options.upsample:
      raise UserError(
        f"{self.name}: image {self.start + index} has {width} x {height} pixels"
        f", a tile {size}: lower the resolution or set data.upsample=True"
      )
    size = min(size, height, width)
    if whole:
      return centre_square(image)
    top, left = (height - size) // 2, (width - size) // 2
    if rng is not None and self.random:
      top = int(rng.integers(height - size + 1))
      left = int(rng.integers(width - size + 1))
    return image[top : top + size, left : left + size]


def tfds(options: DataConfig, split: Split, resolution: int) -> Source:
  """One tile of each image of a TensorFlow Datasets set that is prepared as
  `array_record`; without TensorFlow such a set can be read but, mostly, not
  prepared.

  `path` is `NAME`, `NAME/CONFIG:VERSION` or either followed by `@DATA_DIR`
  (default: the environment's TFDS_DATA_DIR, else ~/tensorflow_datasets), or the
  folder of a prepared set. Validation is the set's `validation`, else `test`,
  else the last `validation_fraction` of `train`: whether the same image is
  twice in a set is not looked at.

  Reads `path, key, channels, crop (random or whole), crop_size, upsample,
  validation_fraction` of the options.

  Raises:
    UserError: the set is unknown or not prepared, it has no images, or they do
      not fit the options.
  """
  if options.crop == "tiled":
    raise UserError("data.crop=tiled is not for tfds: use random or whole")
  builder = _builder(options.path)
  own = next((x for x in _VALIDATION if x in builder.info.splits), None)
  part = own if own is not None and split == "validation" else "train"
  data = _open_set(builder, part, options.path)
  start, stop = 0, len(data)
  if own is None and stop < 2:
    raise UserError(f"{options.path} has {stop} examples: too few to split")
  if own is None:
    held = min(max(round(options.validation_fraction * stop), 1), stop - 1)
    cut = stop - held
    start, stop = (0, cut) if split == "train" else (cut, stop)
  features = dict(builder.info.features.items())
  image_key = _image_key(options, features)
  label_key = _label_key(features)
  source = ExampleSource(
    data=data,
    start=start,
    num_examples=stop - start,
    image_key=image_key,
    label_key=label_key,
    options=options,
    random=split == "train",
    resolution=resolution,
    name=options.path,
    label_names=tuple(features[label_key].names) if label_key else (),
    attribute_names={},
    fingerprint=_set_fingerprint(builder),
  )
  first = data[start][image_key]
  if first.dtype not in (np.uint8, np.uint16):
    raise UserError(
      f"{options.path}: {first.dtype} images, not uint8 or uint16"
    )
  _check_channels(options, first.shape[2])
  source.read(0)
  return source


def records(options: DataConfig, split: Split, resolution: int) -> Source:
  """Tiles of encoded images in `array_record` files: `path` is a file, a folder
  of them or a glob.

  A record is the content of an image file, or a msgpack map with it under
  `image` and, if known, an integer `label`. Every record is decoded once at the
  start, as `folder` does with its files.

  Reads `path, channels, crop, crop_size, upsample, split_by,
  validation_fraction, on_bad, cache_mb, threads` of the options.

  Raises:
    UserError: no file, or records that are no images or too small, all in one.
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
  photos = tiles.Photos(
    names=[f"record {i}" for i in good],
    sizes=[(info.height, info.width) for info in infos],
    digests=[info.digest for info in infos],
    load=RecordPhotos(
      paths=names,
      records=tuple(good),
      bits=min((info.bits for info in infos), default=8),
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
  return tiles.cut(photos, options, split, resolution)


@dataclasses.dataclass(frozen=True, kw_only=True)
class RecordPhotos:
  """Decodes the image of the i-th good record; picklable."""

  paths: tuple[str, ...]
  records: tuple[int, ...]
  bits: int
  channels: int

  def __call__(self, photo: int) -> tiles.Photo:
    data, _ = parse_record(_open_records(self.paths)[self.records[photo]])
    image = image_files.decode(data, bits=self.bits)
    return (to_channels(image, 1) if self.channels == 1 else image,)


def parse_record(record: bytes) -> tuple[bytes, int]:
  """The encoded image of a record and its label, -1 without one."""
  try:
    content = msgpack.unpackb(record)
  except ValueError:  # no msgpack: the image itself
    return record, -1
  if not isinstance(content, dict) or "image" not in content:
    return record, -1
  label = content.get("label")
  return content["image"], -1 if label is None else max(int(label), -1)


def _builder(path: str) -> Any:
  import tensorflow_datasets  # a second, which only this source pays

  name, _, data_dir = path.partition("@")
  # NAME:CONFIG/VERSION is a common slip for NAME/CONFIG:VERSION.
  name = re.sub(r"^(\w+):([\w.-]+)/([\d.]+)$", r"\1/\2:\3", name)
  if not name:
    raise UserError("data.path is empty: set it to the name of a tfds set")
  try:
    if pathlib.Path(name, "dataset_info.json").is_file():
      return tensorflow_datasets.builder_from_directory(name)
    return tensorflow_datasets.builder(
      name, data_dir=data_dir or None, file_format="array_record"
    )
  except Exception as error:
    words = image_files.reason(error).partition(" Available datasets")[0][:200]
    raise UserError(
      f"no tfds set {path}: {words}\nName one that is prepared, NAME@DATA_DIR."
    ) from error


def _open_set(builder: Any, part: str, path: str) -> Any:
  try:
    return builder.as_data_source(split=part)
  except Exception as error:
    raise UserError(
      f"the tfds set {path} has no array_record data of `{part}` in"
      f" {builder.data_dir}: prepare it where TensorFlow is installed, with\n"
      f"tfds build {builder.name} --file_format=array_record --data_dir=DIR,"
      f" and set data.path={builder.name}@DIR"
      f" ({image_files.reason(error)[:100]})"
    ) from error


def _image_key(options: DataConfig, features: dict[str, Any]) -> str:
  keys = [key for key, x in features.items() if type(x).__name__ == "Image"]
  if options.key and options.key not in keys or not keys:
    raise UserError(
      f"{options.path} has no image feature {options.key}: its features are"
      f" {', '.join(features)}, images: {', '.join(keys) or 'none'}"
    )
  return options.key or ("image" if "image" in keys else keys[0])


def _label_key(features: dict[str, Any]) -> str:
  kinds = {key: type(x).__name__ for key, x in features.items()}
  keys = [key for key, kind in kinds.items() if kind == "ClassLabel"]
  return "label" if "label" in keys else next(iter(keys), "")


def _check_channels(options: DataConfig, have: int) -> None:
  if have not in (1, options.channels) and (have, options.channels) != (3, 1):
    raise UserError(
      f"{options.path}: images of {have} channels do not turn into"
      f" data.channels={options.channels}"
    )


def _set_fingerprint(builder: Any) -> str:
  sizes = [
    f"{name} {x.num_examples} {x.num_bytes}"
    for name, x in sorted(builder.info.splits.items())
  ]
  text = "\n".join((builder.info.full_name, *sizes))
  return hashlib.blake2b(
    text.encode(errors="surrogateescape"), digest_size=16
  ).hexdigest()


def _record_paths(path: str) -> list[pathlib.Path]:
  root = pathlib.Path(path)
  if path and root.is_dir():
    found = [x for x in root.rglob("*") if x.suffix in _RECORD_SUFFIXES]
    # tfds writes NAME.array_record-00000-of-00001
    found += [x for x in root.rglob("*.array_record-*") if x.is_file()]
  else:
    found = [pathlib.Path(x) for x in glob.glob(path)]
  if not found:
    raise UserError(
      f"no array_record files in {path!r}: set data.path to a file, a folder of"
      f" {_RECORD_SUFFIXES[0]} files or a glob"
    )
  return sorted(found)


@functools.lru_cache(maxsize=4)
def _open_records(paths: tuple[str, ...]) -> Any:
  from array_record.python import array_record_data_source

  for path in paths:
    try:
      len(array_record_data_source.ArrayRecordDataSource([path]))
    except Exception as error:
      raise UserError(
        f"{path} is damaged or no array_record file:"
        f" {image_files.reason(error)}"
      ) from error
  return array_record_data_source.ArrayRecordDataSource(list(paths))


@functools.cache
def _check_records(
  paths: tuple[str, ...], stamps: tuple[tuple[int, int], ...], threads: int
) -> list[tuple[image_files.ImageInfo | str, int]]:
  """For each record what it holds, or why it cannot be used, and its label."""
  del stamps  # a part of the key
  data = _open_records(paths)

  def look(index: int) -> tuple[image_files.ImageInfo | str, int]:
    try:
      image, label = parse_record(data[index])
      return image_files.check(image), label
    except Exception as error:
      return image_files.reason(error), -1

  with futures.ThreadPoolExecutor(max(threads, 1)) as pool:
    return list(pool.map(look, range(len(data))))

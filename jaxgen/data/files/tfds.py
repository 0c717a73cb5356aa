"""TensorFlow Datasets, read without TensorFlow."""

from __future__ import annotations

import dataclasses
import hashlib
import pathlib
import re
from typing import Any

import numpy as np

from jaxgen.config.data import DataConfig, Split
from jaxgen.data.findings import Findings
from jaxgen.data.resize import center_square, resize, to_channels
from jaxgen.data.source import Element, Source
from jaxgen.data.streams import Streams
from jaxgen.errors import UserError
from jaxgen.formats import image_files

_VALIDATION = ("validation", "test")  # the first that exists is used


@dataclasses.dataclass(eq=False, kw_only=True)
class ExampleSource:
  """A `Source` of one tile per example of a data set; picklable."""

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
  findings: Findings

  def __len__(self) -> int:
    return self.num_examples

  def read(self, index: int, rng: Streams | None = None) -> Element:
    """Tile `index`, see `Source.read`; without a stream, the center crop.

    Raises:
      UserError: the image is smaller than a tile and `upsample` is not set.
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
    self, image: np.ndarray, index: int, rng: Streams | None
  ) -> np.ndarray:
    whole = self.options.crop == "whole"
    size = self.options.crop_size * (not whole) or self.resolution
    height, width = image.shape[:2]
    if min(height, width) < size and not self.options.upsample:
      raise UserError(
        f"{self.name}: image {self.start + index}: {width} x {height} pixels,"
        f" expected at least {size} x {size}: reduce stages.resolution, or set"
        " data.upsample=True"
      )
    size = min(size, height, width)
    if whole:
      return center_square(image)
    top, left = (height - size) // 2, (width - size) // 2
    if rng is not None and self.random:
      top = int(rng.integers(height - size + 1))
      left = int(rng.integers(width - size + 1))
    return image[top : top + size, left : left + size]


def tfds(options: DataConfig, split: Split, resolution: int) -> Source:
  """One tile per image of a TensorFlow Datasets set prepared as `array_record`.

  Such a set can be read without TensorFlow, but most cannot be prepared without
  it. `path` is `NAME`, `NAME/CONFIG:VERSION` or either followed by `@DATA_DIR`
  (default: the environment's TFDS_DATA_DIR, else ~/tensorflow_datasets), or the
  folder of a prepared set. Validation is the set's `validation`, else `test`,
  else the last `validation_fraction` of `train`. Duplicate images are not
  detected.

  Options used: `path, key, channels, crop (random or whole), crop_size,
  upsample, validation_fraction`.

  Raises:
    UserError: the set is unknown, not prepared or has no images, or its images
      do not fit the options.
  """
  if options.crop == "tiled":
    raise UserError("data.crop=tiled: expected random or whole for tfds")
  builder = _builder(options.path)
  own = next((x for x in _VALIDATION if x in builder.info.splits), None)
  part = own if own is not None and split == "validation" else "train"
  data = _open_set(builder, part, options.path)
  start, stop = 0, len(data)
  if own is None and stop < 2:
    raise UserError(
      f"{options.path}: expected at least 2 examples to split, got {stop}"
    )
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
    findings=_findings(options, own),
  )
  _check_image(options, data[start][image_key])
  source.read(0)
  return source


def _findings(options: DataConfig, own: str | None) -> Findings:
  share = f"the last {options.validation_fraction:.0%} of `train`"
  held_out = f"its split `{own}`" if own else share
  return Findings(split=f"by the set: {held_out} is held out")


def _builder(path: str) -> Any:
  import tensorflow_datasets  # lazy: the import takes a second

  name, _, data_dir = path.partition("@")
  # NAME:CONFIG/VERSION is a common mistake for NAME/CONFIG:VERSION.
  name = re.sub(r"^(\w+):([\w.-]+)/([\d.]+)$", r"\1/\2:\3", name)
  if not name:
    raise UserError("data.path='': expected the name of a tfds set")
  try:
    if pathlib.Path(name, "dataset_info.json").is_file():
      return tensorflow_datasets.builder_from_directory(name)
    return tensorflow_datasets.builder(
      name, data_dir=data_dir or None, file_format="array_record"
    )
  except Exception as error:
    message = image_files.reason(error).partition(" Available datasets")[0]
    raise UserError(
      f"data.path={path}: no such tfds set: {message[:200]}."
      " Expected a prepared set, as NAME@DATA_DIR."
    ) from error


def _open_set(builder: Any, part: str, path: str) -> Any:
  try:
    return builder.as_data_source(split=part)
  except Exception as error:
    raise UserError(
      f"data.path={path}: no array_record data of `{part}` in"
      f" {builder.data_dir}: with TensorFlow installed, prepare it by"
      f" tfds build {builder.name} --file_format=array_record --data_dir=DIR,"
      f" and set data.path={builder.name}@DIR"
      f" ({image_files.reason(error)[:100]})"
    ) from error


def _image_key(options: DataConfig, features: dict[str, Any]) -> str:
  keys = [key for key, x in features.items() if type(x).__name__ == "Image"]
  if options.key and options.key not in keys or not keys:
    raise UserError(
      f"data.key={options.key}: expected an image feature of {options.path}"
      f" ({', '.join(keys) or 'it has none'}); all features:"
      f" {', '.join(features)}"
    )
  return options.key or ("image" if "image" in keys else keys[0])


def _label_key(features: dict[str, Any]) -> str:
  kinds = {key: type(x).__name__ for key, x in features.items()}
  keys = [key for key, kind in kinds.items() if kind == "ClassLabel"]
  return "label" if "label" in keys else next(iter(keys), "")


def _check_image(options: DataConfig, image: np.ndarray) -> None:
  if image.dtype not in (np.uint8, np.uint16):
    raise UserError(
      f"{options.path}: expected uint8 or uint16 images, got {image.dtype}"
    )
  channels = image.shape[2]
  gray = (channels, options.channels) == (3, 1)
  if channels not in (1, options.channels) and not gray:
    raise UserError(
      f"{options.path}: {channels} channels cannot be converted to"
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

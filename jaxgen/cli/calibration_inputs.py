"""Exposures that the flags of `calibrate` name."""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Iterator, Sequence

import numpy as np

from jaxgen.data.frames import Frames, list_frames, open_frames, read_frames
from jaxgen.errors import UserError
from jaxgen.formats import fits, fits_noise
from jaxgen.formats.fits_noise import NoiseWords
from jaxgen.formats.image_files import reason

LAMP = 0.02  # relative change of level between flats of one setting
PILED = 1e-3  # share of the values at the largest one that shows saturation


@dataclasses.dataclass(frozen=True, kw_only=True)
class Exposures:
  """Exposures by scene, channel by channel, and what their files say.

  Attributes:
    flag: the flag that names them, with its value, for messages.
    scenes: arrays `(k, h, w)`.
    rounded: whether all values are integers.
    black, white: in DN; None: the files do not say.
    floor: lowest value of the type, or minus infinity.
    notes: what a user should know about the reading.
  """

  flag: str
  scenes: Sequence[np.ndarray]
  rounded: bool
  black: float | None
  white: float | None
  floor: float
  notes: tuple[str, ...]


def of_pairs(texts: Sequence[str]) -> Exposures:
  """Scenes of two or more files each, one exposure in a file."""
  scenes = [_pair(text) for text in texts]
  flag = f"--pairs={texts[0]}" if len(texts) == 1 else "--pairs"
  return _exposures(flag, scenes)


def of_frames(path: pathlib.Path) -> Exposures:
  """One scene: the exposures of a file."""
  flag = f"--frames={path}"
  frames = _read(flag, path)
  if len(frames.values) < 2:
    raise UserError(
      f"{flag}: expected two or more exposures, got one; a single image is"
      " --image."
    )
  return _exposures(flag, [frames])


def of_flats(folder: pathlib.Path) -> Exposures:
  """The files of a folder, by level: exposures of nearly equal level are of one
  scene."""
  flag = f"--flats={folder}"
  frames = _of_folder(flag, folder)
  by_level = list(_by_level(frames))
  used = [x for x in by_level if len(x.values) > 1]
  if not used:
    raise UserError(
      f"{flag}: expected two or more exposures of one level, got one of each."
    )
  alone = len(by_level) - len(used)
  note = f"{alone} exposures have no second of their level and are not used"
  found = _exposures(flag, used)
  notes = (*found.notes, note) if alone else found.notes
  return dataclasses.replace(found, notes=notes)


def of_darks(folder: pathlib.Path) -> Exposures:
  """The exposures of a folder, all of one scene."""
  flag = f"--darks={folder}"
  return _exposures(flag, [_of_folder(flag, folder)])


def of_image(path: pathlib.Path) -> Exposures:
  """A single image."""
  flag = f"--image={path}"
  frames = _read(flag, path)
  if len(frames.values) > 1:
    raise UserError(
      f"{flag}: expected one image, got {len(frames.values)} exposures:"
      " --frames takes them."
    )
  return _exposures(flag, [frames])


def header_words(path: pathlib.Path, gain: float | None) -> NoiseWords:
  """What the header of a FITS file says of the noise, or with another gain."""
  try:
    with open_frames(path) as file:
      return fits_noise.noise_words(fits.read_header(file), gain=gain)
  except Exception as e:
    raise UserError(f"--header={path}: {reason(e)}") from e


def _of_folder(flag: str, folder: pathlib.Path) -> Frames:
  paths = list_frames(folder) if folder.is_dir() else []
  if not paths:
    raise UserError(f"{flag}: expected a folder of exposures.")
  return _stacked(flag, [_read(flag, path) for path in paths])


def _pair(text: str) -> Frames:
  flag = f"--pairs={text}"
  paths = [pathlib.Path(x) for x in text.split(",") if x]
  if len(paths) < 2:
    raise UserError(
      f"{flag}: expected two or more files, A,B; the exposures of one file are"
      " --frames."
    )
  frames = [_read(flag, path) for path in paths]
  for path, x in zip(paths, frames, strict=True):
    if len(x.values) > 1:
      raise UserError(
        f"{flag}: {path}: expected one exposure, got {len(x.values)}."
      )
  return _stacked(flag, frames)


def _read(flag: str, path: pathlib.Path) -> Frames:
  try:
    return read_frames(path)
  except UserError as e:
    raise UserError(f"{flag}: {e}") from e


def _stacked(flag: str, parts: Sequence[Frames]) -> Frames:
  """The exposures of several files."""
  first = parts[0].values
  for x in parts[1:]:
    if x.values.shape[1:] != first.shape[1:] or x.values.dtype != first.dtype:
      raise UserError(
        f"{flag}: expected exposures of one size and type, got"
        f" {_kind(first)} and {_kind(x.values)}."
      )
  values = np.concatenate([x.values for x in parts])
  notes = tuple(dict.fromkeys(note for x in parts for note in x.notes))
  if not all(np.isfinite(x).any() for x in values):
    raise UserError(f"{flag}: expected numbers, got an exposure of NaN alone.")
  return parts[0]._replace(values=values, notes=notes)


def _kind(values: np.ndarray) -> str:
  h, w, c = values.shape[1:]
  return f"{w} x {h} x {c} {values.dtype}"


def _by_level(frames: Frames) -> Iterator[Frames]:
  """Exposures whose levels differ by no more than a lamp does."""
  levels = np.array([np.nanmedian(x) for x in frames.values])
  order = np.argsort(levels, kind="stable")
  ordered = levels[order]
  steps = np.diff(ordered) > LAMP * np.abs(ordered[1:])
  for part in np.split(order, np.flatnonzero(steps) + 1):
    yield frames._replace(values=frames.values[part])


def _exposures(flag: str, parts: Sequence[Frames]) -> Exposures:
  for x in parts:
    _check(flag, x.values)
  values = [x.values for x in parts]
  rounded = all(_is_rounded(x) for x in values)
  white = next((x.white for x in parts if x.white is not None), None)
  dtype, notes = values[0].dtype, [y for x in parts for y in x.notes]
  if white is None:
    white = _piled(values)
    if white is not None:
      notes.append(f"many values are {white:g}, taken for the white level")
    elif dtype.kind in "iu":
      white = float(np.iinfo(dtype).max)
  return Exposures(
    flag=flag,
    scenes=[x[..., i] for x in values for i in range(x.shape[-1])],
    rounded=rounded,
    black=next(
      (float(np.mean(x.black)) for x in parts if x.black is not None), None
    ),
    white=white,
    floor=float(np.iinfo(dtype).min) if dtype.kind in "iu" else -np.inf,
    notes=tuple(dict.fromkeys(notes)),
  )


def _check(flag: str, values: np.ndarray) -> None:
  """Raise a UserError for exposures without noise or without numbers."""
  if not np.isfinite(values).any():
    raise UserError(f"{flag}: expected numbers, got NaN alone.")
  if np.nanmin(values) == np.nanmax(values):
    raise UserError(
      f"{flag}: expected exposures with noise, got one value,"
      f" {np.nanmin(values):g}."
    )
  for a, b in zip(values, values[1:], strict=False):
    if np.array_equal(a, b, equal_nan=values.dtype.kind == "f"):
      raise UserError(
        f"{flag}: expected exposures that differ by their noise, got one of"
        " them twice."
      )


def _is_rounded(values: np.ndarray) -> bool:
  if values.dtype.kind in "iu":
    return True
  known = values[np.isfinite(values)]
  return bool((known == np.rint(known)).all())


def _piled(values: Sequence[np.ndarray]) -> float | None:
  """The largest value if more pixels have it than the one below it."""
  top = max(np.nanmax(x) for x in values)
  at_top = sum(int((x == top).sum()) for x in values)
  size = sum(x.size for x in values)
  if at_top < PILED * size:
    return None
  below = max(np.nanmax(np.where(x < top, x, -np.inf)) for x in values)
  at_below = sum(int((x == below).sum()) for x in values)
  return float(top) if at_top > at_below else None

"""Description and loading of photographs before they are cut into tiles."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from jaxgen.config.data import DataConfig
from jaxgen.data import cache
from jaxgen.data.findings import Findings
from jaxgen.data.resize import center_square, resize, resize_labels

Photo = tuple[np.ndarray, ...]  # (h, w, c); a mask (h, w), a hint (h, w, c)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Photos:
  """The description of a list of photographs.

  Attributes:
    names: names for messages; their folders may define the split.
    sizes: height and width of each photograph.
    digests: hash of the content of each photograph.
    load: decodes photograph i; picklable, thread-safe.
    stack: all photographs as one array (n, h, w, c), if they are in memory;
      picklable. They are then not cached.
    labels: an int32 per photograph; empty without labels.
    label_names: class names, indexed by `labels`.
    finish: maps each tile before it is resized; None: the identity.
    files: the file of each photograph, where files have several; empty: each
      has its own. A file belongs to one split.
    mask_counts: pixels with each label in the mask of each photograph; empty
      without masks.
    problems: "name: reason" for each unusable file.
    extra: additional input of the fingerprint.
    findings: what the source has found in its files.
  """

  names: Sequence[str]
  sizes: Sequence[tuple[int, int]]
  digests: Sequence[str]
  load: Callable[[int], Photo]
  stack: Callable[[], np.ndarray] | None = None
  labels: Sequence[int] | np.ndarray = ()
  label_names: tuple[str, ...] = ()
  finish: Callable[[np.ndarray], np.ndarray] | None = None
  files: Sequence[int] = ()
  mask_counts: Sequence[Mapping[int, int]] = ()
  problems: Sequence[str] = ()
  extra: str = ""
  findings: Findings = Findings()

  def fingerprint(self) -> str:
    """A hash of names, contents and labels."""
    parts = (*self.names, *self.digests, *map(str, self.labels))
    text = "\n".join((*parts, *self.label_names, self.extra))
    return hashlib.blake2b(
      text.encode(errors="surrogateescape"), digest_size=16
    ).hexdigest()


@dataclasses.dataclass(frozen=True, kw_only=True)
class CachedLoader:
  """A loader of photographs through a cache.

  With `square` it returns the center square, resized to that many pixels.
  """

  load: Callable[[int], Photo]
  cache: cache.ImageCache
  key: str
  square: int = 0
  finish: Callable[[np.ndarray], np.ndarray] | None = None

  def __call__(self, photo: int) -> Photo:
    return self.cache.get((self.key, photo), lambda: self._load(photo))

  def _load(self, photo: int) -> Photo:
    image, *partners = self.load(photo)
    if not self.square:
      return (image, *partners)
    square = center_square(image).copy()
    square = square if self.finish is None else self.finish(square)
    return (
      resize(square, self.square),
      *(resize_partner(center_square(x), self.square) for x in partners),
    )


def resize_partner(square: np.ndarray, side: int) -> np.ndarray:
  """A square of a mask or a hint at another size."""
  if square.shape[0] == side:
    return square
  if square.ndim == 2:
    return resize_labels(square, side)
  return resize(np.ascontiguousarray(square), side)


def loader(
  photos: Photos, options: DataConfig, *, square: int, fingerprint: str
) -> Callable[[int], Photo]:
  """A function that loads photograph i, through the cache unless it is already
  in memory; see `CachedLoader`."""
  if photos.stack is not None and not square:
    return photos.load
  return CachedLoader(
    load=photos.load,
    cache=cache.shared(options.cache_mb << 20),
    key=f"{fingerprint} {options.channels} {square}",
    square=square,
    finish=photos.finish,
  )

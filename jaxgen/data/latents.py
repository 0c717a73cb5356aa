"""A source of stored latents: encodings of tiles as they were cropped, flipped
and rotated, several of each tile."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import numpy as np

from jaxgen.config.data import DataConfig
from jaxgen.data.findings import Findings
from jaxgen.data.source import Element
from jaxgen.data.streams import Streams


@dataclasses.dataclass(kw_only=True, eq=False)
class LatentSource:
  """Stored latents and labels; a `BatchSource` in which nothing is random.

  Attributes:
    fields: the fields of a batch, each `(n, ...)`.
    fingerprint: hash of the data and of how they were encoded.
    label_names, attribute_names, findings: see `Source`.
  """

  fields: Mapping[str, np.ndarray]
  fingerprint: str
  label_names: tuple[str, ...] = ()
  attribute_names: dict[str, tuple[str, ...]] = dataclasses.field(
    default_factory=dict
  )
  findings: Findings = Findings()

  def __len__(self) -> int:
    return len(next(iter(self.fields.values())))

  def read(self, index: int, rng: Streams | None = None) -> Element:
    """The latent `index`."""
    return {name: x[index] for name, x in self.fields.items()}

  def read_batch(
    self, indices: np.ndarray, rng: Streams | None = None
  ) -> Element:
    """The latents `indices`."""
    return {name: x[indices] for name, x in self.fields.items()}


def as_stored(options: DataConfig) -> DataConfig:
  """Options to read stored latents with: they were drawn with the balance of
  the data, and augmented."""
  return dataclasses.replace(
    options,
    balance="natural",
    hflip=False,
    flips=False,
    rot90=False,
    workers=0,
  )

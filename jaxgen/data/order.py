"""The order of tiles, as a pure function of the position in the data."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from typing import Protocol, runtime_checkable

import numpy as np

from jaxgen.config.data import DataConfig
from jaxgen.data.source import Source
from jaxgen.errors import UserError

Permute = Callable[[int, int, int], np.ndarray]


@runtime_checkable
class LabeledTiles(Protocol):
  """A source that knows the class of its tiles without reading them."""

  def tile_labels(self) -> np.ndarray:
    """The class of each tile, int32 `(len(self),)`; -1: missing."""
    ...


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class BalancedOrder:
  """Batches with a share of each domain, at least one tile if there are no more
  domains than tiles in a batch.

  The domains of batch k follow from its number, and the tile at a position is
  the one that an endless sequence of epochs of its domain has there: tiles of a
  small domain repeat, and no two domains depend on each other.

  Attributes:
    domains: the indices of the tiles of each domain.
    shares: the share of each domain; their sum is 1.
    batch: tiles in a batch.
    seed: selects the order.
  """

  domains: tuple[np.ndarray, ...]
  shares: np.ndarray
  batch: int
  seed: int

  def __call__(self, positions: np.ndarray) -> np.ndarray:
    """The indices of tiles at positions `(b,)` of one batch."""
    number = int(positions[0]) // self.batch
    places = positions - number * self.batch
    chosen = self.domains_of(number)[places]
    indices = np.empty_like(positions)
    for domain in np.unique(chosen).tolist():
      at, tiles = chosen == domain, self.domains[domain]
      seed = self.seed + 1 + domain
      order = shuffled(positions[at], len(tiles), seed, permute=_domain_order)
      indices[at] = tiles[order]
    return indices

  def domains_of(self, number: int) -> np.ndarray:
    """The domain of each tile of a batch `(batch,)`: systematic samples of the
    shares, so that a count differs from its expectation by less than one."""
    rng = np.random.default_rng([self.seed, number])
    least = len(self.domains) / self.batch
    shares = self.shares
    if least <= 1:  # intervals of at least one sample each
      shares = 1 / self.batch + (1 - least) * shares
    ends = np.cumsum(shares) * self.batch / np.sum(shares)
    points = np.arange(self.batch) + rng.random()
    chosen = np.searchsorted(ends, points, side="right")
    return rng.permutation(np.minimum(chosen, len(ends) - 1))


def order_of(
  source: Source, options: DataConfig, *, batch: int, seed: int
) -> Callable[[np.ndarray], np.ndarray]:
  """The indices of tiles at positions of one batch, by `data.balance`.

  Raises:
    UserError: the tiles have no classes that are known without reading them.
  """
  if options.balance == "natural":
    return lambda positions: shuffled(positions, len(source), seed)
  domains = _domains(source, options)
  sizes = np.array([len(x) for x in domains], float)
  raw = 1 / sizes if options.balance == "inverse" else np.ones(len(domains))
  return BalancedOrder(
    domains=domains, shares=raw / raw.sum(), batch=batch, seed=seed
  )


def shuffled(
  positions: np.ndarray, n: int, seed: int, *, permute: Permute | None = None
) -> np.ndarray:
  """The indices `(b,)` of tiles at positions in an endless sequence of epochs,
  each of which has every index in `[0, n)` once."""
  permute = permute or _epoch_order
  epochs, places = np.divmod(positions, n)
  indices = np.empty_like(places)
  for epoch in np.unique(epochs).tolist():
    chosen = epochs == epoch
    indices[chosen] = permute(n, seed, epoch)[places[chosen]]
  return indices


def _permutation(n: int, seed: int, epoch: int) -> np.ndarray:
  """The order of an epoch, read-only."""
  order = np.random.default_rng([seed, epoch]).permutation(n)
  order.flags.writeable = False
  return order


_epoch_order = functools.lru_cache(maxsize=4)(_permutation)
_domain_order = functools.lru_cache(maxsize=64)(_permutation)


def _domains(source: Source, options: DataConfig) -> tuple[np.ndarray, ...]:
  """The indices of the tiles of each domain; those without one are another."""
  known = isinstance(source, LabeledTiles)
  labels = source.tile_labels() if known else np.zeros(0, np.int32)
  if not len(labels):
    raise UserError(
      f"data.balance={options.balance}: expected images in classes, such as"
      " subfolders of data.path for source folder or arrays; got data.source="
      f"{options.source} without"
    )
  return tuple(np.flatnonzero(labels == x) for x in np.unique(labels))

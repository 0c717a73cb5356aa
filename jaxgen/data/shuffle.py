"""The order of grain's `shuffle`, of many positions at once.

A permutation of `[0, n)` is a block cipher on the smallest power of four that
holds n, at least 2^16, applied until its value is below n (Black and Rogaway
2002, "Ciphers with arbitrary finite domains"). The cipher has four rounds of
Simon (Beaulieu et al. 2013, eprint.iacr.org/2013/404), whose keys are made from
the seed by `std::seed_seq` of C++.
"""

from __future__ import annotations

import functools

import numpy as np

_ROUNDS = 4
_SMALL = 2**16  # up to this size, whole epochs are permuted by a table
_MASK = 2**32 - 1


def shuffled(positions: np.ndarray, n: int, seed: int) -> np.ndarray:
  """The indices `(b,)` of tiles at positions in an endless sequence of epochs,
  each of which has every index in `[0, n)` once."""
  epochs, places = np.divmod(positions, n)
  indices = np.empty_like(places)
  for epoch in np.unique(epochs):
    chosen = epochs == epoch
    key = (seed + int(epoch)) & _MASK
    if n <= _SMALL:
      indices[chosen] = _permutation(n, key)[places[chosen]]
    else:
      indices[chosen] = _permute(places[chosen], n, key)
  return indices


@functools.lru_cache(maxsize=4)
def _permutation(n: int, seed: int) -> np.ndarray:
  """The permutation of `[0, n)`, from a table of the cipher."""
  table = _encrypt(np.arange(_SMALL), n, seed)
  while (table[:n] >= n).any():
    table = np.where(table < n, table, table[table])
  return table[:n]


def _permute(indices: np.ndarray, n: int, seed: int) -> np.ndarray:
  """The permuted indices."""
  values, above = indices.copy(), np.arange(len(indices))
  while len(above):
    values[above] = _encrypt(values[above], n, seed)
    above = above[values[above] >= n]
  return values


def _encrypt(values: np.ndarray, n: int, seed: int) -> np.ndarray:
  """The cipher on the block of n."""
  width = max(-(-max(n - 2, 0).bit_length() // 2), 8)
  mask = 2**width - 1
  left, right = values >> width & mask, values & mask
  rotate = lambda x, k: (x << k | x >> (width - k)) & mask  # noqa: E731
  for key in _round_keys(seed):
    mixed = rotate(right, 1) & rotate(right, 8) ^ rotate(right, 2)
    left, right = right, left ^ mixed ^ key & mask
  return left << width | right


@functools.lru_cache(maxsize=16)
def _round_keys(seed: int) -> tuple[int, ...]:
  """Four numbers of a `std::seed_seq` that holds one seed."""
  keys = [0x8B8B8B8B] * _ROUNDS
  for k in range(2 * _ROUNDS):
    i, j, last = k % _ROUNDS, (k + 1) % _ROUNDS, (k - 1) % _ROUNDS
    if k < _ROUNDS:
      first = _scramble(keys[i] ^ keys[j] ^ keys[last], 1664525)
      second = first + (1 if k == 0 else i + seed * (k == 1))
      add = lambda a, b: a + b & _MASK  # noqa: E731
    else:
      first = _scramble(keys[i] + keys[j] + keys[last], 1566083941)
      second = first - i
      add = lambda a, b: (a ^ b) & _MASK  # noqa: E731
    keys[j] = add(keys[j], first)
    keys[(k + 2) % _ROUNDS] = add(keys[(k + 2) % _ROUNDS], second)
    keys[i] = second & _MASK
  return tuple(keys)


def _scramble(x: int, factor: int) -> int:
  x &= _MASK
  return factor * (x ^ x >> 27) & _MASK

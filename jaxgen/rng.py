"""Named, stateless random streams.

A key is a pure function of the root seed, the stream's name and some indices
(step, microbatch, sample). Nothing random is stored, so a resumed run needs no
generator state, and sample i is the same in a batch of 8 and of 64.
"""

from __future__ import annotations

import functools
import zlib

import jax
import numpy as np

from jaxgen.typing import Array


def stream(seed: int, name: str, *indices: int | Array) -> Array:
  """The key of stream `name` (any string), folded with each index in turn.

  Raises:
    ValueError: the seed is not in [0, 2**32).
  """
  if not 0 <= seed < 2**32:
    raise ValueError(f"seed={seed}: expected an integer in [0, 2**32).")
  label = np.uint32(zlib.crc32(name.encode()))
  return _folded_key(np.uint32(seed), (label, *indices))


@jax.jit
def _folded_key(seed: Array, values: tuple[int | Array, ...]) -> Array:
  return functools.reduce(jax.random.fold_in, values, jax.random.key(seed))


@jax.jit
def per_sample(key: Array, indices: Array) -> Array:
  """Keys `(n,)`, one for each sample index `(n,)`, whatever the batch size."""
  return jax.vmap(lambda i: jax.random.fold_in(key, i))(indices)

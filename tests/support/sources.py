"""Sources that tests read, also in worker processes: imports no JAX."""

import dataclasses
import os
import signal
import sys

import numpy as np

from jaxgen.data.findings import Findings
from jaxgen.data.streams import Streams
from jaxgen.errors import UserError

SLOW = {"jax", "jaxlib", "flax", "optax", "orbax", "grain", "tensorflow"}


@dataclasses.dataclass(frozen=True)
class Numbers:
  """A source without `read_batch`, whose tiles hold their own index."""

  n: int = 10
  label_names = ()
  attribute_names = {}
  fingerprint = "numbers"
  findings = Findings()

  def __len__(self):
    return self.n

  def read(self, index, rng=None):
    return {"image": np.full((2, 2, 1), index, np.uint8), "label": np.array(3)}


@dataclasses.dataclass(frozen=True)
class Modules(Numbers):
  """Tiles with the slow modules that were imported where they are read."""

  def read(self, index, rng=None):
    imported = {x.partition(".")[0] for x in sys.modules}
    return {"image": np.array(sorted(SLOW & imported), "U10").reshape(-1, 1, 1)}


@dataclasses.dataclass(frozen=True)
class Fails(Numbers):
  """Tiles that cannot be read."""

  def read(self, index, rng=None):
    raise UserError("data.path=nowhere: gone")


@dataclasses.dataclass(frozen=True)
class Dies(Numbers):
  """Tiles whose reading takes too much memory."""

  def read(self, index, rng=None):
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError


def stream(seed: int = 0) -> Streams:
  """A long random stream, for many crops."""
  return Streams(np.random.Philox(key=seed).random_raw(10_000))


def skipped(source):
  """The names of what a source does not use."""
  return [x for names in source.findings.skipped.values() for x in names]

"""Random weights of the networks, in the shapes of the real ones."""

import functools
from collections.abc import Iterator

import jaxtyping
import numpy as np
import pytest

from jaxgen.metrics.backbones import BACKBONES, shapes


@functools.cache
def draw(net):
  """Kernels that keep the size of what goes through; heads are positive."""
  rng, found = np.random.default_rng(0), {}
  for name, shape in shapes(BACKBONES[net]).items():
    x = rng.standard_normal(shape, np.float32)
    x = np.abs(x) if name.startswith("lin") else x
    fan = max(np.prod(shape[:-1]), 200)
    found[name] = x * np.float32(2 / fan) ** np.float32(0.5)
  return found


@pytest.fixture
def any_argument() -> Iterator[None]:
  """Annotations are not checked here: the code's own checks are under test."""
  jaxtyping.config.update("jaxtyping_disable", True)
  yield
  jaxtyping.config.update("jaxtyping_disable", False)


@pytest.fixture(scope="session")
def random_weights():
  """A function of a network's name."""
  return lambda net: dict(draw(net))


@pytest.fixture(scope="session")
def weights_of(tmp_path_factory):
  """Such weights in a file, by the network's name."""

  @functools.cache
  def path(net):
    path = tmp_path_factory.mktemp("weights") / f"{net}.npz"
    np.savez(path, **draw(net))
    return path

  return path

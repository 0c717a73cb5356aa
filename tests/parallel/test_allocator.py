"""Page faults of a buffer that is allocated and freed again and again."""

import subprocess
import sys

import pytest

from jaxgen.errors import UserError
from jaxgen.parallel import allocator

SCRIPT = """
import resource, sys
import numpy as np
from jaxgen.parallel.allocator import keep_freed_memory
kept = keep_freed_memory()
faults = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_minflt
np.ones(2**23)  # 64 MiB, which glibc maps each time: 16,384 pages
before = faults()
for _ in range(3):
  np.ones(2**23)
print(kept, faults() - before)
"""
linux = pytest.mark.skipif(sys.platform != "linux", reason="glibc")


def faults(platform, monkeypatch, switch=""):
  monkeypatch.setenv("JAXGEN_ALLOCATOR", switch)
  monkeypatch.setenv("NUMPY_MADVISE_HUGEPAGE", "0")
  monkeypatch.setenv("JAX_PLATFORMS", platform)
  done = subprocess.run(
    [sys.executable, "-c", SCRIPT], capture_output=True, text=True
  )
  assert not done.returncode, done.stderr
  kept, number = done.stdout.split()
  return kept == "True", int(number)


@linux
def test_freed_memory_is_used_again_without_page_faults(monkeypatch):
  kept, number = faults("cpu", monkeypatch)
  assert kept and number < 400


@linux
@pytest.mark.parametrize(
  ("platform", "switch"), [("cuda", ""), ("tpu,cpu", ""), ("cpu", "system")]
)
def test_other_devices_and_the_switch_leave_the_allocator_as_it_is(
  platform, switch, monkeypatch
):
  kept, number = faults(platform, monkeypatch, switch)
  assert not kept and number > 30_000


def test_another_value_of_the_switch_is_refused(monkeypatch):
  monkeypatch.setenv(allocator.VARIABLE, "sytem")
  with pytest.raises(UserError, match=f"{allocator.VARIABLE}=sytem"):
    allocator.keep_freed_memory()


STEP = """
import resource
import jax
import jax.numpy as jnp
from jaxgen.parallel.sharding import make_mesh
make_mesh()

def loss(x):
  for _ in range(3):
    x = jnp.tanh(x @ x) * 0.1
  return x.sum()

step, x = jax.jit(jax.grad(loss)), jnp.ones((2048, 2048))
for _ in range(12):
  jax.block_until_ready(step(x))
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(3):
  jax.block_until_ready(step(x))
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@linux
def test_the_threads_of_the_backend_use_freed_memory_again(monkeypatch):
  """75,000 faults if the allocator is set after the backend has started."""
  monkeypatch.setenv("JAX_PLATFORMS", "cpu")
  monkeypatch.delenv("XLA_FLAGS", raising=False)
  done = subprocess.run(
    [sys.executable, "-c", STEP], capture_output=True, text=True
  )
  assert not done.returncode, done.stderr
  assert int(done.stdout) < 50_000


RELEASE = """
import numpy as np
from jaxgen.parallel import allocator
resident = lambda: int(open("/proc/self/statm").read().split()[1])
allocator.keep_freed_memory()
parts = [np.ones(2**17) for _ in range(64)]  # 64 MiB: 16,384 pages
last = np.ones(2**17)  # in use, above the free memory
del parts
before = resident()
allocator.release_free_memory()
print(before - resident())
"""


@linux
@pytest.mark.parametrize(("switch", "least"), [("", 15_000), ("system", 0)])
def test_free_memory_below_that_in_use_is_released(switch, least, monkeypatch):
  monkeypatch.setenv("JAX_PLATFORMS", "cpu")
  monkeypatch.setenv("JAXGEN_ALLOCATOR", switch)
  done = subprocess.run(
    [sys.executable, "-c", RELEASE], capture_output=True, text=True
  )
  assert not done.returncode, done.stderr
  released = int(done.stdout)  # without the allocator a page more or less
  assert released >= least if least else abs(released) < 100

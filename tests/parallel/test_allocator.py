"""Page faults of a buffer that is allocated and freed again and again."""

import subprocess
import sys

import pytest

SCRIPT = """
import resource, sys
import numpy as np
from jaxgen.parallel.allocator import keep_freed_memory
kept = keep_freed_memory(sys.argv[1])
faults = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_minflt
np.ones(2**23)  # 64 MiB, which glibc maps each time: 16,384 pages
before = faults()
for _ in range(3):
  np.ones(2**23)
print(kept, faults() - before)
"""
linux = pytest.mark.skipif(sys.platform != "linux", reason="glibc")


def faults(platform, monkeypatch, allocator=""):
  monkeypatch.setenv("JAXGEN_ALLOCATOR", allocator)
  monkeypatch.setenv("NUMPY_MADVISE_HUGEPAGE", "0")
  done = subprocess.run(
    [sys.executable, "-c", SCRIPT, platform], capture_output=True, text=True
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
  ("platform", "allocator"), [("gpu", ""), ("tpu", ""), ("cpu", "system")]
)
def test_other_devices_and_the_switch_leave_the_allocator_as_it_is(
  platform, allocator, monkeypatch
):
  kept, number = faults(platform, monkeypatch, allocator)
  assert not kept and number > 30_000

"""Tests run on CPU with 8 simulated devices, and keep compiled programs.

Arrays are never broadcast to a higher rank unsaid, and shapes in annotations
are checked where they are stated. With JAXGEN_TEST_XLA=default everything is as
users run it: neither is checked, and programs are optimized.
"""

import gc
import os
import pathlib
import shutil
import signal
import sys
import typing
from collections.abc import Iterator
from unittest import mock

ROOT = pathlib.Path(__file__).parents[1]
os.environ.setdefault("JAX_PLATFORMS", "cpu")
os.environ.setdefault("JAX_NUM_CPU_DEVICES", "8")
os.environ.setdefault("NPROC", "16")  # else simulated devices can deadlock
os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(ROOT / ".cache/xla"))
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES", "-1")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # hundreds of processes start
sys.dont_write_bytecode = False
AS_USERS = os.environ.get("JAXGEN_TEST_XLA") == "default"
if not AS_USERS:
  os.environ.setdefault("JAX_NUMPY_RANK_PROMOTION", "raise")
  # Most of the time goes into compiling toys: do not optimize them.
  os.environ.setdefault("XLA_FLAGS", "--xla_backend_optimization_level=0")

import jax  # noqa: E402
import pytest  # noqa: E402
from flax.linen import linear  # noqa: E402
from jaxtyping import install_import_hook  # noqa: E402
from support.faults import command  # noqa: E402
from support.shared import shared_run  # noqa: E402

TYPED = ("diffusion", "restoration", "models", "losses", "metrics")
if not AS_USERS:
  typing.runtime_checkable(linear.PromoteDtypeFn)  # a field of flax's Dense
  install_import_hook([f"jaxgen.{x}" for x in TYPED], "beartype.beartype")
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # in a background job
  signal.signal(signal.SIGINT, signal.default_int_handler)

SHARED = ROOT.parent / "shared" / "data"
RUNS = {"trained", "denoiser", "whole"}  # fixtures


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
  """Tests of whole runs are slow."""
  for item in items:
    if RUNS & {*getattr(item, "fixturenames", ())}:
      item.add_marker("slow")


@pytest.fixture(scope="session")
def real_data() -> pathlib.Path:
  """A folder of real images; tests that need it are skipped without it."""
  if not SHARED.is_dir():
    pytest.skip("no folder of real images here")
  return SHARED


@pytest.fixture(scope="session", autouse=True)
def eight_devices() -> None:
  """The device laws mean nothing on one device."""
  assert jax.device_count() == 8


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory) -> None:
  """Tests leave the user's cache of checked files alone."""
  os.environ["JAXGEN_CACHE_DIR"] = str(tmp_path_factory.mktemp("cache"))


@pytest.fixture(autouse=True)
def same_environment() -> Iterator[None]:
  """What a verb sets for its own process must not reach the next test's."""
  with mock.patch.dict(os.environ):
    yield


@pytest.fixture(scope="module", autouse=True)
def no_old_programs() -> Iterator[None]:
  """Else thousands of them slow the later tests down and fill the memory."""
  yield
  jax.clear_caches()
  gc.collect()


@pytest.fixture(scope="session")
def trained(tmp_path_factory) -> pathlib.Path:
  """The workdir of a finished smoke run, for tests that only read it."""
  config = ROOT / "configs" / "textures_patch_ae.py:smoke"
  return shared_run(tmp_path_factory, "trained", lambda x: train(config, x))


@pytest.fixture(scope="session")
def denoiser(tmp_path_factory) -> pathlib.Path:
  """The same of a conditional denoiser."""
  config = ROOT / "tests/support/toy_edm.py"
  return shared_run(tmp_path_factory, "denoiser", lambda x: train(config, x))


def train(config: pathlib.Path, workdir: pathlib.Path) -> list[str]:
  """The command line that trains a config."""
  return ["train", f"--config={config}", f"--workdir={workdir}"]


@pytest.fixture(scope="session")
def whole(tmp_path_factory) -> pathlib.Path:
  """The workdir of a run that nothing disturbed; only to be read."""
  return shared_run(tmp_path_factory, "whole", command)


@pytest.fixture
def copy_of_whole(whole, tmp_path) -> pathlib.Path:
  """The same, to be done harm to."""
  return shutil.copytree(whole, tmp_path / "copy")

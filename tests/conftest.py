"""Tests run on CPU with 8 simulated devices, and keep compiled programs.

With JAXGEN_TEST_STRICT=1 arrays are never broadcast to a higher rank unsaid,
and shapes in annotations are checked where they are stated.
"""

import gc
import os
import pathlib
import shutil
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
STRICT = os.environ.get("JAXGEN_TEST_STRICT") == "1"
if STRICT:
  os.environ.setdefault("JAX_NUMPY_RANK_PROMOTION", "raise")
# Most of the time goes into compiling toys: do not optimize them. What users
# run is tested again as they run it (`-m user_path`).
if os.environ.get("JAXGEN_TEST_XLA") != "default":
  os.environ.setdefault("XLA_FLAGS", "--xla_backend_optimization_level=0")

import jax  # noqa: E402
import pytest  # noqa: E402
from absl import flags  # noqa: E402
from flax.linen import linear  # noqa: E402
from jaxtyping import install_import_hook  # noqa: E402

TYPED = ("diffusion", "restoration", "models", "losses", "metrics")
if STRICT:
  typing.runtime_checkable(linear.PromoteDtypeFn)  # a field of flax's Dense
  install_import_hook([f"jaxgen.{x}" for x in TYPED], "beartype.beartype")
flags.FLAGS.mark_as_parsed()  # grain's worker processes read them

SHARED = ROOT.parent / "shared" / "data"


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
  return train(config, tmp_path_factory)


@pytest.fixture(scope="session")
def denoiser(tmp_path_factory) -> pathlib.Path:
  """The same of a conditional denoiser."""
  return train(ROOT / "tests/support/toy_edm.py", tmp_path_factory)


def train(config: pathlib.Path, tmp_path_factory) -> pathlib.Path:
  """Run a config and return its workdir."""
  from jaxgen.cli.main import main

  workdir = tmp_path_factory.mktemp("runs") / "run"
  assert main(["train", f"--config={config}", f"--workdir={workdir}"]) == 0
  return workdir


@pytest.fixture(scope="session")
def whole(tmp_path_factory) -> pathlib.Path:
  """The workdir of a run that nothing disturbed; only to be read."""
  from support.faults import command

  from jaxgen.cli.main import main

  workdir = tmp_path_factory.mktemp("whole") / "run"
  assert main(command(workdir)) == 0
  return workdir


@pytest.fixture
def copy_of_whole(whole, tmp_path) -> pathlib.Path:
  """The same, to be done harm to."""
  return shutil.copytree(whole, tmp_path / "copy")

import os
import pathlib
import subprocess
import sys

import pytest

from jaxgen.parallel import compilation_cache
from jaxgen.parallel.compilation_cache import FOLDER, cache_compilations

COMPILE = """
import time, jax, jax.numpy as jnp
jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
{first}
from jaxgen.parallel.sharding import make_mesh
make_mesh()
jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
jax.jit(lambda x: jnp.sin(x) @ x)(jnp.ones((8, 8))).block_until_ready()
"""


def run(code: str, home: pathlib.Path, **env: str) -> None:
  unset = (FOLDER, "JAXGEN_CACHE_DIR", "XDG_CACHE_HOME")
  names = {k: v for k, v in os.environ.items() if k not in unset}
  subprocess.run(
    [sys.executable, "-c", code],
    env={**names, "HOME": str(home), "JAX_PLATFORMS": "cpu", **env},
    check=True,
  )


@pytest.mark.parametrize("first", ["", "jax.jit(lambda x: x + 1)(1)"])
def test_a_notebook_caches_its_programs(first, tmp_path):
  """Also if JAX has compiled something before the first mesh."""
  run(COMPILE.format(first=first), tmp_path)
  folder = tmp_path / ".cache/jaxgen/xla" / compilation_cache.machine()
  assert list(folder.glob("jit__lambda*"))


def test_a_folder_that_the_user_has_set_is_kept(tmp_path):
  mine = tmp_path / "mine"
  run(COMPILE.format(first=""), tmp_path, **{FOLDER: str(mine)})
  assert list(mine.glob("jit__lambda*"))
  assert not (tmp_path / ".cache").exists()


def test_the_command_line_sets_the_folder_without_importing_jax(tmp_path):
  code = (
    "import os, sys\n"
    "from jaxgen.parallel.compilation_cache import cache_compilations\n"
    "cache_compilations()\n"
    "assert 'jax' not in sys.modules\n"
    f"assert os.environ['{FOLDER}'].startswith({str(tmp_path)!r})\n"
  )
  run(code, tmp_path)


def test_without_a_home_folder_nothing_is_cached(monkeypatch):
  def no_home():
    raise RuntimeError("Could not determine home directory.")

  monkeypatch.delenv(FOLDER)
  monkeypatch.delenv("JAXGEN_CACHE_DIR", raising=False)
  monkeypatch.setattr("pathlib.Path.home", no_home)
  cache_compilations()
  assert FOLDER not in os.environ


def test_machines_differ_by_cores_and_by_instructions(monkeypatch):
  one = compilation_cache.machine()
  monkeypatch.setattr(compilation_cache, "_cores", lambda: 96)
  many = compilation_cache.machine()
  monkeypatch.setattr(compilation_cache, "_cpu", lambda: "flags: sse2")
  other = compilation_cache.machine()
  assert len({one, many, other}) == 3

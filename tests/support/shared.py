"""Runs that tests only read: made once, by the first process that asks."""

import fcntl
import os
import pathlib
import shutil
from collections.abc import Callable

import pytest


def shared_run(
  factory: pytest.TempPathFactory,
  name: str,
  arguments: Callable[[pathlib.Path], list[str]],
) -> pathlib.Path:
  """The workdir of a run of `jaxgen`.

  Args:
    factory: of temporary folders.
    name: of the run, the same in every process that asks for it.
    arguments: workdir -> command line.
  """
  base = factory.getbasetemp()
  if "PYTEST_XDIST_WORKER" in os.environ:
    base = base.parent  # that of all workers
  workdir, part = base / f"run-{name}", base / f"part-{name}"
  with (base / f"{name}.lock").open("w") as lock:
    fcntl.flock(lock, fcntl.LOCK_EX)
    if not workdir.exists():
      shutil.rmtree(part, ignore_errors=True)
      _run(arguments(part))
      part.rename(workdir)
  return workdir


def _run(argv: list[str]) -> None:
  from jaxgen.cli.main import main

  assert main(argv) == 0

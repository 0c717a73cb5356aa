"""Folders with the files of a run, made without training."""

import pathlib

from jaxgen.workdir import checksums


def begin(folder: pathlib.Path) -> None:
  """A run without a checkpoint."""
  folder.mkdir(parents=True, exist_ok=True)
  (folder / "config.json").write_text("{}")
  (folder / "metrics.csv").write_text("step,loss\n1,2\n")


def save(folder: pathlib.Path, step: int, content: str = "") -> None:
  """A finished checkpoint."""
  files = folder / f"checkpoints/{step}"
  (files / "ema/d").mkdir(parents=True)
  (files / "_METADATA").write_text(f"{step}")
  (files / "ema/d/array").write_text(content or f"numbers of {step}")
  checksums.write(files, checksums.path_of(folder, step))


def remove(folder: pathlib.Path, step: int) -> None:
  """Delete a checkpoint as a training run does."""
  for name in ("ema/d/array", "_METADATA"):
    (folder / f"checkpoints/{step}/{name}").unlink()
  checksums.path_of(folder, step).unlink()


def contents(folder: pathlib.Path) -> dict[str, bytes]:
  """The files of a folder that are not hidden."""
  paths = (x for x in folder.rglob("*") if x.is_file())
  names = {x.relative_to(folder).as_posix(): x for x in paths}
  return {k: x.read_bytes() for k, x in names.items() if "/." not in f"/{k}"}

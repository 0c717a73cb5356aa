"""Worker processes: what they import, how they end, and their errors."""

import contextlib
import multiprocessing
import pickle
import subprocess
import sys
import threading
from typing import Any

import numpy as np
import pytest
from PIL import Image
from support.sources import SLOW, Dies, Fails, Modules, Numbers

from jaxgen.config.data import DataConfig
from jaxgen.data import pipeline, workers
from jaxgen.data.reading import Reader
from jaxgen.data.sources import build
from jaxgen.errors import RunError, UserError

NAMES: tuple[Any, ...] = ("textures", "rocks", "folder", "arrays")
# Unpickles a reader, reads a batch and prints what was imported.
READ = """
import pickle, sys
reader, indices = pickle.load(sys.stdin.buffer)
assert len(reader.read(indices, 0)["image"]) == 3
print(*{x.partition(".")[0] for x in sys.modules})
"""


def write_files(path):
  for i in range(12):
    pixels = np.full((20, 20, 3), i, np.uint8)
    Image.fromarray(pixels).save(path / f"{i}.png")
  images = np.arange(8 * 400 * 3).reshape(8, 20, 20, 3)
  np.save(path / "images.npy", images.astype(np.uint16))


@pytest.mark.parametrize("name", NAMES)
def test_a_source_is_unpickled_and_read_without_jax(tmp_path, name):
  write_files(tmp_path)
  path = {"folder": str(tmp_path), "arrays": str(tmp_path / "images.npy")}
  options = DataConfig(source=name, path=path.get(name, ""), num_tiles=8)
  source = build(options, "train", 32 if name == "rocks" else 16)
  reader = Reader(source=source, options=options, seed=0)
  sent = pickle.dumps((reader, np.arange(3)))
  command = [sys.executable, "-c", READ]
  imported = subprocess.run(
    command, input=sent, capture_output=True, check=True
  ).stdout.decode()
  assert "numpy" in imported.split() and not SLOW & {*imported.split()}


@pytest.mark.slow
def test_a_worker_imports_no_jax():
  found = pipeline.batches(Modules(), DataConfig(workers=1), batch_size=2)
  with contextlib.closing(found):
    assert next(found)["image"].size == 0


@pytest.mark.slow
def test_workers_and_threads_end_with_the_batches():
  threads = threading.active_count()
  options = DataConfig(workers=2)
  source = build(options, "train", 16)
  put = lambda batch: batch  # noqa: E731
  found = pipeline.batches(source, options, batch_size=4, put=put)
  next(found)
  assert multiprocessing.active_children()
  found.close()
  assert not multiprocessing.active_children()
  assert threading.active_count() <= threads


@pytest.mark.slow
@pytest.mark.parametrize(
  ("source", "error", "named"),
  [(Fails(), UserError, "data.path"), (Dies(), RunError, "data.workers")],
)
def test_errors_of_workers_are_errors_of_the_batch(source, error, named):
  found = pipeline.batches(source, DataConfig(workers=1), batch_size=2)
  with contextlib.closing(found), pytest.raises(error, match=named):
    next(found)
  assert not multiprocessing.active_children()


@pytest.mark.slow
def test_a_batch_is_read_while_the_last_one_is_used():
  reader = Reader(source=Numbers(), options=DataConfig(), seed=0)
  with workers.submitting(reader, 1) as submit:
    given = [np.array([i, i + 1]) for i in range(3)]
    futures = [submit(x, 0) for x in given]
    for i, future in enumerate(futures):
      image = future.result()["image"]
      assert image[:, 0, 0, 0].tolist() == [i, i + 1]

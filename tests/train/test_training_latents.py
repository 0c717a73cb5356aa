"""Stored latents of training tiles: encoded once, and anew if anything that
they depend on changes."""

import dataclasses
import pathlib
from typing import Any

import jax
import numpy as np
import pytest
from support import companions as stubs

from jaxgen.config.parse import parse
from jaxgen.data import pipeline
from jaxgen.errors import UserError
from jaxgen.planning.cost import batch_shapes
from jaxgen.train import training_latents
from jaxgen.train.programs import stage_programs
from jaxgen.train.stage import StageProgram


@pytest.fixture(scope="module")
def path(tmp_path_factory) -> str:
  """A file of labelled images."""
  found = tmp_path_factory.mktemp("data") / "tiles.npz"
  labels = np.arange(40) % 3
  np.savez(found, images=stubs.images(40), labels=labels)
  return str(found)


def program_of(path: str, codec=None, views: int = 2, **data) -> StageProgram:
  """A stage that trains on stored latents of a file."""
  codec = codec or stubs.linear()
  data = {"source": "arrays", "path": path, "hflip": True} | data
  config = stubs.config_of(codec, latent={"views": views}, data=data)
  config.diffusion.conditions = ("label",)
  return stage_programs(
    parse(config),
    devices=jax.devices()[:1],
    companions=stubs.companions(codec),
  )[0]


@pytest.fixture
def program(path) -> StageProgram:
  return program_of(path, stubs.linear(-2.0))


def with_stored(program: StageProgram, workdir: pathlib.Path) -> Any:
  """The program with its latents."""
  return training_latents.with_stored([program], workdir)[0]


def test_views_are_epochs_of_cropped_and_flipped_tiles(program, tmp_path):
  stored = with_stored(program, tmp_path)
  source, tiles = stored.training_source, program.source("train")
  assert len(source) == 2 * len(tiles)
  batches = pipeline.batches(
    tiles,
    program.experiment.data,
    batch_size=program.evaluation_batch,
    stream=training_latents.STREAM,
  )
  first = next(batches)
  batches.close()
  codec = program.companions.runs["codec"]
  found = source.read(3)
  x = first["image"][3:4].astype(np.float32) / 127.5 - 1
  np.testing.assert_allclose(
    found["latent"],
    (x.reshape(1, -1) @ codec.params["basis"])[0],
    atol=1e-5,
  )
  np.testing.assert_array_equal(found["latent_log_variance"], -2.0)
  assert found["label"] == first["label"][3]


def test_training_batches_are_stored_latents_as_planned(program, tmp_path):
  stored = with_stored(program, tmp_path)
  batches = stored.batches(0)
  batch = next(batches)
  batches.close()
  planned = batch_shapes(program)  # without any latents
  assert {k: (x.shape, x.dtype) for k, x in batch.items()} == {
    k: (x.shape, x.dtype) for k, x in planned.items()
  }
  assert "image" not in batch and "label" in batch
  size = len(batch["latent"])
  known = {x.tobytes() for x in stored.stored.fields["latent"]}
  read = [np.asarray(x).tobytes() for x in batch["latent"]]
  assert set(read) <= known and size == stored.stage.batch_size


def test_stored_small_images_are_not_flipped_again(path, tmp_path):
  program = program_of(path, stubs.identity(), flips=True, rot90=True)
  stored = with_stored(program, tmp_path)
  batches = stored.batches(0)
  batch = next(batches)
  batches.close()
  known = {x.tobytes() for x in stored.stored.fields["latent"]}
  assert {np.asarray(x).tobytes() for x in batch["latent"]} <= known


def test_latents_are_encoded_once(program, tmp_path, monkeypatch):
  first = with_stored(program, tmp_path)
  with monkeypatch.context() as m:
    m.delattr(training_latents, "encoded")
    again = with_stored(program, tmp_path)
  for name, x in first.stored.fields.items():
    np.testing.assert_array_equal(again.stored.fields[name], x)


def test_damaged_latents_are_encoded_again(program, tmp_path):
  first = with_stored(program, tmp_path)
  (path,) = (tmp_path / "latents").glob("train-*.npz")
  path.write_bytes(path.read_bytes()[:1000])
  again = with_stored(program, tmp_path)
  for name, x in first.stored.fields.items():
    np.testing.assert_array_equal(again.stored.fields[name], x)


def test_the_digest_changes_with_all_that_latents_depend_on(path):
  other = dataclasses.replace(stubs.linear(), digest="c" * 32)
  programs = [
    program_of(path),
    program_of(path, other),
    program_of(path, views=3),
    program_of(path, hflip=False),
    program_of(path, validation_fraction=0.2),
    program_of(path, seed=1),
    program_of(path, stubs.linear(-2.0)),
  ]
  digests = [training_latents.digest(x) for x in programs]
  assert len(set(digests)) == len(digests)
  faster = program_of(path, threads=1, cache_mb=1)
  assert training_latents.digest(faster) == digests[0]


def test_more_views_than_fit_are_refused(path, monkeypatch):
  program = program_of(path, views=3)
  tiles = len(program.source("train"))
  monkeypatch.setattr(
    training_latents, "MAX_BYTES", 2 * tiles * 4 * stubs.D + 4
  )
  with pytest.raises(UserError, match="^latent.views=3: expected at most 2"):
    training_latents.check_size(program)


def test_without_views_tiles_are_read(path):
  program = program_of(path, views=0)
  assert program.training_source is program.source("train")
  assert program.task.batch_fields == ("image", "label")

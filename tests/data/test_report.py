"""The data report: its numbers, its warnings, its text and its sheet."""

import dataclasses
import json
import pathlib

import numpy as np
import pytest
from PIL import Image
from support.pictures import read

from jaxgen import pictures
from jaxgen.config.data import DataConfig
from jaxgen.data import doubts, pipeline, sheet, sources, summary_text
from jaxgen.data.guess import guess
from jaxgen.data.report import make_report
from jaxgen.data.summary import summarize
from jaxgen.errors import UserError


def save(path, value, *, seed=0, side=16):
  """A noisy picture around a value."""
  path.parent.mkdir(parents=True, exist_ok=True)
  noise = np.random.default_rng([seed, value]).integers(-9, 9, (side, side, 3))
  Image.fromarray((noise + value).astype(np.uint8)).save(path)


@pytest.fixture
def photos(tmp_path):
  """Two classes in both splits, and a file that is no image."""
  root = tmp_path / "photos"
  for name, value in (("cat", 50), ("dog", 200)):
    for i in range(8):
      save(root / "train" / name / f"{i}.png", value, seed=i)
    for i in range(4):
      save(root / "validation" / name / f"{i}.png", value, seed=100 + i)
  (root / "train" / "cat" / "bad.png").write_bytes(b"no")
  return root


def options(root, **other):
  return DataConfig(source="folder", path=str(root), on_bad="skip", **other)


def summary_of(config, resolution=16):
  train = sources.build(config, "train", resolution)
  held_out = sources.build(config, "validation", resolution)
  return summarize(train, held_out, config)


def test_a_report_counts_what_there_is(photos, tmp_path):
  report = make_report(options(photos), 16, labels_used=True)
  found = report.write(tmp_path / "out", key="k")
  assert found == json.loads((tmp_path / "out/data_report.json").read_text())
  assert (found["train"], found["validation"]) == (16, 8)
  assert found["classes"] == {"cat": 12, "dog": 12}
  assert found["train_classes"] == {"cat": 8, "dog": 8}
  assert list(found["skipped"].values()) == [1] and found["unlabelled"] == 0
  assert found["skipped_names"].popitem()[1] == ["train/cat/bad.png"]
  assert (found["bits"], found["channels"], found["resolution"]) == (8, 3, 16)
  assert found["value_range"] == [0, 255] and found["split"]
  low, high = found["value_seen"]
  assert 41 <= low < 59 and 191 <= high < 209
  assert found["sizes"] == [[16, 16], [16, 16]] and found["key"] == "k"
  shown = read(pathlib.Path(found["tiles"]))
  np.testing.assert_array_equal(shown, report.picture)
  text = "\n".join(summary_text.full(report.summary))
  for part in ("16 images", "8 images", "cat 12, dog 12", "bad.png", "16 x 16"):
    assert part in text
  assert "training on 16 images" in summary_text.brief(report.summary)[0]


def test_parts_of_the_same_photographs_are_counted_once():
  found = summary_of(DataConfig(channels=1), 32)
  assert found.by_regions and (found.train, found.validation) == (3, 3)
  assert found.classes == {"brick": 1, "grass": 1, "gravel": 1}
  assert doubts.warnings(found) == []


def test_classes_and_masks_of_drawn_tiles_are_estimated():
  found = summary_of(DataConfig(source="rocks", num_tiles=40), 32)
  assert (found.train, found.validation) == (40, 4) and not found.counted
  assert sum(found.classes.values()) == 44 == sum(found.tiles.values())
  assert sum(found.masks.values()) == pytest.approx(1)


def test_what_is_doubtful_is_said(tmp_path):
  for i in range(9):
    save(tmp_path / f"a/{i}.png", 100, seed=i)
  save(tmp_path / "a/copy.png", 100, seed=0)
  save(tmp_path / "b/0.png", 120, seed=1)
  said = " ".join(doubts.warnings(summary_of(options(tmp_path))))
  for part in ("1 image is held out", "1 image is identical", "value_range"):
    assert part in said


def test_a_class_that_is_learnt_has_training_images(photos):
  for path in (photos / "train/dog").iterdir():
    path.unlink()
  (photos / "train/cat/bad.png").unlink()
  assert "of the class dog" in " ".join(
    make_report(options(photos), 16).warnings
  )
  with pytest.raises(UserError, match="class dog"):
    make_report(options(photos), 16, labels_used=True)


def test_a_class_that_is_never_held_out_is_said(photos):
  for path in (photos / "validation/dog").iterdir():
    path.unlink()
  report = make_report(options(photos), 16, labels_used=True)
  assert report.summary.held_out_classes == {"cat": 4, "dog": 0}
  assert any("held-out" in x and "dog" in x for x in report.warnings)


def test_held_out_tiles_that_are_trained_on_are_counted(tmp_path):
  """As in a set whose duplicates the source does not know."""
  found = summary_of(DataConfig(channels=1), 32)
  tiles = found.sample["train"]
  sample = {"train": tiles, "validation": tiles}
  found = dataclasses.replace(found, sample=sample)
  assert any("identical" in x for x in doubts.warnings(found))


def test_the_sheet_shows_what_training_starts_with():
  config = DataConfig(channels=1, flips=True, rot90=True, threads=0)
  train, held = (sources.build(config, x, 32) for x in ("train", "validation"))
  picture = sheet.draw(train, held, config)
  batches = pipeline.batches(train, config, batch_size=36, stream=("train", 0))
  first = next(batches)["image"]
  batches.close()
  zoom, top = 2, pictures.HEAD + 6 + pictures.GAP
  shown = picture[top : top + 64, pictures.GAP : pictures.GAP + 64, 0]
  np.testing.assert_array_equal(shown[::zoom, ::zoom], first[0, ..., 0])
  assert picture.dtype == np.uint8 and picture.shape[2] == 3


@pytest.mark.parametrize(
  ("name", "array"),
  [
    ("gray.npy", np.arange(12 * 16 * 16, dtype=np.uint16).reshape(12, 16, 16)),
    ("one.npy", np.arange(64 * 64 * 3, dtype=np.uint8).reshape(1, 64, 64, 3)),
    ("float.npy", np.random.default_rng(0).random((12, 8, 8, 3))),
  ],
)
def test_a_config_is_guessed_for_arrays(tmp_path, name, array):
  np.save(tmp_path / name, array)
  found = guess(tmp_path / name)
  assert found.options.source == "arrays"
  assert found.options.channels == (3 if array.ndim == 4 else 1)
  assert found.resolution == min(array.shape[1], 64) or len(array) == 1
  report = make_report(found.options, found.resolution)
  whole = 1 if len(array) == 1 else 11
  assert report.summary.train == whole
  assert (
    report.summary.value_range[1]
    == {"f": 1, "u": 256**array.itemsize - 1}[array.dtype.kind]
  )


def test_masks_are_guessed_if_every_image_has_one(tmp_path):
  for i in range(6):
    save(tmp_path / f"images/{i}.png", 100, seed=i)
    mask = Image.fromarray((np.arange(256).reshape(16, 16) < 64).astype("u1"))
    (tmp_path / "masks").mkdir(exist_ok=True)
    mask.save(tmp_path / f"masks/{i}.png")
  found = guess(tmp_path)
  assert found.options.masks == "masks" and not found.notes
  masks = make_report(found.options, 16).summary.masks
  assert masks == {0: 0.75, 1: 0.25}
  (tmp_path / "masks/0.png").unlink()
  sources.build.cache_clear()
  found = guess(tmp_path)
  assert not found.options.masks and "5 of 6" in found.notes[0]


def test_what_cannot_be_read_is_named(tmp_path):
  (tmp_path / "notes.txt").write_text("")
  for path in (tmp_path / "gone", tmp_path / "notes.txt", tmp_path):
    with pytest.raises(UserError, match=str(path)):
      guess(path)

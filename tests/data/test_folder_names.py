"""A folder is a split where a partner stands beside it, and else a class."""

import unicodedata

import pytest

from jaxgen.data import folder_names, splits


def labels(*names):
  return [place.label for place in folder_names.places(names)]


def kinds(*names):
  return [place.kind for place in folder_names.places(names)]


@pytest.mark.parametrize("train", ["train", "Training", "TRAIN", "train_set"])
@pytest.mark.parametrize(
  ("held_out", "kind"),
  [
    *((x, "validation") for x in ("val", "valid", "Validation", "dev")),
    *((x, "test") for x in ("test", "Testing", "test2017")),
  ],
)
def test_partners_side_by_side_are_splits(train, held_out, kind):
  names = [f"{x}/{y}/1.png" for x in (train, held_out) for y in ("cat", "dog")]
  assert kinds(*names) == ["train", "train", kind, kind]
  assert labels(*names) == ["cat", "dog"] * 2
  parts = splits.by_folder(names, ["a", "b", "c", "d"])
  assert parts == {"train": [0, 1], "validation": [2, 3]}


@pytest.mark.parametrize(
  "folders", [("train", "car"), ("test", "exam"), ("valid", "void", "test")]
)
def test_names_of_splits_without_a_partner_are_classes(folders):
  names = [f"images/{x}/1.png" for x in folders]
  assert labels(*names) == list(folders)
  assert splits.by_folder(names, list("abc")[: len(folders)]) is None


def test_inside_of_a_split_its_names_are_classes():
  names = [
    *("train/train/1.png", "train/test/2.png", "train/car/3.png"),
    *("val/train/4.png", "val/train/5.png"),
  ]
  assert labels(*names) == ["train", "test", "car", "train", "train"]
  assert kinds(*names) == ["train"] * 3 + ["validation"] * 2


def test_partners_stand_in_the_same_folder():
  apart = ["cat/train/1.png", "dog/valid/2.png"]
  assert splits.by_folder(apart, ["a", "b"]) is None
  each = [f"{x}/{y}/1.png" for x in ("cat", "dog") for y in ("train", "dev")]
  assert labels(*each) == ["cat", "cat", "dog", "dog"]
  parts = splits.by_folder(each, list("abcd"))
  assert parts == {"train": [0, 2], "validation": [1, 3]}


def test_a_folder_that_stands_alone_is_no_class():
  assert labels("train/cat/1.png", "train/dog/2.png") == ["cat", "dog"]
  assert labels("test/train/cat/1.png", "test/valid/cat/2.png") == ["cat"] * 2
  assert kinds("test/train/1.png", "test/valid/2.png") == [
    *("train", "validation")
  ]


def test_with_validation_the_test_images_are_not_used():
  names = ["train/1.png", "test/2.png", "dev/3.png", "valid/4.png", "5.png"]
  parts = splits.by_folder(names, list("abcde"))
  assert parts == {"train": [0], "validation": [2, 3]}


def test_a_class_has_one_name_in_all_unicode_forms():
  nfc, nfd = (unicodedata.normalize(form, "é") for form in ("NFC", "NFD"))
  names, indices = splits.class_labels([f"{nfd}/1.png", f"{nfc}/2.png", "o/3"])
  assert names == ("o", nfc) and indices.tolist() == [1, 1, 0]

import numpy as np
import pytest

from jaxgen.data import splits
from jaxgen.errors import UserError

DIGESTS = [f"{i * 7919 % 1000:03d}" for i in range(40)]


def test_files_are_shared_out_once_and_by_the_fraction():
  parts = splits.by_digest(DIGESTS, 0.2)
  assert len(parts["validation"]) == 8
  assert sorted(parts["train"] + parts["validation"]) == list(range(40))


def test_the_split_knows_contents_not_places():
  order = np.random.default_rng(0).permutation(40)
  moved = splits.by_digest([DIGESTS[i] for i in order], 0.2)
  held = {DIGESTS[order[i]] for i in moved["validation"]}
  parts = splits.by_digest(DIGESTS, 0.2)
  assert held == {DIGESTS[i] for i in parts["validation"]}


def test_copies_are_never_in_both_nor_counted_twice():
  parts = splits.by_digest(DIGESTS + DIGESTS, 0.2)
  train, held = ({(DIGESTS * 2)[i] for i in parts[s]} for s in parts)
  assert not train & held
  assert len(parts["train"]) + len(parts["validation"]) == 40


@pytest.mark.parametrize("fraction", [0.001, 0.999])
def test_each_split_gets_one_at_least(fraction):
  parts = splits.by_digest(["a", "b"], fraction)
  assert [len(part) for part in parts.values()] == [1, 1]


@pytest.mark.parametrize("seed", range(20))
def test_a_file_is_in_one_split(seed):
  """Of 2 to 8 files with 1 to 12 images each."""
  rng = np.random.default_rng(seed)
  counts = rng.integers(1, 13, rng.integers(2, 9))
  files = np.repeat(np.arange(len(counts)), counts).tolist()
  digests = [f"{x:06d}" for x in rng.permutation(len(files))]
  fraction = rng.uniform(0.05, 0.6)
  parts = splits.by_digest(digests, fraction, files=files)
  train, held = ({files[i] for i in parts[s]} for s in ("train", "validation"))
  assert train and held and not train & held
  assert sorted(parts["train"] + parts["validation"]) == [*range(len(files))]
  most = max(round(fraction * len(files)), min(counts))
  assert len(parts["validation"]) <= most


def test_files_of_one_image_are_items():
  alone = splits.by_digest(DIGESTS, 0.2, files=[*range(40)])
  assert alone == splits.by_digest(DIGESTS, 0.2)
  assert alone == splits.by_digest(DIGESTS, 0.2, files=[0] * 40)


def test_one_image_cannot_be_split_by_files():
  with pytest.raises(UserError, match="split_by=regions"):
    splits.by_digest(["a", "a"], 0.1)


def test_folders_give_the_split():
  names = ["train/x/1.png", "train/y/2.png", "val/x/3.png", "test/x/4.png"]
  parts = splits.by_folder(names, ["a", "b", "c", "d"])
  assert parts == {"train": [0, 1], "validation": [2]}
  assert splits.by_folder(["train/1.png"], ["a"]) is None
  assert splits.by_folder(["train.png", "test.png"], ["a", "b"]) is None


def test_a_copy_of_a_held_out_image_is_not_trained_on():
  names = ["train/1.png", "train/2.png", "test/3.png"]
  parts = splits.by_folder(names, ["a", "b", "a"])
  assert parts == {"train": [1], "validation": [2]}


@pytest.mark.parametrize("size", [8, 16, 30])
@pytest.mark.parametrize("shape", [(100, 64), (64, 100), (64, 64)])
def test_regions_share_no_pixel_and_leave_none_over(shape, size):
  seen = np.zeros(shape, int)
  for split in ("train", "validation"):
    box = splits.by_region(*shape, split=split, fraction=0.2, size=size)
    assert box is not None and min(box.height, box.width) >= size
    rows = slice(box.top, box.top + box.height)
    seen[rows, box.left : box.left + box.width] += 1
  assert (seen == 1).all()


def test_a_photograph_too_small_to_be_cut_is_trained_on():
  cut = {"fraction": 0.2, "size": 40}
  assert splits.by_region(64, 64, split="validation", **cut) is None
  assert splits.by_region(64, 64, split="train", **cut) == (0, 0, 64, 64)


def test_classes_are_the_first_folders_that_are_no_split():
  names = ["train/cat/1.png", "val/dog/a/2.png", "images/cat/3.png", "4.png"]
  classes, labels = splits.class_labels(names)
  assert classes == ("cat", "dog")
  assert labels.tolist() == [0, 1, 0, -1] and labels.dtype == np.int32


def test_numbers_are_ordered_as_numbers():
  classes, labels = splits.index_labels(["10", "9", None, "", "10"])
  assert classes == ("9", "10") and labels.tolist() == [1, 0, -1, -1, 1]


def test_numbers_name_classes_whatever_they_are():
  """Also ids of billions: no table of that length is made."""
  labels = np.array([20231105, -1, 3_000_000_000, 20231105, -7])
  names, indices = splits.number_labels(labels)
  assert names == ("20231105", "3000000000")
  assert indices.tolist() == [0, -1, 1, 0, -1] and indices.dtype == np.int32
  assert splits.number_labels(np.array([2, 0, 1]))[0] == ("0", "1", "2")
  assert splits.number_labels(np.array([], int)) == ((), pytest.approx([]))

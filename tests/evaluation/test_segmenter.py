"""Agreement of images with masks, by a segmenter trained on real ones."""

import numpy as np

from jaxgen.evaluation.segmenter import (
  Segmented,
  mask_agreement,
  train_judge,
)
from jaxgen.tasks.task import UNLABELED

CLASSES, SIDE = 3, 16


def masks(num, seed):
  """Two halves of different classes, and a corner without a label."""
  rng = np.random.default_rng(seed)
  found = np.zeros((num, SIDE, SIDE), np.int32)
  for mask in found:
    a, b = rng.permutation(CLASSES)[:2]
    mask[:], mask[:, rng.integers(4, 12) :] = a, b
  found[:, :3, :3] = UNLABELED
  return found


def painted(masks, seed):
  """Gray levels of the classes, with noise."""
  noise = np.random.default_rng(seed).normal(0, 8, masks.shape)
  levels = np.where(masks < CLASSES, 40 + 80 * masks, 0)
  return np.clip(levels + noise, 0, 255).astype(np.uint8)[..., None]


def pairs(num, seed):
  found = masks(num, seed)
  return Segmented(painted(found, seed), found)


def test_images_agree_with_the_masks_that_they_show():
  training, held_out, new = (pairs(64, seed) for seed in range(3))
  others = Segmented(new.images, masks(64, seed=9))
  judge = train_judge(training, num_classes=CLASSES, steps=120)
  right = mask_agreement(judge, held_out, new)
  assert right.held_out > 0.95 and right.new > 0.95
  assert mask_agreement(judge, held_out, others).new < 0.5

"""Detection of planted copies of training images."""

import numpy as np
import pytest

from jaxgen.metrics.memorization import nearest

RNG = np.random.default_rng(0)


def textures(n, seed, side=32):
  """Smooth random images of very different contrast, as rocks are."""
  rng = np.random.default_rng(seed)
  x = rng.normal(size=(n, side, side, 3))
  for axis in (1, 2):
    x = sum(np.roll(x, k, axis) for k in (-1, 0, 1)) / 3
  x = 128 + 60 * x * rng.uniform(0.3, 2, (n, 1, 1, 1))
  return np.clip(x, 0, 255).astype(np.uint8)


TRAINING, HELD, NEW = textures(600, 1), textures(200, 2), textures(64, 3)
PLANTS = {
  "bit-equal": lambda x: x,
  "noisy": lambda x: np.clip(x + RNG.normal(0, 3, x.shape), 0, 255),
  "mirrored": lambda x: x[:, ::-1],
  "upside down": lambda x: x[::-1],
  "turned": lambda x: np.rot90(x),
}


@pytest.mark.parametrize("plant", PLANTS)
def test_a_planted_copy_is_found_and_nothing_else(plant):
  new = NEW.copy()
  for i in range(20):
    new[i] = PLANTS[plant](TRAINING[7 * i]).astype(np.uint8)
  found = nearest(TRAINING, HELD, new, flips=True, rot90=True)
  assert found.memorized[:20].all() and not found.memorized[20:].any()
  np.testing.assert_array_equal(found.index[:20], 7 * np.arange(20))


def test_orientations_are_those_of_the_training():
  new = NEW.copy()
  new[0], new[1] = TRAINING[5][:, ::-1], TRAINING[6][::-1]
  new[2] = np.rot90(TRAINING[7], 3)

  def seen(**shown):
    return nearest(TRAINING, HELD, new, **shown).memorized[:3].tolist()

  assert seen() == [False, False, False]
  assert seen(hflip=True) == [True, False, False]
  assert seen(flips=True) == [True, True, False]
  assert seen(rot90=True) == [False, False, True]


def test_other_types_and_sizes_of_images():
  wide = (TRAINING.astype(np.uint16) * 257).repeat(2, 1).repeat(2, 2)
  float_ = TRAINING / 127.5 - 1
  new = np.concatenate([TRAINING[:2], NEW[:6]])
  big = new.repeat(2, 1).repeat(2, 2)
  held = HELD.repeat(2, 1).repeat(2, 2)
  assert nearest(wide, held, big).memorized.tolist() == [True] * 2 + [False] * 6
  same = nearest(float_.astype(np.float32), HELD, new)
  assert same.memorized.tolist() == [True] * 2 + [False] * 6

import numpy as np
import pytest

from jaxgen.data.streams import WORDS, Streams, generator, random_words

N = 300


def generators(seed=0):
  return [np.random.default_rng((seed, i)) for i in range(N)]


def streams(seed=0):
  words = [g.bit_generator.random_raw(WORDS) for g in generators(seed)]
  return Streams(np.array(words))


# Bounds of 3 * 2^30 reject a quarter of all draws, bounds of 1 draw nothing.
@pytest.mark.parametrize(
  "bounds", [(4,), (1,), (31, 17), (1, 9), (9, 1), (3 * 2**30,), (5, 3, 3)]
)
def test_each_image_has_the_numbers_of_its_own_generator(bounds):
  found = streams()
  numbers = [found.integers(b) for b in bounds]
  floats, last = found.random(2), found.integers(1000)
  for i, rng in enumerate(generators()):
    assert [x[i] for x in numbers] == [rng.integers(b) for b in bounds]
    np.testing.assert_array_equal(floats[i], rng.random(2))
    assert last[i] == rng.integers(1000)


def test_each_image_may_have_a_bound_of_its_own():
  bounds = np.random.default_rng(1).integers(1, 6, (2, N))
  found = streams()
  numbers = [found.integers(b) for b in bounds]
  last = found.integers(4)
  for i, rng in enumerate(generators()):
    assert [x[i] for x in numbers] == [rng.integers(b) for b in bounds[:, i]]
    assert last[i] == rng.integers(4)


def test_streams_use_the_given_words_alone():
  a, b = streams(1).random(2), streams(2).random(2)
  assert (a != b).all()


def test_words_are_those_of_the_generators_at_positions():
  key = np.array([5, 2**63], np.uint64)
  positions = np.array([7, 8, 9, 2**40, 2**40 + 1, 3])
  for position, words in zip(
    positions, random_words(key, positions), strict=True
  ):
    bits = generator(key, int(position)).bit_generator
    assert words.tolist() == bits.random_raw(WORDS).tolist()

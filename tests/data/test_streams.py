import numpy as np
import pytest

from jaxgen.data.streams import WORDS, Streams, streams


def numbers(first, num, seed=5):
  """All random numbers of the images at positions."""
  found = streams(seed, first, num=num)
  return np.stack([found.random() for _ in range(WORDS)], axis=1)


@pytest.mark.parametrize("offset", [0, 2**40, 2**62])
def test_the_numbers_of_an_image_depend_on_its_position_alone(offset):
  whole = numbers(offset, 30)
  for first, num in ((0, 30), (3, 7), (29, 1), (10, 20)):
    found = numbers(offset + first, num)
    np.testing.assert_array_equal(found, whole[first : first + num])


def test_no_two_images_share_numbers():
  found = [numbers(first, 1000) for first in (0, 1000, 2**40)]
  found.append(numbers(0, 1000, seed=6))
  assert np.unique(found).size == 4 * 1000 * WORDS


def test_numbers_are_uniform_and_independent():
  found = numbers(0, 20_000)
  assert 0 <= found.min() and found.max() < 1
  sigma = np.sqrt(1 / 12 / 20_000)
  assert (np.abs(found.mean(0) - 0.5) < 5 * sigma).all()
  apart = np.corrcoef(found.T) - np.eye(WORDS)
  assert np.abs(apart).max() < 5 / np.sqrt(20_000)
  after = np.corrcoef(found[1:].ravel(), found[:-1].ravel())
  assert abs(after[0, 1]) < 5 / np.sqrt(20_000 * WORDS)


@pytest.mark.parametrize("bound", [1, 2, 3, 4, 9, 1000])
def test_integers_are_uniform_below_their_bound(bound):
  found = streams(1, 0, num=50_000).integers(bound)
  counts = np.bincount(found, minlength=bound)
  expected = 50_000 / bound
  chi2 = ((counts - expected) ** 2 / expected).sum()
  assert len(counts) == bound and found.dtype == np.int64
  assert abs(chi2 - (bound - 1)) <= 5 * np.sqrt(2 * (bound - 1))


@pytest.mark.parametrize("bound", [1, 3, 10, 2**31 - 1, 2**40 + 1, 2**53 - 1])
def test_the_largest_number_is_below_the_bound(bound):
  words = np.full((1, 1), 2**64 - 1, np.uint64)
  assert Streams(words).integers(bound) == bound - 1


def test_each_image_may_have_a_bound_of_its_own():
  bounds = np.arange(1, 301)
  found = streams(2, 0, num=300).integers(bounds)
  alone = [
    streams(2, i, num=1)[0].integers(b) for i, b in enumerate(bounds.tolist())
  ]
  assert found.tolist() == alone


def test_the_stream_of_an_image_continues_that_of_the_batch():
  batch = streams(3, 0, num=5)
  batch.random()
  images = [batch[i] for i in range(5)]
  assert batch.random().tolist() == [x.random() for x in images]


def test_more_numbers_than_there_are_words_are_an_error():
  found = streams(3, 0, num=2)
  for _ in range(WORDS):
    found.random()
  with pytest.raises(IndexError):
    found.random()

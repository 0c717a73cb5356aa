"""The order is that of grain."""

import grain
import numpy as np
import pytest

from jaxgen.data.shuffle import shuffled

# Around powers of four, the block of the cipher changes.
SIZES = [1, 2, 3, 5, 64, 1000, 8192, 65535, 65536, 65538, 10**5, 2**18 + 2]


@pytest.mark.parametrize("n", [*SIZES, 10**7, 2**31])
@pytest.mark.parametrize("seed", [0, 1, 12345, 2**32 - 2])
def test_the_order_is_that_of_grain(n, seed):
  positions = np.concatenate([np.arange(20), np.arange(20) * 37 + 4 * n - 9])
  order = grain.MapDataset.range(n).shuffle(seed=seed).repeat()
  expected = [order[int(i)] for i in positions]
  assert shuffled(positions, n, seed).tolist() == expected


@pytest.mark.parametrize("n", [1, 2, 5, 64, 1000, 65536, 70000])
def test_every_epoch_has_every_index_once(n):
  order = shuffled(np.arange(3 * n), n, seed=7).reshape(3, n)
  assert (np.sort(order) == np.arange(n)).all()
  assert n < 5 or not (order[0] == order[1]).all()

"""Names of the leaves of trees of arrays."""

import jax

from jaxgen.trees import named


def test_names_are_paths_in_the_tree_s_order():
  tree = {"b": {"kernel": 1, "bias": 2}, "a": (3, [4])}
  found = named(tree)
  assert found == {"a/0": 3, "a/1/0": 4, "b/bias": 2, "b/kernel": 1}
  assert [*found.values()] == jax.tree.leaves(tree)

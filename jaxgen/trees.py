"""Trees of arrays by the names of their leaves."""

from __future__ import annotations

from typing import Any

import jax


def named(tree: Any) -> dict[str, Any]:
  """The leaves by name, as in `params/encoder/kernel`, in the tree's order;
  Orbax's metadata have the same names."""
  leaves = jax.tree_util.tree_leaves_with_path(tree)
  name = lambda path: jax.tree_util.keystr(path, simple=True, separator="/")  # noqa: E731
  return {name(path): leaf for path, leaf in leaves}

"""Trees of arrays, flattened by leaf name."""

from __future__ import annotations

from typing import Any

import jax


def named(tree: Any) -> dict[str, Any]:
  """The leaves by name, such as `params/encoder/kernel`, in tree order; the
  same names as in Orbax's metadata."""
  leaves = jax.tree_util.tree_leaves_with_path(tree)
  name = lambda path: jax.tree_util.keystr(path, simple=True, separator="/")  # noqa: E731
  return {name(path): leaf for path, leaf in leaves}


def overview(params: Any) -> str:
  """A table of the parameters by layer, with shapes, types and sizes.

  Args:
    params: nested dicts of arrays, or of their shapes.
  """
  from clu import parameter_overview

  return parameter_overview.get_parameter_overview(params, include_stats=False)

"""The training loop and its parts.

The module is callable: `jaxgen.train(config, workdir)`; see `jaxgen.api.train`.
"""

from __future__ import annotations

from typing import Any

from jaxgen.callables import make_callable


def _train(*args: Any, **keywords: Any) -> bool:
  """See `jaxgen.api.train`."""
  from jaxgen.api import train  # lazy: it imports this package

  return train(*args, **keywords)


make_callable(__name__, _train)

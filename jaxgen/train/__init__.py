"""The training loop and its parts.

The module is callable: `jaxgen.train(config, workdir)`; see `jaxgen.api.train`.
"""

from __future__ import annotations

from jaxgen.callables import make_callable

make_callable(__name__, "jaxgen.api:train")

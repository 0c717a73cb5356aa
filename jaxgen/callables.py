"""Modules that can be called.

`jaxgen.train` and `jaxgen.config` are packages and, as `jaxgen.load` and
`jaxgen.show` are, functions of the public door.
"""

from __future__ import annotations

import sys
import types
from collections.abc import Callable
from typing import Any


def make_callable(name: str, function: Callable[..., Any]) -> None:
  """Let a call of the module `name` be a call of `function`."""

  class CallableModule(types.ModuleType):
    """A module that stands for a function as well."""

    def __call__(self, *args: Any, **keywords: Any) -> Any:
      return function(*args, **keywords)

  module = sys.modules[name]
  module.__class__ = CallableModule
  module.__doc__ = f"{module.__doc__}\n\nCalled: {function.__doc__}"

"""Callable modules.

`jaxgen.train` and `jaxgen.config` are packages and also, like `jaxgen.load` and
`jaxgen.show`, functions of the public API.
"""

from __future__ import annotations

import sys
import types
from collections.abc import Callable
from typing import Any


def make_callable(name: str, function: Callable[..., Any]) -> None:
  """Make the module `name` callable, as `function`."""

  class CallableModule(types.ModuleType):
    """A module that can also be called as a function."""

    def __call__(self, *args: Any, **keywords: Any) -> Any:
      return function(*args, **keywords)

  module = sys.modules[name]
  module.__class__ = CallableModule
  module.__doc__ = f"{module.__doc__}\n\nCalled: {function.__doc__}"

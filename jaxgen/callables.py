"""Callable modules.

`jaxgen.train` and `jaxgen.config` are packages and also, like `jaxgen.load` and
`jaxgen.show`, functions of the public API.
"""

from __future__ import annotations

import importlib
import inspect
import sys
import types
from collections.abc import Callable
from typing import Any


def make_callable(name: str, target: str) -> None:
  """Make the module `name` callable as the function `target`, `module:name`,
  which is imported when it is called, or its signature or docstring is read."""
  module = sys.modules[name]
  own_doc = module.__doc__

  def function() -> Callable[..., Any]:
    path, _, attribute = target.partition(":")
    return getattr(importlib.import_module(path), attribute)

  class CallableModule(types.ModuleType):
    """A module that can also be called as a function."""

    def __call__(self, *args: Any, **keywords: Any) -> Any:
      return function()(*args, **keywords)

    @property
    def __signature__(self) -> inspect.Signature:
      return inspect.signature(function())

    __doc__ = property(  # pyright: ignore[reportAssignmentType]
      lambda self: f"{own_doc}\n\nCalled: {function().__doc__}"
    )

  module.__class__ = CallableModule

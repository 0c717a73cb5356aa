"""Callable modules."""

import inspect
import sys
import types

from jaxgen.callables import make_callable


def add(a: int, *, b: int) -> int:
  """Add."""
  return a + b


def test_a_module_is_called_as_its_function():
  module = types.ModuleType("a_module", "A module.")
  sys.modules[module.__name__] = module
  try:
    make_callable("a_module", "functions:add")
    assert isinstance(module, types.ModuleType)
    assert "functions" not in sys.modules  # imported on first use
    functions = types.ModuleType("functions")
    functions.add = add  # pyright: ignore
    sys.modules["functions"] = functions
    assert module(2, b=3) == 5  # pyright: ignore
    assert module.__doc__ == "A module.\n\nCalled: Add."
    assert inspect.signature(module) == inspect.signature(add)  # pyright: ignore
  finally:
    del sys.modules["a_module"]
    sys.modules.pop("functions", None)

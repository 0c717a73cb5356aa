"""Callable modules."""

import sys
import types

from jaxgen.callables import make_callable


def test_a_call_of_the_module_is_a_call_of_the_function():
  module = types.ModuleType("a_module", "A module.")
  sys.modules[module.__name__] = module
  try:

    def add(a: int, *, b: int) -> int:
      """Add."""
      return a + b

    make_callable("a_module", add)
    assert module(2, b=3) == 5  # pyright: ignore
    assert module.__doc__ == "A module.\n\nCalled: Add."
    assert isinstance(module, types.ModuleType)
  finally:
    del sys.modules["a_module"]

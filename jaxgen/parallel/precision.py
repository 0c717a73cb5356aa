"""The precision of matrix products and convolutions in float32.

By default devices round their operands: GPUs to TF32 and TPUs to bfloat16.
Networks and losses are computed so; what is measured, such as metrics, features
and laws, is computed in full float32.

The precision binds while a function is traced, so that it can be set within a
function that is jitted or called by a jitted one.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Literal, ParamSpec, TypeVar

import jax

Precision = Literal["default", "highest"]
P = ParamSpec("P")
T = TypeVar("T")


def measured(function: Callable[P, T]) -> Callable[P, T]:
  """A function with matrix products and convolutions in full float32."""

  @functools.wraps(function)
  def call(*args: P.args, **kwargs: P.kwargs) -> T:
    with jax.default_matmul_precision("highest"):
      return function(*args, **kwargs)

  return call

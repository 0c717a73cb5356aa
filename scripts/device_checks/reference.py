"""Attention and its derivatives in NumPy, in float64."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np


class Attention(NamedTuple):
  """Queries, keys and values, `(b, n, heads, d)`, or what belongs to each."""

  q: Any
  k: Any
  v: Any


class Derivatives(NamedTuple):
  """Attention, its gradients, and its derivative along tangents."""

  value: np.ndarray
  gradients: tuple[np.ndarray, np.ndarray, np.ndarray]
  moved: np.ndarray


def attention(
  inputs: Attention, tangents: Attention, cotangent: np.ndarray
) -> Derivatives:
  """softmax(q k' / sqrt(d)) v, with the textbook's derivatives."""
  q, k, v = map(_heads_first, inputs)
  dq, dk, dv = map(_heads_first, tangents)
  g, scale = _heads_first(cotangent), q.shape[-1] ** -0.5
  logits = scale * q @ _t(k)
  p = np.exp(logits - logits.max(-1, keepdims=True))
  p /= p.sum(-1, keepdims=True)
  back = _softmax_derivative(p, g @ _t(v))
  moved = _softmax_derivative(p, scale * (dq @ _t(k) + q @ _t(dk)))
  grads = (scale * back @ k, scale * _t(back) @ q, _t(p) @ g)
  along = moved @ v + p @ dv
  a, b, c = map(_heads_first, grads)
  return Derivatives(_heads_first(p @ v), (a, b, c), _heads_first(along))


def _softmax_derivative(p: np.ndarray, x: np.ndarray) -> np.ndarray:
  """The derivative of a softmax `p` along `x`; it is its own transpose."""
  return p * (x - (p * x).sum(-1, keepdims=True))


def _heads_first(x: np.ndarray) -> np.ndarray:
  return x.swapaxes(1, 2)


def _t(x: np.ndarray) -> np.ndarray:
  return x.swapaxes(-1, -2)


def relative_error(found: Any, exact: Any) -> float:
  """The norm of the difference, relative to that of the exact array."""
  found, exact = (np.asarray(x, np.float64) for x in (found, exact))
  return float(np.linalg.norm(found - exact) / np.linalg.norm(exact))

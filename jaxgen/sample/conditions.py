"""The conditions of guidance terms in a sampling program."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import jax
import jax.numpy as jnp
import numpy as np

from jaxgen.models.conditioning import HINT
from jaxgen.tasks.control import SCALE
from jaxgen.tasks.hint import Hint, add_noise
from jaxgen.typing import Array, Conditions

FREE = -1  # index of a condition without a value
GIVEN = 0  # index of a hint that is given

Term = Mapping[str, Array | np.ndarray]  # value indices `(b,)` by name


class Tell(Protocol):
  """The conditions of a network for its hints."""

  def __call__(self, *, present: Array | None) -> Mapping[str, Array]:
    """`present` booleans `(b,)`, None: all are."""
    ...


def telling(
  hint: Hint,
  images: Array,
  *,
  noise: Array | float,
  keys: Array,
  scale: Array | float | None = None,
) -> Tell:
  """What a network is told of hints `(b, h, w, c)` with noise of a standard
  deviation, each from its own key `(b,)`; a ControlNet also of its scale."""
  level = jnp.full(len(images), noise, jnp.float32)
  noisy = add_noise(images, level, keys) if hint.noise else images

  def tell(*, present: Array | None) -> Mapping[str, Array]:
    told = hint.tell(noisy, present=present, level=level)
    if scale is None:
      return told
    return told | {SCALE: jnp.full(len(images), scale, jnp.float32)}

  return tell


def of_terms(
  terms: Sequence[Term], *, plain: bool, tell: Tell | None
) -> Conditions:
  """The conditions of a guided denoiser, see `guidance.compose`: first none,
  then those of each term; if `plain` those of the only one.

  A hint is a condition of the terms that have it among their indices; if none
  has, it is given everywhere, and not guided by.
  """
  if not plain:
    free = jax.tree.map(lambda value: jnp.full_like(value, FREE), terms[0])
    terms = free, *terms
  if tell is not None:
    terms = tuple(_with_hint(term, tell) for term in terms)
  return terms[0] if plain else tuple(terms)


def _with_hint(term: Term, tell: Tell) -> Term:
  labels = {k: v for k, v in term.items() if k != HINT}
  present = jnp.asarray(term[HINT]) != FREE if HINT in term else None
  return {**labels, **tell(present=present)}

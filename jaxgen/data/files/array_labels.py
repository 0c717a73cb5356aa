"""Class labels from arrays of integers, floats or strings."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from jaxgen.data import splits

_MISSING = ("", "-1", "nan")  # as text, in lower case


def class_labels(
  arrays: Sequence[np.ndarray | None], counts: Sequence[int]
) -> tuple[tuple[str, ...], np.ndarray]:
  """Class names and int32 indices of the labels of several sets of images.

  Negative numbers, NaN and empty strings are missing: -1.

  Args:
    arrays: the labels of each set, one per image; None: it has none.
    counts: the number of images of each set.

  Raises:
    ValueError: another number of labels, or numbers with fractions.
  """
  if all(array is None for array in arrays):
    return (), np.zeros(0, np.int32)
  pairs = list(zip(arrays, counts, strict=True))
  if all(array is None or array.dtype.kind in "iufb" for array in arrays):
    return splits.number_labels(np.concatenate([_numbers(*x) for x in pairs]))
  return splits.index_labels([text for x in pairs for text in _texts(*x)])


def _numbers(labels: np.ndarray | None, count: int) -> np.ndarray:
  if labels is None:
    return np.full(count, -1)
  flat = _flat(labels, count)
  if flat.dtype.kind == "f":
    flat = np.where(np.isnan(flat), -1, flat)
    if (flat != np.rint(flat)).any():
      raise ValueError("expected whole numbers as labels, got fractions")
  return np.maximum(flat, -1).astype(np.int64)


def _texts(labels: np.ndarray | None, count: int) -> list[str]:
  if labels is None:
    return [""] * count
  if labels.dtype.kind == "S":
    labels = np.char.decode(labels, "utf-8")
  if labels.dtype.kind in "iufb":
    numbers = _numbers(labels, count).tolist()
    return ["" if x < 0 else str(x) for x in numbers]
  texts = [str(x).strip() for x in _flat(labels, count)]
  return ["" if x.lower() in _MISSING else x for x in texts]


def _flat(labels: np.ndarray, count: int) -> np.ndarray:
  if labels.size != count:
    raise ValueError(
      f"expected {count} labels, one per image, got {labels.size}"
      f" (shape {labels.shape})"
    )
  return labels.reshape(-1)

"""Do images show what was asked for? A classifier has to say so."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np


class ConditionAccuracy(NamedTuple):
  """Shares of images in which a classifier sees the value that it should."""

  held_out: float  # of real images: how good the classifier is
  new: float  # of generated images, for the value that was asked
  chance: float  # the share of the most frequent value in the real ones
  seen: np.ndarray  # the index of the value that it sees in each new image


class Classifier:
  """Logistic regression on features (scikit-learn), trained on real images."""

  def __init__(self, features: np.ndarray, values: np.ndarray):
    """`features` `(n, d)`, `values` `(n,)` indices, -1 where unknown."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    known = values >= 0
    model = LogisticRegression(C=0.01, max_iter=1000)
    self._model = make_pipeline(StandardScaler(), model)
    self._model.fit(features[known], values[known])

  def __call__(self, features: np.ndarray) -> np.ndarray:
    """The most probable value of each image, `(n,)`."""
    return self._model.predict(features)


def agreement(
  classifier: Classifier,
  held_out: tuple[np.ndarray, np.ndarray],
  new: tuple[np.ndarray, np.ndarray],
) -> ConditionAccuracy:
  """Pairs of features `(n, d)` and of the values `(n,)` that there are, or that
  were asked for; where they are unknown (-1) images do not count."""

  def share(features: np.ndarray, values: np.ndarray) -> float:
    known = values >= 0
    return float(np.mean(classifier(features)[known] == values[known]))

  known = held_out[1][held_out[1] >= 0]
  return ConditionAccuracy(
    held_out=share(*held_out),
    new=share(*new),
    chance=float(np.bincount(known).max() / len(known)),
    seen=classifier(new[0]),
  )

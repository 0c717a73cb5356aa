"""Accuracy of the conditions of generated images, as a classifier sees them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int


class ConditionAccuracy(NamedTuple):
  """The shares of images for which a classifier predicts the right value.

  Attributes:
    held_out: of real images: the accuracy of the classifier.
    new: of generated images, for the requested value.
    chance: the share of the most frequent value in the real images.
    seen: the index of the predicted value of each new image.
  """

  held_out: float
  new: float
  chance: float
  seen: Int[np.ndarray, " n"]


class Labeled(NamedTuple):
  """Features of images, and the index of the value of a condition of each; -1
  where it is unknown, so that the image does not count."""

  features: Float[np.ndarray, "n d"]
  values: Int[np.ndarray, " n"]


class Classifier:
  """Logistic regression on features (scikit-learn), trained on real images."""

  def __init__(self, images: Labeled):
    """Train on the images whose value is known."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    known = images.values >= 0
    model = LogisticRegression(C=0.01, max_iter=1000)
    self._model = make_pipeline(StandardScaler(), model)
    self._model.fit(images.features[known], images.values[known])

  def __call__(
    self, features: Float[np.ndarray, "n d"]
  ) -> Int[np.ndarray, " n"]:
    """The most probable value of each image."""
    return self._model.predict(features)


def condition_accuracy(
  classifier: Classifier, held_out: Labeled, new: Labeled
) -> ConditionAccuracy:
  """The accuracy of generated images for the values requested of them, and that
  of held-out ones for their own."""

  def share(images: Labeled) -> float:
    known = images.values >= 0
    right = classifier(images.features)[known] == images.values[known]
    return float(np.mean(right))

  known = held_out.values[held_out.values >= 0]
  return ConditionAccuracy(
    held_out=share(held_out),
    new=share(new),
    chance=float(np.bincount(known).max() / len(known)),
    seen=classifier(new.features),
  )

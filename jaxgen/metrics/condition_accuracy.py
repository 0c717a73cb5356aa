"""Accuracy of the conditions of generated images, judged by a classifier."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int


class ConditionAccuracy(NamedTuple):
  """Fractions of images for which a classifier predicts the right value.

  Attributes:
    held_out: for real images: the accuracy of the classifier.
    new: for generated images: agreement with the requested value.
    chance: fraction of the most frequent value in the real images.
    seen: index of the predicted value of each new image.
  """

  held_out: float
  new: float
  chance: float
  seen: Int[np.ndarray, " n"]


class Labeled(NamedTuple):
  """Features of images, and the index of each image's value of a condition; -1
  if unknown, which excludes the image."""

  features: Float[np.ndarray, "n d"]
  values: Int[np.ndarray, " n"]


class Classifier:
  """Logistic regression on features of real images (scikit-learn)."""

  def __init__(self, images: Labeled):
    """Train on the images with a known value."""
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
  """The classifier's accuracy on generated images for their requested values,
  and on held-out images for their true ones."""

  def accuracy(images: Labeled) -> float:
    known = images.values >= 0
    correct = classifier(images.features)[known] == images.values[known]
    return float(np.mean(correct))

  known = held_out.values[held_out.values >= 0]
  return ConditionAccuracy(
    held_out=accuracy(held_out),
    new=accuracy(new),
    chance=float(np.bincount(known).max() / len(known)),
    seen=classifier(new.features),
  )

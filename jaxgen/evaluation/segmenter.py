"""How well generated images agree with the masks that they were drawn from, by
a small segmenter that is trained on real images and their masks.

Its mean intersection over union (IoU) on held-out real images is what can be
expected of perfect images.
"""

from __future__ import annotations

import dataclasses
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Int, Shaped

from jaxgen import progress, rng
from jaxgen.batching import map_batches
from jaxgen.evaluation.small_training import Carry, SmallTraining
from jaxgen.images import normalize
from jaxgen.losses.labels import cross_entropy
from jaxgen.metrics.segmentation import confusion, mean_iou
from jaxgen.models.segmenter import Segmenter
from jaxgen.typing import Array, Params

STEPS, BATCH = 400, 32
RATE = 0.003


class Segmented(NamedTuple):
  """Images `(n, h, w, c)` as sources have them, and their masks `(n, h, w)`."""

  images: Shaped[np.ndarray, "n h w c"]
  masks: Int[np.ndarray, "n h w"]


class MaskAgreement(NamedTuple):
  """Mean IoU of the segmenter's predictions with masks.

  Attributes:
    held_out: of real images.
    new: of generated images, with the masks that they were drawn from.
  """

  held_out: float
  new: float


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Judge:
  """A trained segmenter."""

  model: Segmenter
  params: Params

  def mean_iou(self, data: Segmented) -> float:
    """The mean IoU of its predictions with masks."""

    @jax.jit
    def predict(images: Array) -> Array:
      logits = self.model.apply({"params": self.params}, normalize(images))
      return jnp.asarray(logits)

    logits = map_batches(predict, data.images, BATCH, label="segmenting")
    found = confusion(jnp.asarray(logits), jnp.asarray(data.masks))
    return mean_iou(np.asarray(found).sum(0))


def train_judge(
  training: Segmented, *, num_classes: int, seed: int = 0, steps: int = STEPS
) -> Judge:
  """A segmenter of so many classes, trained for so many steps."""
  model = Segmenter(num_classes=num_classes)
  with progress.loop("training a segmenter"):
    params = _train(model, training, seed=seed, steps=steps)
  return Judge(model=model, params=params)


def mask_agreement(
  judge: Judge, held_out: Segmented, new: Segmented
) -> MaskAgreement:
  """The agreement of generated images with masks, and that of real ones."""
  return MaskAgreement(
    held_out=judge.mean_iou(held_out), new=judge.mean_iou(new)
  )


def _train(
  model: Segmenter, data: Segmented, *, seed: int, steps: int
) -> Params:
  """The parameters after some steps."""
  images, masks = map(jnp.asarray, data)
  key = rng.stream(seed, "segmenter/parameters")
  params = jax.jit(model.init)(key, normalize(images[:1]))["params"]
  training = SmallTraining(learning_rate=RATE, steps=steps)

  def loss(params: Params, x: Array, labels: Array) -> Array:
    logits = model.apply({"params": params}, x)
    return jnp.mean(cross_entropy(jnp.asarray(logits), labels))

  @jax.jit  # not a scan: convolutions in loops are slow on a CPU
  def step(carry: Carry, i: Array) -> Carry:
    key = rng.stream(seed, "segmenter/train", i)
    pick = jax.random.choice(key, len(images), (BATCH,))
    x, labels = normalize(images[pick]), masks[pick]
    return training.step(lambda params: loss(params, x, labels), carry, i)

  carry = training.start(params)
  for i in range(steps):
    carry = step(carry, jnp.asarray(i))
  return carry[0]

r"""Weights of the domains of a mixture by their losses.

With l_d the smoothed loss of the images of domain d (a class), and m the mean
of l over the domains, the loss of an image is multiplied by

    w_d = c clip(l_d / m, 1 / BOUND, BOUND)

where c makes the mean of w over the domains 1: harder domains count more, and
none is lost. The state is the smoothed loss of each domain, stored as the two
sums of which it is the ratio, so that a run resumes with its weights.
"""

from __future__ import annotations

import jax.numpy as jnp
from jaxtyping import Float, Integer

from jaxgen.typing import Array

BOUND = 4.0  # largest ratio to the mean
HALFLIFE = 5_000  # of the smoothed losses, in images
State = dict[str, Float[Array, " d"]]


def initial_state(num: int) -> State:
  """The state before the first step, for a number of domains."""
  zeros = jnp.zeros(num, jnp.float32)
  return {"loss": zeros, "share": zeros}


def weights(state: State) -> Float[Array, " d"]:
  """The weights of the domains; a domain that was not seen yet counts as the
  mean."""
  seen = state["share"] > 0
  loss = state["loss"] / jnp.where(seen, state["share"], 1)
  mean = jnp.sum(loss) / jnp.maximum(jnp.sum(seen), 1)
  ratio = jnp.where(seen, loss / jnp.where(mean > 0, mean, 1), 1)
  bounded = jnp.clip(ratio, 1 / BOUND, BOUND)
  return bounded / jnp.mean(bounded)


def sums(
  loss: Float[Array, " b"], labels: Integer[Array, " b"], num: int
) -> State:
  """The loss of each domain's images and their number, per image of the batch,
  so that means over microbatches are those of the batch."""
  member = labels[None] == jnp.arange(num)[:, None]
  return {
    "loss": jnp.mean(jnp.where(member, loss, 0), axis=1),
    "share": jnp.mean(member, axis=1, dtype=jnp.float32),
  }


def update(state: State, new: State, *, batch: int) -> State:
  """The state after a step with the `sums` of its batch."""
  decay = 0.5 ** (batch / HALFLIFE)
  return {k: decay * state[k] + (1 - decay) * new[k] for k in state}


def image_weights(
  values: Float[Array, " d"], labels: Integer[Array, " b"]
) -> Float[Array, " b"]:
  """The weight of each image; 1 without a label."""
  return jnp.where(labels >= 0, values[labels], 1.0)

"""Models that sample in one or a few calls: their training targets.

In EDM's time x_t = y + t n, and the flow dx/dt = (x - D) / t of a denoiser
carries x_t to its end. A consistency function f(x, t) is that end; with EDM's
c_skip and c_out it has f(x, 0) = x. A flow map carries x_t to any lower level
r. It is written with the average velocity u between both,

    x_r = x - (t - r) u(x, t, r),      u = (x - D(x, t, r)) / t,

so that D is the denoiser at r = t, and the consistency function at r = 0.
"""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Float

from jaxgen.diffusion.edm import per_image
from jaxgen.typing import Array, Images, Levels

LEAST_LEVEL = 1e-4  # that a network is told; of 0 there is no logarithm
LEAST_SQUARE = 1e-20  # at 0 a distance has no gradient
LEAST_END = 0.01  # of the levels of ends that a network can tell apart
NEXT_LEVEL = "next_level"  # the condition with the level of a step's end


def lower_level(
  t: Float[Array, " *b"], gap: Array | float, *, steepness: float
) -> Float[Array, " *b"]:
  """The lower of the two levels of an image (Geng et al. 2024,
  arXiv:2406.14548): r = max(0, t (1 - gap (1 + k sigmoid(-t))))."""
  share = gap * (1 + steepness * jax.nn.sigmoid(-t))
  return jnp.maximum(t * (1 - share), 0.0)


def distance(a: Images, b: Images, *, huber: float = 0.0) -> Levels:
  """The pseudo-Huber distance of each image, sqrt(|a - b|^2 + c^2) - c with c =
  `huber` times the square root of the numbers of an image."""
  squares = jnp.sum((a - b) ** 2, axis=(1, 2, 3))
  c = huber * a[0].size ** 0.5
  return jnp.sqrt(squares + c**2 + LEAST_SQUARE) - c


def mean_flow_target(
  denoise: Callable[[Images, Levels], Images],
  y: Images,
  unit: Images,
  *,
  t: Levels,
  r: Levels,
) -> tuple[Images, Images]:
  """D(x_t, t, r), and what it is trained to be (Geng et al. 2025,
  arXiv:2505.13447, eq. 10, in EDM's time), y at r = t:

      y + (t - r) ((D - y) / t - dD/dt),

  where the derivative is along the path x_t of this image, at fixed r. No
  gradient flows through the target.

  Args:
    denoise: (x, t) -> D at the levels `r`.
    y: clean images.
    unit: standard normal noise.
    t: noise levels, `r` <= `t`.
    r: levels of the flow's end.
  """
  x = y + per_image(t) * unit
  d, slope = jax.jvp(denoise, (x, t), (unit, jnp.ones_like(t)))
  target = y + per_image(t - r) * ((d - y) / per_image(t) - slope)
  return d, jax.lax.stop_gradient(target)


def level_feature(level: Float[Array, " b"]) -> Float[Array, "b 1"]:
  """The input of a network for the level of a step's end; c_noise of
  `edm.scalings` is that for its start."""
  return jnp.log(jnp.maximum(level, LEAST_END))[:, None] / 4

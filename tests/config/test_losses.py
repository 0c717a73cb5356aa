"""Consistency of the sections `loss` and `kl`."""

from typing import Any

import pytest

from jaxgen.config.losses import KLConfig, LossConfig
from jaxgen.errors import UserError


@pytest.mark.parametrize(
  ("wrong", "named"),
  [
    ({"share_min": 0.2}, "kl.share_min"),
    ({"cooldown_images": 9_000}, "kl.cooldown_images"),
    ({"beta": 2.0}, "kl.beta"),
    ({"beta": 0.0, "adaptive": True}, "kl.adaptive"),
    ({"schedule": "cosine"}, "kl.schedule"),
  ],
)
def test_what_does_not_go_together_is_named(wrong, named):
  with pytest.raises(UserError, match=named):
    KLConfig(**wrong)


def test_the_weight_is_full_where_its_warm_up_ends():
  assert KLConfig().full_from == 0
  late: dict[str, Any] = {"start_images": 500, "warmup_images": 700}
  assert KLConfig(**late).full_from == 500
  assert KLConfig(schedule="linear", **late).full_from == 1_200


def test_a_loss_compares_images():
  with pytest.raises(UserError, match="loss: .*log_mse"):
    LossConfig(log_mse=0.0, segmentation=1.0)


def test_the_weights_are_those_that_are_not_zero():
  assert LossConfig(l1=0.5, vgg=2.0).weights == {
    "l1": 0.5,
    "log_mse": 1.0,
    "vgg": 2.0,
  }

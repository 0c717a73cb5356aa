"""Networks built from sections of the config."""

from typing import Any

import jax.numpy as jnp
import pytest

from jaxgen.config.denoisers import UNetConfig
from jaxgen.config.models import MODELS, ConvAutoencoderConfig
from jaxgen.models.build import NETWORKS, build, compute_dtype
from jaxgen.models.network import DenoisingNetwork


def test_every_section_has_a_network():
  assert NETWORKS.keys() == MODELS.keys()


@pytest.mark.parametrize("name", MODELS)
def test_a_network_keeps_its_section_and_takes_the_inputs_that_it_has(name):
  options = MODELS[name](dtype="bfloat16")
  sizes = (("kind", 3),)
  network = build(
    options,
    resolution=64,
    channels=2,
    condition_sizes=sizes,
    image_conditions=(("hint", 2),),
    num_classes=5,
    sigma_data=0.7,
    remat="blocks",
  )
  assert network.options == options
  assert (network.resolution, network.channels) == (64, 2)
  assert network.remat == "blocks" and network.dtype == jnp.bfloat16
  if isinstance(network, DenoisingNetwork):
    assert network.condition_sizes == sizes
    assert network.image_conditions == (("hint", 2),)
  assert getattr(network, "num_classes", 5) == 5
  assert getattr(network, "sigma_data", 0.7) == 0.7


def test_networks_of_equal_options_are_equal():
  sizes: dict[str, Any] = {"resolution": 16, "channels": 1}
  one, two = (build(UNetConfig(width=8), **sizes) for _ in range(2))
  assert one == two and hash(one) == hash(two)
  assert one != build(UNetConfig(width=16), **sizes)
  assert one != build(UNetConfig(width=8), resolution=32, channels=1)
  assert one != build(ConvAutoencoderConfig(), **sizes)


def test_auto_is_float32_on_a_cpu():
  assert compute_dtype("auto") == jnp.float32
  assert compute_dtype("bfloat16") == jnp.bfloat16

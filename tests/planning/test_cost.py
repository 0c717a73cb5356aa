"""The cost of a stage, from its compiled step."""

import pytest
from support.programs import program

from jaxgen.models import attention
from jaxgen.planning import cost


@pytest.fixture
def no_code(monkeypatch):
  """The program of a toy is larger than all the rest."""
  monkeypatch.setattr(cost, "CODE", 0)


@pytest.mark.slow
def test_the_quickest_way_that_fits_is_chosen(no_code):
  p = program(1, **{"stages.batch_size": (32,), "model.scan_layers": True})
  whole = cost.need(p)
  assert whole.accumulate == 1 and whole.peak > whole.activations > 0
  same = cost.fit(p, whole.total)
  assert same == whole
  less = cost.fit(p, whole.total - 1)
  assert less is not None
  assert less.accumulate == 2 and less.peak < whole.peak
  assert less.remat == "none"
  assert cost.fit(p, 1000) is None


def test_a_batch_is_divided_over_the_devices():
  flags = {"stages.batch_size": (32,)}
  assert list(cost.divisions(program(1, **flags))) == [1, 2, 4, 8, 16, 32]
  assert list(cost.divisions(program(8, **flags))) == [1, 2, 4]


@pytest.mark.slow
def test_a_refusal_names_the_largest_that_fits(no_code):
  """A resolution; or where parameters alone are too many, a width."""

  def least(p):
    return cost.need(cost.change(p, remat="full", accumulate=32)).total

  large = program(1, **{"stages.resolution": (64,), "stages.batch_size": (32,)})
  memory = least(cost.change(large, resolution=48))
  assert "48 pixels would fit" in cost.refusal(large, memory)
  wide = program(1, **{"model.width": 256, "stages.batch_size": (32,)})
  memory = least(cost.change_model(wide, width=128))
  assert "model.width=128" in cost.refusal(wide, memory)
  assert "an eighth of its width" in cost.refusal(wide, 1000)
  assert "the process alone takes" in cost.refusal(wide, -5)


def test_operations_of_attention_in_chunks_are_all_counted(monkeypatch):
  p = program(1, **{"model.encoder_depth": 1})
  want = cost.flops(p)
  monkeypatch.setattr(attention, "UNCHUNKED_TOKENS", 4)
  assert cost.flops(p) == want


@pytest.mark.slow
def test_memory_traffic_counts_every_turn_of_a_loop():
  """Four scanned layers move about what four unrolled ones do, though the
  compiler counts the body of a loop once; and a batch in parts what it does
  whole."""
  deep = {"model.encoder_depth": 4}
  deep |= {"stages.batch_size": (32,), "model.width": 64}
  deep |= {"optimizer.name": "muon"}
  flat, looped, parts = (
    cost.need(program(1, **deep, **more)).traffic
    for more in (
      {},
      {"model.scan_layers": True},
      {"stages.accumulate": (4,)},
    )
  )
  assert 0.8 < looped / flat < 1.6 and 0.8 < parts / flat < 1.6
  two = cost.need(program(2, **deep)).traffic  # of each, half the images
  assert 0.4 < two / flat < 1.0


def test_memory_is_what_is_given_or_configured(monkeypatch):
  experiment = program(1).experiment
  held = cost.reserved()
  monkeypatch.setattr(cost, "memory_found", lambda: 7 << 30)
  assert cost.memory_for_steps(experiment) == (7 << 30) - held
  configured = program(1, **{"batch.memory_gib": 2.0}).experiment
  assert cost.memory_for_steps(configured) == (2 << 30) - held
  assert cost.memory_for_steps(configured, 3 << 30) == (3 << 30) - held

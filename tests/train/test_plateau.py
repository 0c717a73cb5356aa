"""Reduction of the learning rate when held-out metrics reach a plateau."""

import jax
import pytest
from support.faults import SMALL, VAE
from support.programs import load, of_config

from jaxgen.config.optimizer import OptimizerConfig
from jaxgen.train import plateau


def test_a_stage_begins_without_the_plateaus_of_the_one_before():
  p = of_config(load(VAE, SMALL[VAE]), 1)[0]
  config = p.experiment.optimizer
  control, update = p.fresh_state().control, plateau.updater(config)
  for score in (30.0, 20.0, 20.0):  # as of another resolution
    control = update(control, score)
  assert plateau.factor(control) == 0.25
  control = plateau.reset(config, control)
  assert plateau.factor(control) == 1.0
  control = update(control, 5.0)
  assert plateau.factor(control) == 1.0
  assert "loss" in control


@pytest.mark.parametrize("patience", [1, 3])
def test_the_rate_falls_after_so_many_scores_that_are_no_better(patience):
  config = OptimizerConfig(
    plateau_patience=patience, plateau_factor=0.5, plateau_tolerance=0.1
  )
  control, update = plateau.initial_control(config), plateau.updater(config)
  control = update(control, 10.0)
  for _ in range(patience - 1):
    control = update(control, 10.05)  # within the tolerance
    assert plateau.factor(control) == 1.0
  assert plateau.factor(update(control, 10.05)) == 0.5
  assert plateau.factor(update(control, 10.2)) == 1.0


def test_where_it_is_off_nothing_is_kept():
  config = OptimizerConfig(plateau_patience=0)
  assert plateau.initial_control(config) == {}
  assert plateau.factor({}) == 1.0
  control = {"loss": jax.numpy.zeros(())}
  assert plateau.updater(config)(control, 3.0) is control

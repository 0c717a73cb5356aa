"""Advice where a run loses to PCA of the same size."""

import numpy as np
import pytest
from support.configs import toy_vae

from jaxgen.config.parse import parse
from jaxgen.evaluation.reconstruction import advice

PLAIN = parse(toy_vae())
VAE = parse(toy_vae(model={"variational": True}))
PCA = {"psnr": 25.0, "lpips": 0.4}


def scores(**model):
  named = {"autoencoder": model, "pca": PCA}
  return {
    name: {k: np.array([v - 0.1, v + 0.1]) for k, v in table.items()}
    for name, table in named.items()
  }


def test_a_run_that_is_better_gets_none():
  assert advice(scores(psnr=25.5, lpips=0.3), VAE) == []
  assert advice(scores(psnr=25.5), PLAIN) == []


@pytest.mark.parametrize(
  ("model", "lost", "other"),
  [
    ({"psnr": 24.5, "lpips": 0.3}, "PSNR (24.50 < 25.00 dB)", "in LPIPS"),
    ({"psnr": 25.5, "lpips": 0.5}, "LPIPS (0.500 > 0.400)", "in PSNR"),
    ({"psnr": 24.5}, "PSNR (24.50 < 25.00 dB)", "in LPIPS"),
  ],
)
def test_a_run_that_loses_is_told_where_and_what_to_do(model, lost, other):
  (said,) = advice(scores(**model), PLAIN)
  assert lost in said and "stages.images" in said and other not in said


def test_a_vae_that_loses_is_told_what_it_pays_for():
  said = advice(scores(psnr=24.0, lpips=0.5), VAE)
  assert "PSNR" in said[0] and "LPIPS" in said[0] and "kl.beta" in said[1]

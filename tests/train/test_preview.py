"""Previews of a run during training."""

import numpy as np
from support.programs import denoiser, program, random_params

from jaxgen.train.evaluator import SHOWN


def test_a_picture_shows_held_out_tiles_on_top():
  p = program(1)
  picture = p.preview(random_params(p))
  side, zoom = 32, 3
  cell = zoom * side + 2
  assert picture.shape == (3 * cell - 2, SHOWN * cell - 2, 3)
  assert picture.dtype == np.uint8
  for i, tile in enumerate(np.asarray(p.evaluator.shown["image"])):
    shown = picture[: zoom * side : zoom, i * cell :: zoom][:, :side, 0]
    np.testing.assert_array_equal(shown, tile[..., 0])


def test_the_same_weights_give_the_same_picture():
  for p in (program(1), denoiser(1, **{"diffusion.preview_steps": 2})):
    params = random_params(p)
    np.testing.assert_array_equal(p.preview(params), p.preview(params))

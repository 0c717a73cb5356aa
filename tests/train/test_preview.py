"""Previews of a run during training."""

import numpy as np
from support.programs import denoiser, program, random_params

from jaxgen import pictures
from jaxgen.train.evaluator import SHOWN


def test_a_picture_shows_held_out_tiles_on_top():
  p = program(1)
  picture = p.preview(random_params(p))
  side, zoom, head = 32, 2, pictures.HEAD + 6
  cell, row = zoom * side + pictures.GAP, head + zoom * side + pictures.GAP
  assert picture.shape[0] == 3 * row and picture.shape[1] >= SHOWN * cell
  assert picture.dtype == np.uint8
  for i, tile in enumerate(np.asarray(p.evaluator.shown["image"])):
    top, left = head + pictures.GAP, i * cell + pictures.GAP
    shown = picture[top : top + zoom * side : zoom, left::zoom][:, :side, 0]
    np.testing.assert_array_equal(shown, tile[..., 0])


def test_every_row_has_a_label():
  p = program(1)
  picture = p.preview(random_params(p))
  lines = np.split(picture, 3)
  assert all((x[: pictures.HEAD + 6] < 100).any() for x in lines)


def test_the_same_weights_give_the_same_picture():
  for p in (program(1), denoiser(1, **{"diffusion.preview_steps": 2})):
    params = random_params(p)
    np.testing.assert_array_equal(p.preview(params), p.preview(params))

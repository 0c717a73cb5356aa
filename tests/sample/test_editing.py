import numpy as np
import pytest
from PIL import Image
from support.pictures import read

import jaxgen
from jaxgen.cli.main import main
from jaxgen.errors import UserError

FAST = {"sampler": "euler", "steps": 4}


@pytest.fixture(scope="module")
def run(denoiser):
  return jaxgen.load(denoiser)


@pytest.fixture(scope="module")
def tiles(run):
  return run.images("validation", 3)


def test_inpainting_keeps_known_pixels_bit_for_bit(run, tiles):
  mask = np.zeros((32, 32), bool)
  mask[8:24, 4:20] = True
  out = run.inpaint(tiles, mask, **FAST)
  np.testing.assert_array_equal(out[:, ~mask], tiles[:, ~mask])
  assert (out[:, mask] != tiles[:, mask]).mean() > 0.5
  each = np.stack([mask, ~mask, mask])
  other = run.inpaint(tiles, each, seed=1, **FAST)
  np.testing.assert_array_equal(other[~each], tiles[~each])


def test_what_lies_under_the_mask_does_not_matter(run, tiles):
  mask = np.zeros((32, 32), bool)
  mask[8:24, 4:20] = True
  blank = np.where(mask[..., None], 0, tiles).astype(np.uint8)
  one, two = (run.inpaint(x, mask, **FAST) for x in (tiles, blank))
  np.testing.assert_array_equal(one, two)


def test_a_larger_canvas_keeps_the_image(run, tiles):
  out = run.outpaint(tiles[:1], 48, 64, **FAST)
  assert out.shape == (1, 48, 64, 3)
  np.testing.assert_array_equal(out[:, 8:40, 16:48], tiles[:1])
  out = run.outpaint(tiles[:1], 40, 32, top=0, left=0, **FAST)
  np.testing.assert_array_equal(out[:, :32], tiles[:1])


def test_editing_changes_more_with_more_strength(run, tiles):
  far = lambda x: np.abs(x.astype(float) - tiles).mean()  # noqa: E731
  one, two, three = (
    run.edit(tiles, strength=s, sampler="heun", steps=12) for s in (0.1, 0.5, 1)
  )
  assert far(one) < 10 and far(one) < far(two) < far(three)
  again = run.edit(tiles, strength=0.5, sampler="heun", steps=12)
  np.testing.assert_array_equal(two, again)
  options = {"conditions": {"color_scheme": "red"}, "guidance": 2.0}
  assert (run.edit(tiles, strength=0.5, **options, **FAST) != two).any()


def test_interpolation_begins_and_ends_with_the_images(run, tiles):
  row = run.interpolate(tiles[0], tiles[1], 3)
  assert row.shape == (3, 32, 32, 3)
  ends = np.abs(row[[0, 2]].astype(float) - tiles[:2]).mean()
  assert ends < 5 < np.abs(row[1].astype(float) - tiles[0]).mean()


def test_images_of_other_types_are_taken_as_uint8(run, tiles):
  wide = tiles.astype(np.uint16) * 257
  mask = np.zeros((32, 32), bool)
  mask[:, 16:] = True
  for kind in (wide, (tiles / 127.5 - 1).astype(np.float32)):
    for call in (
      lambda x: run.inpaint(x, mask, **FAST),
      lambda x: run.outpaint(x, 40, 32, **FAST),
      lambda x: run.edit(x, **FAST),
    ):
      out = call(kind)
      assert out.dtype == np.uint8
      np.testing.assert_array_equal(out, call(tiles))


def test_interpolation_knows_conditions(run, tiles):
  free = run.interpolate(tiles[0], tiles[1], 3)
  options = {"color_scheme": "red"}
  under = run.interpolate(tiles[0], tiles[1], 3, conditions=options)
  assert (free != under).any()


def test_what_does_not_fit_is_named(run, tiles):
  mask = np.zeros((32, 32), bool)
  for call, says in (
    (lambda: run.inpaint(tiles, mask[:16]), "mask: .* bool"),
    (lambda: run.inpaint(tiles, mask.astype(int)), "mask: .* int"),
    (lambda: run.inpaint(tiles[:, :16], mask), "images: "),
    (lambda: run.outpaint(tiles, 16, 64), "canvas 16 x 64"),
    (lambda: run.outpaint(tiles, 64, 64, top=1.5), "top=1.5"),
    (lambda: run.outpaint(tiles, 64, 64, left="a"), "left"),
    (lambda: run.inpaint(tiles, mask, corrections=65), "corrections=65"),
    (lambda: run.edit(tiles, strength=0.0), "strength=0.0"),
    (lambda: run.interpolate(tiles[0], tiles[1], 1), "steps=1"),
  ):
    with pytest.raises(UserError, match=says):
      call()


@pytest.mark.user_path
def test_the_verb(denoiser, tiles, tmp_path, capsys):
  a, b, m = (tmp_path / f"{name}.png" for name in "abm")
  Image.fromarray(tiles[0]).save(a)
  Image.fromarray(tiles[1]).save(b)
  mask = np.zeros((32, 32), np.uint8)
  mask[:, 16:] = 255
  Image.fromarray(mask).save(m)
  out = tmp_path / "out"
  command = ["edit", f"--workdir={denoiser}", f"--input={a}", f"--out={out}"]
  fast = ["--sampler=euler", "--steps=3"]
  assert main([*command, *fast, f"--mask={m}", "--rock_type=marble"]) == 0
  done = read(out / "a.png")
  np.testing.assert_array_equal(done[:, :16], tiles[0][:, :16])
  wide = np.pad(tiles[0], ((0, 0), (8, 8), (0, 0)))
  Image.fromarray(wide).save(a)
  Image.fromarray(np.pad(mask, ((0, 0), (8, 8)))).save(m)
  fitted = [*command, *fast, "--fit", f"--mask={m}", "--rock_type=marble"]
  assert main(fitted) == 0
  np.testing.assert_array_equal(read(out / "a.png"), done)
  Image.fromarray(tiles[0]).save(a)
  assert main([*command, *fast, "--canvas=40x64", "--corrections=0"]) == 0
  assert read(out / "a.png").shape[:2] == (40, 64)
  assert main([*command, *fast, "--strength=0.5"]) == 0
  assert main([*command, f"--to={b}", "--between=2"]) == 0
  assert (out / "001.png").exists()
  capsys.readouterr()
  Image.fromarray(mask[:8]).save(tmp_path / "small.png")
  Image.fromarray(0 * mask).save(tmp_path / "black.png")
  Image.fromarray(mask.astype(np.uint16)).save(tmp_path / "deep.png")
  Image.fromarray(np.stack(4 * [mask], -1)).save(tmp_path / "clear.png")
  for flags, says in (
    ([], "one of --mask, --canvas, --strength, --to"),
    (["--canvas=40x40", "--strength=0.5"], "got --canvas, --strength"),
    ([f"--mask={tmp_path / 'gone.png'}"], "gone.png"),
    ([f"--mask={tmp_path / 'small.png'}"], "small.png"),
    ([f"--mask={tmp_path / 'black.png'}"], "black.png"),
    ([f"--mask={tmp_path / 'deep.png'}"], "deep.png"),
    ([f"--mask={tmp_path / 'clear.png'}"], "clear.png"),
    ([f"--mask={m}", "--between=3"], "--between is for --to"),
    ([f"--to={b}", "--seed=1"], "--seed is for"),
    ([f"--mask={m}", "--corrections=65"], "corrections"),
    (["--canvas=40"], "--canvas=40"),
    (["--canvas=8x8"], "canvas 8 x 8"),
    (["--canvas=4²x64"], "--canvas=4²x64"),
    (["--canvas=1000000x64"], "--canvas=1000000x64"),
    ([f"--to={b}", "--sampler=heun"], "--sampler is for"),
    (["--to="], "error"),
    (["--strength=2"], "--strength=2.0"),
    (["--strength=0.5", "--corrections=2"], "--corrections is for"),
    (["--strength=0.5", "--rock_type=lava"], "--rock_type=lava"),
  ):
    assert main([*command, *flags]) == 2
    error = capsys.readouterr().err
    assert says in error and error.count("\n") == 1


def test_an_autoencoder_cannot_edit(trained, tmp_path, capsys):
  command = ["edit", f"--workdir={trained}", f"--out={tmp_path}", "--input=x"]
  assert main([*command, "--strength=0.5"]) == 2
  assert f"--workdir={trained}" in capsys.readouterr().err


@pytest.mark.parametrize("corner", [(4, 8), (30, 52)])
def test_a_part_of_a_larger_image_is_filled_in(run, tiles, corner):
  large = np.concatenate([*tiles[:2]], axis=1)
  large = np.concatenate([large, large[::-1]])[None, :50, :60]
  mask = np.zeros((50, 60), bool)
  top, left = corner
  mask[top : top + 8, left : left + 6] = True
  out = run.inpaint(large, mask, corrections=0, **FAST)
  np.testing.assert_array_equal(out[:, ~mask], large[:, ~mask])
  assert (out[:, mask] != large[:, mask]).mean() > 0.5


def test_larger_images_are_varied_and_extended(run, tiles):
  large = np.concatenate([*tiles[:2]], axis=1)[None, :, :48]
  assert run.edit(large, strength=0.5, **FAST).shape == large.shape
  out = run.outpaint(large, 40, 56, corrections=0, **FAST)
  np.testing.assert_array_equal(out[:, 4:36, 4:52], large)


def test_images_in_parts_are_those_of_one_call(run, tiles):
  both = run.edit(tiles[:2], **FAST)
  last = run.edit(tiles[1:2], first=1, **FAST)
  assert np.abs(both[1].astype(int) - last[0]).max() <= 1

"""What pages of runs show and answer."""

import base64
import io
import json

import numpy as np
import pytest
from PIL import Image
from support.analytic_run import MEAN, analytic_run
from support.hinted_run import hinted_run

import jaxgen
from jaxgen.diffusion import analytic
from jaxgen.errors import UserError
from jaxgen.explore import pictures
from jaxgen.explore.autoencoder import AutoencoderSession
from jaxgen.explore.denoiser import DenoiserSession
from jaxgen.explore.restoration import RestorationSession


def pixels(url):
  content = base64.b64decode(url.partition(",")[2])
  return np.asarray(Image.open(io.BytesIO(content)))


def request(state, **more):
  """What a page sends that nobody has touched."""
  values = {x["name"]: x.get("value") for x in state["controls"]}
  return {"values": values, "slots": {}, **more}


@pytest.fixture(scope="module")
def run(trained):
  return jaxgen.load(trained)


@pytest.fixture(scope="module")
def opened(run):
  return AutoencoderSession(run)


def shaped(latent, run):
  z = np.asarray(latent, np.float32)
  return z.reshape(1, *run.task.latent_shape)


def test_what_is_shown_is_the_decoded_latent(run, opened):
  state = opened.state()
  json.dumps(state)
  given = request(state)
  for action in ("start", "reset", "gmm"):
    answer = opened.act(action, given)
    shown = pixels(answer["figures"][0]["image"])[::8, ::8]
    expected = run.decode(shaped(answer["latent"], run))[0, ..., 0]
    np.testing.assert_array_equal(shown, expected)
  mean = opened.act("reset", given)["latent"]
  np.testing.assert_allclose(mean, run.training_latents.mean(0), atol=1e-5)
  drawn = run.sample(1, seed=0, method="gmm", batch=1)[0, ..., 0]
  np.testing.assert_array_equal(shown, drawn)


def test_a_tile_is_encoded_and_a_slider_keeps_it(run, opened):
  given = request(opened.state())
  answer = opened.act("tile", given | {"index": 2})
  tile = run.images("validation", 512)[2:3]
  expected = run.encode(tile).reshape(-1)
  np.testing.assert_allclose(answer["latent"], expected, atol=1e-4)
  same = given | {"latent": answer["latent"]}
  same["values"] |= answer["values"]
  again = opened.act("change", same)
  np.testing.assert_allclose(again["latent"], answer["latent"], atol=0.01)
  same["values"]["pc0"] += 1
  moved = opened.act("change", same)["values"]
  assert moved["pc0"] == pytest.approx(answer["values"]["pc0"] + 1, abs=2e-3)
  assert moved["pc1"] == pytest.approx(answer["values"]["pc1"], abs=2e-3)


def test_an_uploaded_image_is_a_tile(run, opened):
  tile = run.images("validation", 512)[3]
  given = request(opened.state()) | {"image": pictures.small(tile)}
  found = opened.act("upload", given)["latent"]
  expected = opened.act("tile", given | {"index": 3})["latent"]
  np.testing.assert_allclose(found, expected, atol=1e-4)


def test_mixtures_and_arithmetic(opened):
  given = request(opened.state())
  a, b, c = (
    opened.act("tile", given | {"index": i})["latent"] for i in range(3)
  )
  given["slots"] = {"A": a, "B": b, "C": c}
  for t, expected in ((0.0, a), (1.0, b)):
    given["values"]["t"] = t
    np.testing.assert_allclose(opened.act("mix", given)["latent"], expected)
  found = opened.act("arithmetic", given)["latent"]
  np.testing.assert_allclose(found, np.array(a) - b + c)


def test_a_step_towards_an_attribute(run, opened):
  """That of the photograph: the difference of means of held-out tiles."""
  state = opened.state()
  (listed,) = (x for x in state["controls"] if x["name"] == "attribute")
  assert "label: brick" in listed["values"]
  tiles = run.tiles("validation", 512)
  latents = run.encode(tiles["image"]).reshape(len(tiles["label"]), -1)
  brick = tiles["label"] == run.source("validation").label_names.index("brick")
  toward = latents[brick].mean(0) - latents[~brick].mean(0)
  mean = opened.act("reset", request(state))["latent"]
  given = request(state, latent=mean)
  given["values"] |= {"attribute": "label: brick", "amount": -1.5}
  found = np.array(opened.act("go", given)["latent"]) - mean
  np.testing.assert_allclose(found, -1.5 * toward, atol=1e-4)


@pytest.mark.parametrize(
  ("action", "given"),
  [
    ("fly", {}),
    ("mix", {}),
    ("change", {"latent": [1, 2]}),
    ("change", {"latent": "x"}),
    ("tile", {"index": 24}),
    ("tile", {"index": -1}),
    ("tile", {"index": "../x"}),
    ("upload", {"image": "data:image/png;base64,AAAA"}),
    ("upload", {"image": "no image"}),
    ("upload", {}),
    ("gmm", {"values": {"seed": "x"}}),
    ("gmm", {"values": {"seed": float("nan")}}),
    ("go", {"values": {"attribute": "x", "amount": 1}}),
  ],
)
def test_other_requests_are_refused(action, given, opened):
  with pytest.raises(UserError):
    opened.act(action, request(opened.state()) | given)


def test_images_of_a_denoiser_are_those_of_sample(denoiser):
  run = jaxgen.load(denoiser)
  opened = DenoiserSession(run)
  name, values = next(iter(run.conditions.items()))
  given = request(opened.state())
  given["values"] |= {"steps": 2, "num": "4", f"condition {name}": values[0]}
  answer = opened.act("draw", given)
  shown = pixels(answer["figures"][0]["image"])
  options = {"sampler": "heun", "steps": 2, "conditions": {name: values[0]}}
  images = run.sample(4, seed=0, batch=4, guidance=1.0, **options)
  side = len(shown) // 2
  zoom = side // run.resolution
  third = shown[side::zoom, :side:zoom].reshape(images[2].shape)
  np.testing.assert_array_equal(third, images[2])
  assert answer["notes"] == ["3 network calls an image"]
  with pytest.raises(UserError, match="num"):
    opened.act("draw", given | {"values": given["values"] | {"num": "5"}})


def test_what_is_painted_is_filled_in(denoiser):
  run = jaxgen.load(denoiser)
  opened = DenoiserSession(run)
  chosen = opened.act("tile", request(opened.state(), index=0))
  tile = chosen.get("tile")
  drawn = np.zeros((256, 256, 4), np.uint8)
  drawn[:128] = 255
  given = request(opened.state(), tile=tile, mask=pictures.embedded(drawn))
  given["values"]["steps"] = 2
  before, after = (
    pixels(x["image"]) for x in opened.act("fill", given)["figures"]
  )
  half = len(after) // 2
  np.testing.assert_array_equal(after[half:], before[half:])
  assert (after[:half] != before[:half]).any()
  empty = pictures.embedded(np.zeros((256, 256, 4), np.uint8))
  for mask in (empty, "", None):
    with pytest.raises(UserError, match="paint"):
      opened.act("fill", given | {"mask": mask})


def test_more_light_is_restored_better(monkeypatch):
  run = analytic_run(analytic.gaussian(MEAN, 0.3), side=16)
  tiles = np.random.default_rng(0).normal(MEAN, 0.3, (3, 16, 16, 1))
  tiles = np.float32(np.clip(tiles, -1, 1))
  monkeypatch.setattr(type(run), "images", lambda *_: tiles)
  opened = RestorationSession(run)
  given = request(opened.state(), index=1)
  found = []
  for light in (0.5, 1.5, 3.0):
    given["values"]["light"] = light
    answer = opened.act("change", given)
    labels = [x["label"].partition(",")[0] for x in answer["figures"]]
    assert labels == ["camera", "mean", "standard deviation", "truth"]
    found.append(float(answer["notes"][0].split()[-2]))
  assert found == sorted(found) and found[2] > found[0] + 6


def test_runs_with_hints_are_refused():
  with pytest.raises(UserError, match="--hint"):
    DenoiserSession(hinted_run(kind="edges"))

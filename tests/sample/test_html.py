"""Display of a loaded run in a notebook."""

import base64
import shutil

import pytest

import jaxgen
from jaxgen.sample import html


@pytest.fixture
def run(trained, tmp_path):
  hostile = tmp_path / "<b>run & co"
  shutil.copytree(trained, hostile)
  return jaxgen.load(hostile)


def test_a_run_shows_its_facts_and_escapes_them(run):
  shown = run._repr_html_()
  assert "&lt;b&gt;run &amp; co" in shown and "<b>run" not in shown
  for fact in ("autoencoder", "step 30", "32 x 32", f"{run.num_parameters:,}"):
    assert fact in shown


def test_a_run_shows_its_newest_preview(run):
  newest = run.workdir / "samples" / "00000030.png"
  assert html.newest_preview(run.workdir) == newest
  data = base64.b64encode(newest.read_bytes()).decode()
  shown = run._repr_html_()
  assert f"data:image/png;base64,{data}" in shown
  assert shown.count("data:image/png") == 1


def test_a_run_without_previews_shows_its_facts(run):
  shutil.rmtree(run.workdir / "samples")
  assert html.newest_preview(run.workdir) is None
  shown = run._repr_html_()
  assert "<img" not in shown and "step 30" in shown


def test_nothing_is_computed_to_show_a_run(run, monkeypatch):
  monkeypatch.setattr(type(run), "cached", lambda *_: pytest.fail("computed"))
  assert "<table" in run._repr_html_()


def test_the_text_of_a_run_is_short(run):
  assert len(repr(run)) < 400

"""The server of an explorer, and its page in a browser."""

import contextlib
import http.client
import json
import pathlib
import re
import threading
from urllib.parse import urlsplit

import numpy as np
import pytest
from support.browser import CHROMIUM, opened

import jaxgen
from jaxgen.cli.main import main
from jaxgen.errors import UserError
from jaxgen.explore import controls, pictures, server, session
from jaxgen.explore.autoencoder import AutoencoderSession
from jaxgen.explore.server import MAX_REQUEST, Server

needs_browser = pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium")


class Echo:
  """A page of one slider, whose picture has its value as gray."""

  def state(self) -> session.State:
    slider = controls.slider(
      "gray", "gray", "A group", value=9, low=0, high=255
    )
    tray = [pictures.small(np.full((4, 4, 1), x, np.uint8)) for x in (1, 2)]
    button = controls.button("fill", "fill", "A group")
    return {
      "title": "<b>A page</b>",
      "about": "about it",
      "controls": [slider, button],
      "tray": tray,
      "slots": ["A"],
      "uploads": True,
      "paints": False,
    }

  def act(self, action, given) -> session.Answer:
    if action == "fill":
      raise UserError("fill: not now.")
    value = int(controls.number(given, "gray"))
    image = np.full((8, 8, 1), value, np.uint8)
    return {
      "figures": [pictures.figure(action, image)],
      "notes": [f"{action} {value} {given.get('index')}"],
      "latent": [1.0],
    }


@contextlib.contextmanager
def serving(page):
  served = Server(page)
  thread = threading.Thread(target=served.run, daemon=True)
  thread.start()
  try:
    yield served.address
  finally:
    served.stop()
    thread.join()


def ask(address, method="GET", path="", body=b"", **headers):
  """The status, headers and content of an answer."""
  parts = urlsplit(address)
  connection = http.client.HTTPConnection(parts.hostname, parts.port)
  asked = {"Host": parts.netloc} | headers
  connection.request(method, parts.path + path, body=body, headers=asked)
  answer = connection.getresponse()
  found = answer.status, dict(answer.getheaders()), answer.read()
  connection.close()
  return found


def test_the_page_and_its_answers():
  with serving(Echo()) as address:
    status, headers, content = ask(address)
    assert status == 200 and b"<!doctype html>" in content
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert json.loads(ask(address, path="state")[2]) == Echo().state()
    body = json.dumps({"action": "change", "values": {"gray": 7}}).encode()
    first = ask(address, "POST", "act", body)
    assert first[0] == 200 and first[2] == ask(address, "POST", "act", body)[2]
    body = json.dumps({"action": "fill"}).encode()
    status, _, content = ask(address, "POST", "act", body)
    assert (status, json.loads(content)) == (400, {"error": "fill: not now."})


def test_others_are_refused():
  """Without the token, of another host, too much, or no request of a page."""
  with serving(Echo()) as address:
    root = address.rpartition("/")[0].rpartition("/")[0] + "/"
    assert ask(root)[0] == ask(root, path="state")[0] == 403
    for host in ("evil.example", "evil.example:80", "", "127.0.0.1.evil:1"):
      assert ask(address, Host=host)[0] == 403
      assert ask(address, "POST", "act", b"{}", Host=host)[0] == 403
    assert ask(address, Host="localhost:9")[0] == 200  # through ssh -L
    for path in ("../state", "page.html", "%2e%2e/state", "/etc/passwd"):
      assert ask(address, path=path)[0] in (403, 404)
    size = {"Content-Length": str(MAX_REQUEST + 1)}
    assert ask(address, "POST", "act", b"", **size)[0] == 413
    assert (
      ask(address, "POST", "act", b"", **{"Content-Length": "-1"})[0] == 413
    )
    for body in (b"", b"[]", b"{", b'{"action": "x", "values": 3}', b"\xff"):
      assert ask(address, "POST", "act", body)[0] == 400
    assert ask(address)[0] == 200


def test_a_taken_port_is_one_line():
  with serving(Echo()) as address, pytest.raises(UserError, match="--port"):
    Server(Echo(), port=urlsplit(address).port or 0)


def test_the_page_names_nothing_outside():
  assert not re.search(r"(https?:)?//[a-z]", server.page())


@needs_browser
def test_the_page_reacts(tmp_path):
  note = 'document.querySelector("#notes")?.textContent'
  with serving(Echo()) as address, opened(address) as page:
    page.wait(f'{note} == "start 9 None"')
    assert page.run("document.title") == "<b>A page</b>"
    page.run('gray.value = 77; gray.dispatchEvent(new Event("input"))')
    page.wait(f'{note} == "change 77 None"')
    page.run('document.querySelectorAll("#tray button")[1].click()')
    page.wait(f'{note} == "tile 77 1"')
    page.run("keepA.click(); fill.click()")
    page.wait('error.textContent == "fill: not now."')
    shown = "document.querySelector('#figures img').naturalWidth"
    assert page.run(shown) == pictures.LEAST
    (problem,) = page.problems  # the browser itself reports the status 400
    assert "400" in problem


@needs_browser
def test_the_page_of_an_autoencoder(trained):
  run = jaxgen.load(trained)
  source = 'document.querySelector("#figures img").src'
  with serving(AutoencoderSession(run)) as address, opened(address) as page:
    page.wait('document.querySelectorAll("#figures img").length == 2')
    before = page.run(source)
    page.run('pc0.value = -3; pc0.dispatchEvent(new Event("input"))')
    page.wait(f"{source} != {before!r}")
    assert not page.problems
    assert page.run("document.documentElement.scrollWidth <= innerWidth")


@needs_browser
def test_a_snapshot_needs_no_server(trained, tmp_path, capsys):
  out = tmp_path / "page.html"
  argv = ["explore", f"--workdir={trained}", f"--out={out}"]
  assert main(argv) == 0 and str(out) in capsys.readouterr().out
  with opened(out.as_uri(), size=(600, 900)) as page:
    page.wait('document.querySelectorAll(".stepper").length == 18')
    view = 'document.querySelector(".view").style.backgroundPosition'
    before = page.run(view)
    page.run(
      'i = document.querySelector(".stepper input"); i.value = 0;'
      ' i.dispatchEvent(new Event("input"))'
    )
    assert before == "50% 0px" and page.run(view) == "0% 0px"
    assert not page.problems


def test_other_runs_are_refused(denoiser, tmp_path, capsys):
  out = tmp_path / "page.html"
  assert main(["explore", f"--workdir={denoiser}", f"--out={out}"]) == 2
  assert "expected a run of an autoencoder" in capsys.readouterr().err
  far = tmp_path / "none" / "page.html"
  assert main(["explore", "--workdir=nowhere", f"--out={far}"]) == 2
  assert f"no folder {far.parent}" in capsys.readouterr().err
  assert not pathlib.Path(out).exists()

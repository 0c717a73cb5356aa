"""A headless Chromium, driven by its debugging protocol."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import pathlib
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from typing import Any

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")


class Page:
  """An open page.

  Attributes:
    problems: errors of its console, and requests to other hosts.
  """

  def __init__(self, send: Callable[..., Any], problems: list[str]):
    self._send, self.problems = send, problems

  def run(self, script: str) -> Any:
    """The value of an expression in the page."""
    found = self._send(
      "Runtime.evaluate",
      expression=script,
      awaitPromise=True,
      returnByValue=True,
    )
    assert "exceptionDetails" not in found, found
    return found["result"].get("value")

  def wait(self, script: str, seconds: float = 60) -> None:
    """Wait until an expression is true."""
    until = time.monotonic() + seconds
    while not self.run(f"Boolean({script})"):
      assert time.monotonic() < until, f"never true: {script}"
      time.sleep(0.05)

  def picture(self, path: pathlib.Path) -> None:
    """Write a picture of the page."""
    found = self._send("Page.captureScreenshot", format="png")
    path.write_bytes(base64.b64decode(found["data"]))


@contextlib.contextmanager
def opened(
  address: str, *, size: tuple[int, int] = (1280, 900)
) -> Iterator[Page]:
  """A page at an address, in a browser of its own."""
  from tornado.websocket import websocket_connect

  loop, problems, count = asyncio.new_event_loop(), [], iter(range(10**6))
  with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
    process = _start(profile, size)
    try:
      target = _target(pathlib.Path(profile))

      async def connect() -> Any:
        return await websocket_connect(target, max_message_size=2**26)

      socket = loop.run_until_complete(connect())

      async def exchange(method: str, fields: dict[str, Any]) -> Any:
        number = next(count)
        message = {"id": number, "method": method, "params": fields}
        await socket.write_message(json.dumps(message))
        while True:
          answer = json.loads(await socket.read_message() or "{}")
          if answer.get("id") == number:
            return answer.get("result", answer)
          problems.extend(_problems(answer, address))

      def send(method: str, **fields: Any) -> Any:
        return loop.run_until_complete(exchange(method, fields))

      for name in ("Page", "Runtime", "Log", "Network"):
        send(f"{name}.enable")
      send("Page.navigate", url=address)
      yield Page(send, problems)
    finally:
      process.kill()
      process.wait()
      loop.close()


def _start(profile: str, size: tuple[int, int]) -> subprocess.Popen:
  command = [
    str(CHROMIUM),
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--remote-debugging-port=0",
    f"--user-data-dir={profile}",
    f"--window-size={size[0]},{size[1]}",
    "about:blank",
  ]
  quiet = subprocess.DEVNULL
  return subprocess.Popen(command, stdout=quiet, stderr=quiet)


def _target(profile: pathlib.Path) -> str:
  """The address of the first tab."""
  import urllib.request

  port = profile / "DevToolsActivePort"
  until = time.monotonic() + 60
  while not (port.is_file() and port.read_text().count("\n")):
    assert time.monotonic() < until, "the browser does not start"
    time.sleep(0.05)
  url = f"http://127.0.0.1:{port.read_text().split()[0]}/json"
  with urllib.request.urlopen(url) as reply:
    tabs = [x for x in json.load(reply) if x["type"] == "page"]
  return tabs[0]["webSocketDebuggerUrl"]


def _problems(event: dict[str, Any], address: str) -> list[str]:
  """What is wrong by an event of the browser."""
  method, fields = event.get("method"), event.get("params", {})
  if method == "Runtime.exceptionThrown":
    return [str(fields["exceptionDetails"])]
  if method == "Log.entryAdded" and fields["entry"]["level"] == "error":
    return [fields["entry"]["text"]]
  if method == "Network.requestWillBeSent":
    url = fields["request"]["url"]
    own = (address.rpartition("/")[0], "data:", "blob:", "about:")
    return [] if url.startswith(own) else [f"loads {url}"]
  return []

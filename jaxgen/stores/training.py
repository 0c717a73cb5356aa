"""Training in a store: the run's folder is sent while it is written.

A thread looks at the folder every few seconds. A new checkpoint is sent at
once, its mark last; metrics and other small files twice a minute. What cannot
be sent is sent later, by the next start on this machine at the latest.
"""

from __future__ import annotations

import contextlib
import pathlib
import signal
import threading
import time
from collections.abc import Collection, Iterator

from jaxgen.errors import UserError
from jaxgen.parallel.preemption import Stop
from jaxgen.stores import lease, mirror, plan
from jaxgen.stores.plan import Push, Synced
from jaxgen.stores.store import Store, StoreError
from jaxgen.workdir import lock, run_config

LOOK = 2.0  # seconds between two looks at the folder
OFTEN = 30.0  # seconds between two sendings of small files, or two tries
TRIES = 3  # to send the last state
PAUSE = 5.0  # seconds between them


@contextlib.contextmanager
def mirrored(address: str | pathlib.Path, stop: Stop) -> Iterator[pathlib.Path]:
  """The folder of this machine in which a run in a store is trained.

  Args:
    address: the run.
    stop: set if another process takes the run over.

  Raises:
    UserError: the store cannot be reached, another process trains the run, or
      its last state could not be sent.
  """
  store, folder = Store(address), mirror.folder_of(address)
  with contextlib.ExitStack() as stack:
    _hold(stack, store, folder)
    try:
      held = lease.held(
        store, mirror.identity(folder), on_lost=lambda: _interrupt(stop)
      )
      current = stack.enter_context(held)
      with lock.hold(folder, name=mirror.FETCHING, patience=mirror.PATIENCE):
        mirror.fetch(store, folder, found=False)
      names = store.list().keys()
      store.delete(plan.marks_first(_unfinished(names)))
    except StoreError as e:
      raise UserError(f"{store.address}: {e}.") from e
    sender = Sender(store, folder, current)
    try:
      with sender.running():
        yield folder
    except UserError as e:  # names the run as the user does
      message = str(e).replace(str(folder), store.address)
      raise UserError(message) from e
    sender.finish()


def _hold(
  stack: contextlib.ExitStack, store: Store, folder: pathlib.Path
) -> None:
  """Lock the folder among the processes of this machine."""
  name = mirror.TRAINING
  try:
    stack.enter_context(lock.hold(folder, name=name))
  except UserError as e:
    if not lock.is_held(folder, name=name):
      raise
    raise UserError(
      f"--workdir={store.address} is in use by another {lock.TRAINING} of this"
      " machine."
    ) from e


def _end(thread: threading.Thread, ended: threading.Event) -> None:
  ended.set()
  thread.join()


def _interrupt(stop: Stop) -> None:
  """Stop the run before its next step."""
  stop.signal = stop.signal or signal.SIGTERM


def _unfinished(names: Collection[str]) -> set[str]:
  """Objects of checkpoints that were not sent to their end."""
  return {x for x in set(names) - plan.shown(names) if plan.mark_of(x)}


class Sender:
  """Sends what changes in a folder."""

  def __init__(self, store: Store, folder: pathlib.Path, held: lease.Lease):
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
    except StoreError as e:
      if not self._failed:
        self._say(f"cannot be reached ({e}); trying again, training goes on.")
      self._failed = str(e)
      self._next = time.monotonic() + OFTEN
      return False
    if self._failed:
      self._say("can be reached again.")
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
    self._transfer(push)
    self._next = time.monotonic() + OFTEN
    self._record(files, synced, push)

  def _transfer(self, push: Push) -> None:
    """Send; the config first, since it says that there is a run."""
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
    self._store.delete(push.delete)

  def _record(
    self,
    files: dict[str, plan.Local],
    synced: mirror.Files,
    push: Push,
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

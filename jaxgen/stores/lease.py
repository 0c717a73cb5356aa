"""Locks of runs in a store, held by the process that trains there.

The lock is an object `.lock-N`, created only if there is none, which a store
decides for all. Its holder writes the time into it again and again. A lock that
has been silent for too long belongs to a dead process: who creates `.lock-N+1`
has taken it over, and the old holder, should it wake up, finds its own gone.
Clocks of machines are taken to differ by less than the time of silence.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator

from jaxgen.errors import UserError
from jaxgen.stores.store import Store, StoreError
from jaxgen.workdir import lock

BEAT = 20.0  # seconds between two signs of life
SILENCE = 120.0  # seconds without one, after which a holder is considered dead
PAUSE = 0.5  # seconds to look again at one that cannot be read
ATTEMPTS = 5  # to take a lock that others take and release meanwhile
_NAME = re.compile(r"\.lock-(\d+)")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Holder:
  """The content of a lock.

  Attributes:
    folder: identity of the folder on its machine, locked there by itself: a
      process that has that folder knows the holder to be dead.
    host: name of the machine.
    pid: process.
    time: seconds since the epoch.
  """

  folder: str
  host: str = ""
  pid: int = 0
  time: float = 0.0

  @classmethod
  def of(cls, content: bytes) -> Holder:
    """The holder in a lock; one that is long dead if it cannot be read."""
    try:
      fields = json.loads(content)
      return cls(
        folder=str(fields["folder"]),
        host=str(fields["host"]),
        pid=int(fields["pid"]),
        time=float(fields["time"]),
      )
    except (ValueError, KeyError, TypeError):
      return cls(folder="")

  def to_json(self) -> bytes:
    """The content of a lock."""
    return json.dumps(dataclasses.asdict(self)).encode()

  def age(self) -> float:
    """Seconds since the last sign of life."""
    return max(0.0, time.time() - self.time)

  def __str__(self) -> str:
    return f"{self.host or 'unknown'}, process {self.pid}"


def _this(folder: str) -> Holder:
  return Holder(
    folder=folder, host=socket.gethostname(), pid=os.getpid(), time=time.time()
  )


def is_held(store: Store) -> bool:
  """Whether a living process holds the lock of a run.

  Raises:
    StoreError: the store cannot be reached.
  """
  holder = _holder(store, max(_numbers(store), default=0))
  return holder is not None and holder.age() < SILENCE


def _holder(store: Store, number: int) -> Holder | None:
  """The holder of a lock, dead or alive; None if there is none."""
  for pause in (PAUSE, 0.0):
    content = store.read(f".lock-{number}") if number else None
    if content is None:
      return None
    holder = Holder.of(content)
    if holder.folder:
      return holder
    time.sleep(pause)  # it may be in the middle of being written
  return holder


def _numbers(store: Store) -> list[int]:
  """The numbers of the locks, in order."""
  found = map(_NAME.fullmatch, store.list())
  return sorted(int(x[1]) for x in found if x)


class Lease:
  """A lock that this process holds.

  Attributes:
    lost: whether another process has taken it over.
  """

  def __init__(self, store: Store, number: int, folder: str):
    self.lost = False
    self._store, self._folder = store, folder
    self._name = f".lock-{number}"

  def check(self) -> bool:
    """Whether the lock is still held.

    Raises:
      StoreError: the store cannot be reached.
    """
    content = self._store.read(self._name)
    held = content is not None and Holder.of(content).folder == self._folder
    self.lost = self.lost or not held
    return not self.lost

  def beat(self) -> None:
    """Write a sign of life; raises a StoreError if it cannot be written."""
    if self.check():
      self._store.write(self._name, _this(self._folder).to_json())

  def release(self) -> None:
    """Remove the lock, if it can be reached."""
    with contextlib.suppress(StoreError):
      if self.check():
        self._store.delete([self._name])


def acquire(store: Store, folder: str) -> Lease:
  """Take the lock of a run.

  Args:
    store: the run.
    folder: identity of this machine's folder of the run, which is locked.

  Raises:
    UserError: another process holds it.
    StoreError: the store cannot be reached.
  """
  for _ in range(ATTEMPTS):
    numbers = _numbers(store)
    last = numbers[-1] if numbers else 0
    holder = _holder(store, last)
    if last and holder is None:  # just released: others may be faster
      continue
    if holder is not None:
      _check_dead(store, holder, folder)
    number = last + 1
    if _create(store, f".lock-{number}", _this(folder).to_json()):
      store.delete([f".lock-{x}" for x in numbers])
      return Lease(store, number, folder)
  raise UserError(
    f"--workdir={store.address} is in use by another {lock.TRAINING}."
  )


def _check_dead(store: Store, holder: Holder, folder: str) -> None:
  """Raise a UserError unless the holder of a lock is dead."""
  if holder.folder == folder:
    return
  age = holder.age()
  if age < SILENCE:
    raise UserError(
      f"--workdir={store.address} is in use by another {lock.TRAINING}"
      f" ({holder}; sign of life {age:.0f} s ago); if it is dead, start again"
      f" in {SILENCE - age:.0f} s."
    )
  print(
    f"{store.address}: taking over from a {lock.TRAINING} ({holder}) without a"
    f" sign of life for more than {SILENCE:.0f} s.",
    flush=True,
  )


def _create(store: Store, name: str, content: bytes) -> bool:
  """Create a lock; returns whether it was created."""
  try:
    return store.create(name, content)
  except NotImplementedError:
    print(
      f"warning: {store.address}: the store cannot keep two training processes"
      " apart; start one only.",
      flush=True,
    )
    store.write(name, content)
    return True


@contextlib.contextmanager
def held(
  store: Store, folder: str, *, on_lost: Callable[[], None]
) -> Iterator[Lease]:
  """Hold the lock of a run while the block runs.

  Args:
    store: the run.
    folder: as in `acquire`.
    on_lost: called, in another thread, if another process takes it over.

  Raises:
    UserError: another process holds it.
    StoreError: the store cannot be reached.
  """
  lease, ended = acquire(store, folder), threading.Event()

  def beat() -> None:
    while not ended.wait(BEAT):
      with contextlib.suppress(StoreError):  # the next may come through
        lease.beat()
      if lease.lost:
        return on_lost()

  thread = threading.Thread(target=beat, name="lease", daemon=True)
  thread.start()
  try:
    yield lease
  finally:
    ended.set()
    thread.join()
    lease.release()

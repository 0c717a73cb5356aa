"""Training in a store: in the folder that mirrors the run, under its lock.

What could not be sent when a run ended is sent by the next start on this
machine, unless the run has been continued elsewhere.
"""

from __future__ import annotations

import contextlib
import pathlib
import signal
from collections.abc import Collection, Iterator

from jaxgen.errors import UserError
from jaxgen.parallel.preemption import Stop
from jaxgen.stores import lease, mirror, plan
from jaxgen.stores.sender import Sender
from jaxgen.stores.store import Store, StoreError
from jaxgen.workdir import lock


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
  print(f"opening {store.address} ...", flush=True)
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


def _interrupt(stop: Stop) -> None:
  """Stop the run before its next step."""
  stop.signal = stop.signal or signal.SIGTERM


def _unfinished(names: Collection[str]) -> set[str]:
  """Objects of checkpoints that were not sent to their end."""
  return {x for x in set(names) - plan.shown(names) if plan.mark_of(x)}

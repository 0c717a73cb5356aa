"""The folder of this machine that mirrors a run in a store.

All code works on the folder, `runs/NAME-DIGEST` in the user's cache. `.mirror`
in it says which of its files are equal to which objects, so that only what has
changed is fetched or sent.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import pathlib
import secrets
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

from jaxgen import progress
from jaxgen.errors import UserError
from jaxgen.formats import addresses, user_cache
from jaxgen.formats.atomic import write_json
from jaxgen.stores import lease, plan
from jaxgen.stores.plan import Local, Synced
from jaxgen.stores.store import Remote, Store, StoreError
from jaxgen.workdir import checkpoint_index, lock, run_config

RECORD = ".mirror"
TRAINING, FETCHING = ".mirror-training", ".mirror-fetching"  # locks
PATIENCE = 3600.0  # seconds to wait for another process that fetches the run
THREADS = 8  # files at a time
ATTEMPTS = 3  # to fetch a run of which files vanish meanwhile

Files = dict[str, Synced]


def folder_of(address: str | pathlib.Path) -> pathlib.Path:
  """The folder that mirrors an address, which need not exist.

  Raises:
    UserError: there is no home folder.
  """
  name = addresses.canonical(address)
  digest = hashlib.sha256(name.encode()).hexdigest()[:12]
  folder = user_cache.cache_folder(f"runs/{name.split('/')[-1]}-{digest}")
  if folder is None:
    raise UserError(f"{name}: no home folder; set {user_cache.VARIABLE}.")
  return folder


def local(address: str | pathlib.Path) -> pathlib.Path:
  """The folder of a run in a store, brought up to date unless a training run of
  this machine works in it.

  Raises:
    UserError: the store cannot be reached, or holds no run there.
  """
  return _read(Store(address))[0]


def _read(store: Store) -> tuple[pathlib.Path, bool]:
  """The folder of a run, and whether this machine trains it."""
  folder = folder_of(store.address)
  if lock.is_held(folder, name=TRAINING):
    return folder, True
  with lock.hold(folder, name=FETCHING, patience=PATIENCE):
    try:
      fetch(store, folder, found=True)
    except StoreError as e:
      raise UserError(f"{store.address}: {e}.") from e
  return folder, False


def watched(address: str | pathlib.Path) -> tuple[pathlib.Path, bool]:
  """The same folder, and whether a living process trains the run.

  Raises:
    UserError: the store cannot be reached, or holds no run there.
  """
  store = Store(address)
  folder, here = _read(store)
  try:
    return folder, here or lease.is_held(store)
  except StoreError as e:
    raise UserError(f"{store.address}: {e}.") from e


def scan(folder: pathlib.Path) -> dict[str, Local]:
  """The files of a folder that count: all but hidden and unfinished ones, and
  those of checkpoints of which any file is missing."""
  files = {}
  for parent, _, names in os.walk(folder):
    for path in (pathlib.Path(parent, x) for x in names):
      with contextlib.suppress(FileNotFoundError):  # just removed
        if not path.is_symlink():
          files[path.relative_to(folder).as_posix()] = _local(path)
  for mark in plan.shown(files.keys()):
    if "checksums/" in mark and plan.is_mark(mark):
      if not _is_complete(folder, mark, files):
        del files[mark]
  return {name: files[name] for name in plan.shown(files.keys())}


def _is_complete(
  folder: pathlib.Path, mark: str, files: Mapping[str, Local]
) -> bool:
  """Whether all files of a checkpoint have the sizes in its checksums."""
  parent, _, name = mark.rpartition("checksums/")
  prefix = f"{parent}{checkpoint_index.FOLDER}/{name.removesuffix('.json')}/"
  try:
    table = json.loads((folder / mark).read_bytes())
    sizes = {f"{prefix}{name}": x[0] for name, x in table.items()}
  except (OSError, ValueError, AttributeError, TypeError, LookupError):
    return False
  return all(x in files and files[x].size == sizes[x] for x in sizes)


def read_record(folder: pathlib.Path) -> Files:
  """What was equal on both sides; empty if it is not known."""
  try:
    known = json.loads((folder / RECORD).read_bytes())["files"]
    return {
      name: Synced(Local(int(size), int(time)), str(tag))
      for name, (size, time, tag) in known.items()
    }
  except (OSError, ValueError, AttributeError, TypeError, LookupError):
    return {}


def write_record(folder: pathlib.Path, files: Files) -> None:
  """Write what is equal on both sides."""
  known = {name: [*x.local, x.tag] for name, x in files.items()}
  write_json(folder / RECORD, {"files": known}, indent=None)


def identity(folder: pathlib.Path) -> str:
  """A name for the folder that no other has."""
  path = folder / f"{RECORD}-name"
  if not path.is_file():
    path.write_text(secrets.token_hex(16))
  return path.read_text()


class _ChangedError(Exception):
  """A checkpoint is replaced or deleted while it is fetched."""


def fetch(store: Store, folder: pathlib.Path, *, found: bool) -> None:
  """Make a folder as the store is, but for what it could not send.

  Args:
    store: the run.
    folder: its folder on this machine.
    found: whether there must be a run.

  Raises:
    UserError: there is none, but should be, or there are other files.
    StoreError: the store cannot be reached.
  """
  for _ in range(ATTEMPTS):
    with contextlib.suppress(_ChangedError):
      return _fetch(store, folder, found)
  raise StoreError("its checkpoints change while they are read; try again")


def _fetch(store: Store, folder: pathlib.Path, found: bool) -> None:
  remote, synced, here = store.list(), read_record(folder), scan(folder)
  if run_config.CONFIG not in remote and (found or plan.shown(remote.keys())):
    raise UserError(
      f"{store.address} holds no run: expected config.json there."
    )
  if not (folder / lock.NAME).exists():  # nothing here is of a training run
    here = {name: here[name] for name in _equal(here, synced)}
  todo = plan.plan_pull(remote, here, synced)
  equal = (_equal(here, synced) & remote.keys()) - set(todo.download)
  for name in todo.remove:
    (folder / name).unlink(missing_ok=True)
  if todo.replaced:
    _remove_unmarked(folder, remote.keys())
  try:
    equal |= _download(store, folder, todo.download, remote)
  finally:
    files = {name: _local(folder / name) for name in equal}
    tags = {name: remote[name].tag for name in equal}
    write_record(folder, {x: Synced(files[x], tags[x]) for x in equal})


def _download(
  store: Store,
  folder: pathlib.Path,
  names: Sequence[str],
  remote: Mapping[str, Remote],
) -> set[str]:
  """Fetch objects; returns their names.

  Raises:
    _ChangedError: a checkpoint is not what the listing says.
    StoreError: the store cannot be reached.
  """
  label = f"downloading {store.address}"
  with progress.loop(label, len(names), unit="files") as advance:

    def download(name: str) -> None:
      path = folder / name
      try:
        store.download(name, path)
      except FileNotFoundError as e:
        raise _ChangedError from e
      if plan.mark_of(name) and path.stat().st_size != remote[name].size:
        raise _ChangedError
      advance(1)

    in_parallel(download, names)
  return set(names)


def _local(path: pathlib.Path) -> Local:
  status = path.stat()
  return Local(status.st_size, status.st_mtime_ns)


def _equal(here: Mapping[str, Local], synced: Files) -> set[str]:
  """The files that have not changed since they were equal to their objects."""
  return {x for x in here if x in synced and synced[x].local == here[x]}


def _remove_unmarked(folder: pathlib.Path, remote: Iterable[str]) -> None:
  """Remove checkpoints that the store does not have."""
  marks = plan.marks_of_run(remote)
  for path in (folder / checkpoint_index.FOLDER).glob("*"):
    if f"checksums/{path.name}.json" not in marks:
      shutil.rmtree(path, ignore_errors=True)


def in_parallel(action: Callable[[str], None], names: Iterable[str]) -> None:
  """Do something for all files that are no marks, then for marks in order."""
  names = list(names)
  with ThreadPoolExecutor(THREADS) as pool:
    for _ in pool.map(action, [x for x in names if not plan.is_mark(x)]):
      pass
  for name in filter(plan.is_mark, names):
    action(name)

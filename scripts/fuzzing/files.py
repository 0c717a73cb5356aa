"""Malformed files: configs, sweeps, folders of runs, images, latents."""

from __future__ import annotations

import json
import os
import pathlib
import random

import jaxgen

CONFIGS = {
  "empty": "",
  "syntax": "def get_config(:\n",
  "raises": "raise RuntimeError('no\\nno')\n",
  "exits": "import sys\nsys.exit(3)\n",
  "no_function": "x = 1\n",
  "returns_none": "def get_config(variant=''): return None\n",
  "returns_number": "def get_config(variant=''): return 3\n",
  "returns_dict": "def get_config(variant=''): return {'task': 'x'}\n",
  "fails": "def get_config(variant=''): return 1 / 0\n",
}
SWEEP = """
from jaxgen.sweeps import Phase, Sweep, Times, Winner
def get_sweep(variant=""):
  base, runs, more, sweep = "textures_patch_ae:smoke", {"a": {}}, {}, {}
  NAN = float("nan")
  CHANGE
  phase = Phase(**{"name": "p", "runs": runs, **more})
  return Sweep(**{"base": base, "phases": (phase,), **sweep})
"""
CHANGES = (
  "base = 3",
  "base = 'nowhere.py'",
  "runs = ['a']",
  "runs = {}",
  "runs = {'a': ['model.width']}",
  "runs = {'a': {3: 4}}",
  "runs = {'a/b': {}}",
  "runs = {'a': {'optimizer.learning_rate': NAN}}",
  "runs = {'a': {}, 'b': {'model.width': 'x'}}",
  "runs = {'a': {'model.no': 1}}",
  "runs = {'a': {'model.width': Times(0.3)}}",
  "runs = {'a': {'model.width': Times('x')}}",
  "runs = {'a': {'model.width': object()}}",
  "runs = {'a': {'train.init_from': Winner('p')}}",
  "runs = {'a': {'train.init_from': Winner(3)}}",
  "more = {'base': 3}",
  "more = {'base': 'nowhere.py'}",
  "more = {'metric': ['mse']}",
  "more = {'metric': 'validation/x'}",
  "more = {'groups': {'x': 3}}",
  "more = {'groups': {'x': ('b',)}}",
  "more = {'decides': 'x'}",
  "more = {'passes_on': 3}",
  "more = {'passes_on': ('no.field',)}",
  "more = {'images': -1}",
  "more = {'trade_offs': 3}",
  "more = {'name': 3}",
  "sweep = {'phases': 3}",
  "sweep = {'phases': ()}",
  "sweep = {'phases': (3,)}",
  "sweep = {'overrides': 3}",
  "return None",
)


def _write(path: pathlib.Path, data: bytes | str) -> pathlib.Path:
  path.parent.mkdir(parents=True, exist_ok=True)
  path.write_bytes(data.encode() if isinstance(data, str) else data)
  return path


def configs(folder: pathlib.Path, rng: random.Random) -> list[pathlib.Path]:
  """Config files that give no config."""
  paths = [_write(folder / f"{k}.py", text) for k, text in CONFIGS.items()]
  paths.append(_write(folder / "bytes.py", rng.randbytes(300)))
  (folder / "folder.py").mkdir(exist_ok=True)
  missing = folder / os.fsdecode(b"caf\xe9.py")
  return [*paths, folder / "folder.py", missing, folder / ("x" * 300 + ".py")]


def sweeps(folder: pathlib.Path) -> list[pathlib.Path]:
  """Sweep files with a mistake each."""
  return [
    _write(folder / f"{i}.py", SWEEP.replace("CHANGE", change))
    for i, change in enumerate(CHANGES)
  ]


def workdirs(folder: pathlib.Path, rng: random.Random) -> list[pathlib.Path]:
  """Folders that hold no run, or a damaged one."""
  text = json.dumps(jaxgen.config("textures_patch_ae:smoke").to_dict())
  cuts = [text[: rng.randrange(len(text) - 1)] for _ in range(3)]
  nonsense = ("[]", "3", '{"task": 3}', '{"task": "x"}', "{}", "[" * 100_000)
  changed = [
    text.replace('"width": 32', '"width": -32', 1).replace('"seed"', '"sead"'),
    text.replace('"model": {', '"model": 3, "x": {'),
  ]
  contents = [*cuts, *nonsense, *changed, rng.randbytes(200), text]
  paths = []
  for i, content in enumerate(contents):
    paths.append(_write(folder / str(i) / "config.json", content).parent)
    (paths[-1] / "checkpoints").mkdir(exist_ok=True)
  _write(folder / "file", "a file")
  (folder / "empty").mkdir(exist_ok=True)
  _write(folder / "files/checkpoints", "a file")
  others = ("file", "empty", "files", "missing", "x" * 300, "a\nb", "\udcff")
  return paths + [folder / name for name in others]


def images(folder: pathlib.Path, rng: random.Random) -> list[pathlib.Path]:
  """Files and folders that are no images."""
  header = b"\x89PNG\r\n\x1a\n"
  contents = {
    "empty.png": b"",
    "bytes.png": rng.randbytes(500),
    "header.png": header,
    "cut.png": header + rng.randbytes(40),
    "text.jpg": b"hello",
    "bytes.tif": b"II*\0" + rng.randbytes(60),
    "bytes.webp": b"RIFF" + rng.randbytes(60),
    "notes.txt": b"hello",
  }
  paths = [_write(folder / name / name, x) for name, x in contents.items()]
  (folder / "nothing").mkdir(exist_ok=True)
  folders = [path.parent for path in paths]
  return [*paths, *folders, folder / "nothing", folder / "missing"]


def latents(folder: pathlib.Path, rng: random.Random) -> list[pathlib.Path]:
  """Files that hold no latents."""
  contents = {"empty": b"", "bytes": rng.randbytes(300), "zip": b"PK\3\4junk"}
  paths = [_write(folder / f"{k}.npz", x) for k, x in contents.items()]
  (folder / "folder.npz").mkdir(exist_ok=True)
  return [*paths, folder / "folder.npz", folder / "missing.npz"]

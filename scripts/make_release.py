"""Train the small models that a release comes with, and export them.

    python scripts/make_release.py --out=release --faces=MY_FACES
    python scripts/make_release.py --out=release --only=textures

Runs are trained in OUT/runs from the seeds of their configs, and resumed if
they are there; finished ones are evaluated and exported to OUT/models, each in
a folder of at most 20 MB with its model card, and a list of SHA-256 digests
beside them. On two CPU cores textures take 3 minutes, rocks 20, faces 30.
docs/models.md describes them.
"""

from __future__ import annotations

import argparse
import hashlib
import pathlib
from typing import NamedTuple

from jaxgen.cli.main import main as jaxgen

LIMIT = 20_000_000  # bytes of an exported model
DIGESTS = "SHA256SUMS"


class Model(NamedTuple):
  """A config with its variant, and flags that change it."""

  config: str
  flags: tuple[str, ...] = ()


MODELS = {
  "textures": Model("textures_patch_ae:demo"),
  "rocks": Model("rocks_edm:demo", ("--config.model.time_frequency=16",)),
  "faces": Model("faces_vae:small", ("--config.data.source=folder",)),
}


def main() -> None:
  """Train, export and list."""
  parser = argparse.ArgumentParser(description=__doc__)
  parser.add_argument("--out", required=True, type=pathlib.Path, help="folder")
  parser.add_argument("--faces", help="folder of aligned faces")
  parser.add_argument("--only", choices=MODELS, help="one model")
  args = parser.parse_args()
  names = [args.only] if args.only else list(MODELS)
  if "faces" in names and not args.faces:
    parser.error("--faces=MY_FACES is missing; or --only=textures, rocks")
  for name in names:
    given = [f"--config.data.path={args.faces}"] if name == "faces" else []
    release(name, args.out, [*MODELS[name].flags, *given])
  write_digests(args.out / "models")


def release(name: str, out: pathlib.Path, flags: list[str]) -> None:
  """Train a model if it is not, and export it if it is not."""
  workdir, exported = out / "runs" / name, out / "models" / name
  config = f"--config={MODELS[name].config}"
  run(["train", config, f"--workdir={workdir}", *flags])
  if not exported.exists():
    run(["evaluate", f"--workdir={workdir}", "--num=512"])
    run(["export", f"--workdir={workdir}", f"--out={exported}"])
  size = sum(x.stat().st_size for x in files(exported))
  if size > LIMIT:
    raise SystemExit(f"error: {exported}: {size:,} bytes, at most {LIMIT:,}.")


def run(argv: list[str]) -> None:
  """A verb; ends this process if it fails."""
  if status := jaxgen(argv):
    raise SystemExit(status)


def write_digests(folder: pathlib.Path) -> None:
  """List the digests of all files, in the format of `sha256sum --check`."""
  lines = [
    f"{hashlib.sha256(x.read_bytes()).hexdigest()}  {x.relative_to(folder)}\n"
    for x in files(folder)
    if x.name != DIGESTS
  ]
  (folder / DIGESTS).write_text("".join(lines))


def files(folder: pathlib.Path) -> list[pathlib.Path]:
  """All files of a folder, in order."""
  return sorted(x for x in folder.rglob("*") if x.is_file())


if __name__ == "__main__":
  main()

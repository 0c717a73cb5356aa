"""Malformed input for every verb: each must end with status 2 and one error of
at most two lines, without a traceback."""

from __future__ import annotations

import contextlib
import dataclasses
import io
import pathlib
import random
import traceback
from collections.abc import Iterator

from fuzzing import files
from jaxgen.cli.main import main

CONFIG = "textures_patch_ae:smoke"
INTEGERS = ("", "x", "nan", "-1", "1.5", "1e9", "9" * 400, "9" * 5000, "\udcff")
NUMBERS = ("", "x", "nan", "-1", "[]", "None", "9" * 400, "1e999", "\udcff")
REQUIRED = {  # valid flags, of a run that does not exist
  "configs": "",
  "train": f"--config={CONFIG} --workdir=W",
  "monitor": "--workdir=W",
  "plan": f"--config={CONFIG}",
  "sample": "--workdir=W --out=O",
  "encode": "--workdir=W --out=O.npz --input=I",
  "decode": "--workdir=W --out=O --latents=L.npz",
  "reconstruct": "--workdir=W --out=O --input=I",
  "upscale": "--workdir=W --out=O --input=I",
  "interpolate": "--workdir=W --out=O --a=A --b=B",
  "edit": "--workdir=W --out=O --input=I --strength=0.5",
  "calibrate": "--image=I --out=O",
  "restore": "--workdir=W --out=O --input=I --gain=1 --read_noise=1",
  "data": f"--config={CONFIG}",
  "evaluate": "--workdir=W",
  "ema": "--workdir=W --sigma_rel=0.1",
  "explore": "--workdir=W --out=O",
  "export": "--workdir=W --out=O",
  "import": "--from=F --out=O",
  "compare": "--workdir=W --out=O",
  "sweep": "--workdir=W",
  "benchmark": f"--config={CONFIG}",
  "doctor": "",
}
INTEGER_FLAGS = {
  "configs": ("show", "copy"),
  "data": ("resolution",),
  "train": ("num_processes", "process_id", "memory"),
  "monitor": ("every",),
  "plan": ("memory",),
  "sample": (
    *("num", "resize", "batch", "seed", "resolution", "steps", "hint_noise"),
    "control_scale",
  ),
  "encode": ("batch",),
  "decode": ("batch", "seed", "steps"),
  "reconstruct": ("batch", "seed", "steps"),
  "upscale": ("tile", "seed", "steps"),
  "interpolate": ("steps", "seed"),
  "edit": (
    *("between", "corrections", "seed", "batch", "hint_noise"),
    "control_scale",
  ),
  "calibrate": ("gain", "black", "white", "resolutions", "num", "photons"),
  "restore": (
    *("gain", "samples", "scale", "std_factor", "steps", "white"),
    *("max_seconds", "max_memory", "preference"),
  ),
  "evaluate": ("num", "budget", "seed"),
  "ema": ("sigma_rel",),
  "explore": ("port",),
  "export": ("num",),
  "import": ("resolution",),
  "compare": ("num", "batch"),
  "sweep": ("parallel", "memory", "hours"),
  "benchmark": ("repeats", "resolutions", "batches", "steps"),
  "doctor": ("precision",),
}
FIELDS = (
  "model.width",
  "model.latent_dim",
  "optimizer.learning_rate",
  "optimizer.warmup_images",
  "stages.images",
  "stages.batch_size",
  "stages.resolution",
  "train.save_images",
  "train.max_to_keep",
  "seed",
)
LEANING = (  # configs of runs that lean on others or on hints, with a fault
  ("textures_ldm", "latent.run=GONE"),
  ("textures_ldm", "latent.run="),
  ("textures_ldm", "latent.normalize=whitening"),
  ("textures_ldm", "hint.kind=edges"),
  ("textures_hybrid", "hint.run=GONE"),
  ("textures_hybrid", "hint.run="),
  ("textures_hybrid", "hint.kind=edges"),
  ("textures_hybrid", "hint.drop_prob=0.1"),
  ("folder_edm", "hint.kind=image"),
  ("folder_edm", "data.hints=GONE"),
  ("textures_edm", "hint.kind=segments"),
  ("textures_edm", "hint.factor=1"),
  ("rocks_ect", "train.init_from=GONE"),
  ("rocks_ect", "consistency.curriculum=0"),
  ("rocks_ect", "consistency.pretrain_images=1e9"),
  ("rocks_ect", "diffusion.uncertainty=True"),
  ("textures_ldm_ect", "latent.run=GONE"),
  ("rocks_upscale", "data.degradation=pairs"),
  ("rocks_upscale", "data.lows=GONE"),
  ("rocks_upscale", "data.factor=0"),
  ("photos_upscale_x4", "data.path=GONE"),
  ("photos_upscale_x4_gan", "train.init_from=GONE"),
  ("photos_upscale_x4_gan", "adversarial.gamma=0.0"),
  ("rocks_upscale", "adversarial.weight=-1.0"),
  ("rocks_upscale", "adversarial.penalty_every=0"),
  ("rocks_upscale_edm", "hint.factor=5"),
  ("rocks_upscale_edm", "data.degradation=realistic"),
  ("rocks_control", "control.base=GONE"),
  ("rocks_control", "control.base="),
  ("rocks_control", "hint.kind="),
  ("rocks_control", "hint.drop_prob=0.1"),
  ("rocks_control", "hint.num_classes=0"),
  ("rocks_control", "diffusion.target=residual"),
  ("layouts_control", "latent.run=GONE"),
  ("layouts_control", "latent.views=4"),
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Case:
  """A command line that must be refused."""

  argv: tuple[str, ...]

  def __str__(self) -> str:
    return " ".join(x if len(x) < 60 else f"{x[:60]}..." for x in self.argv)


def cases(folder: pathlib.Path, seed: int) -> list[Case]:
  """Malformed command lines; files for them are written below a folder."""
  rng = random.Random(seed)
  found = [*_flags(rng), *_fields(rng), *_files(folder, rng)]
  return [Case(argv=tuple(argv)) for argv in found]


def _flags(rng: random.Random) -> Iterator[list[str]]:
  """Missing, unknown and invalid flags."""
  for verb, required in REQUIRED.items():
    given = required.split()
    yield [verb, *given, f"--nonsense{rng.randrange(100)}=1"]
    if given:
      yield [verb, *given[1:]] if verb != "ema" else [verb]
    for flag in INTEGER_FLAGS[verb]:
      for value in rng.sample(INTEGERS, 2):
        yield [verb, *given, f"--{flag}={value}"]


def _fields(rng: random.Random) -> Iterator[list[str]]:
  """Unknown and invalid fields of configs."""
  for verb in ("train", "benchmark", "plan"):
    given = REQUIRED[verb].split()
    for field in FIELDS:
      value = rng.choice(NUMBERS)
      yield [verb, *given, f"--config.{field}={value}"]
    yield [verb, *given, f"--config.model.{rng.randrange(100)}=1"]
    yield [verb, *given, "--config.stages.images=(64,)", "--config.model=3"]
  for verb in ("train", "sample"):
    given = REQUIRED[verb].replace("--workdir=W", "--workdir=nowhere://b/W")
    yield [verb, *given.split()]
  for config, fault in LEANING:
    config = f"--config={config}:smoke"
    yield ["train", config, "--workdir=W", f"--config.{fault}"]


def _files(folder: pathlib.Path, rng: random.Random) -> Iterator[list[str]]:
  """Damaged configs, sweeps and folders of runs."""
  for path in files.configs(folder / "configs", rng):
    for verb in ("train", "benchmark"):
      flags = REQUIRED[verb].split()[1:]
      yield [verb, f"--config={path}", *flags]
  for path in files.sweeps(folder / "sweeps"):
    yield ["sweep", f"--config={path}", f"--workdir={folder / 'new'}"]
  workdirs = files.workdirs(folder / "runs", rng)
  verbs = [x for x, flags in REQUIRED.items() if "--workdir" in flags]
  for path in workdirs:
    for verb in rng.sample([x for x in verbs if x not in _OPEN], 3):
      flags = REQUIRED[verb].replace("--workdir=W", f"--workdir={path}")
      yield [verb, *flags.split()]


_OPEN = ("train", "sweep", "monitor")  # may accept such a folder


def with_input(
  run: pathlib.Path, folder: pathlib.Path, seed: int
) -> list[Case]:
  """Malformed images and latents for a trained autoencoder."""
  rng, out = random.Random(seed), folder / "out"
  found = [
    [verb, f"--workdir={run}", f"--out={out}", f"--input={path}"]
    for path in files.images(folder / "images", rng)
    for verb in ("encode", "reconstruct")
  ]
  found += [
    [verb, f"--workdir={run}", f"--out={out}", "--input=I", "--tiled", "--fit"]
    for verb in ("encode", "reconstruct", "edit", "evaluate")
  ]
  found += [
    ["evaluate", f"--workdir={run}", f"--out={out}", f"--data={path}"]
    for path in ("", folder / "gone", "\0")
  ]
  found += [
    ["decode", f"--workdir={run}", f"--out={out}", f"--latents={path}"]
    for path in files.latents(folder / "latents", rng)
  ]
  return [Case(argv=tuple(argv)) for argv in found]


def fault(case: Case) -> str:
  """What is wrong with the answer to malformed input; empty if nothing is."""
  output, errors = io.StringIO(), io.StringIO()
  try:
    with (
      contextlib.redirect_stdout(output),
      contextlib.redirect_stderr(errors),
    ):
      status = main(list(case.argv))
  except BaseException as e:
    return f"{type(e).__name__}: {e}\n{traceback.format_exc()}"
  said = errors.getvalue()
  if status != 2 or not said.startswith("error: "):
    return f"status {status}: {said}{output.getvalue()}"
  if said.count("\n") > 2 or "Traceback" in said:
    return said
  return ""
